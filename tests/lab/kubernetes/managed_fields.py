# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply and the tracking of field owners (metadata.managedFields).

As k8s.io/apimachinery/pkg/util/managedfields does on top of structured-merge-diff. Everything here is a pure function.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lab.kubernetes import field_sets
from lab.kubernetes.copies import copied
from lab.kubernetes.errors import StatusError, bad_request
from lab.kubernetes.field_sets import Comparison, FieldSet, Path
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_TREES = 1_000
BEFORE_FIRST_APPLY = "before-first-apply"
# The manager that may take over what client-side apply set, without force.
_KUBECTL = "kubectl"

# Fields of metadata that the server itself sets, or that name the object: nobody owns or applies them.
_SYSTEM_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_NEVER_OWNED: FieldSet = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(("f:metadata", f"f:{name}") for name in (*_SYSTEM_METADATA, "name", "namespace")),
    }
)


@dataclass(frozen=True, order=True)
class _Manager:
    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        """As in messages about conflicts."""
        subresource = f" with subresource {json.dumps(self.subresource)}" if self.subresource else ""
        version = f" using {self.api_version}" if self.operation == "Update" else ""
        return f"{json.dumps(self.name)}{subresource}{version}"


@dataclass
class _Managed:
    fields: dict[_Manager, FieldSet] = field(default_factory=dict)
    times: dict[_Manager, str] = field(default_factory=dict)

    def others(self, manager: _Manager | None) -> list[_Manager]:
        return sorted(each for each in self.fields if each != manager)

    def take(self, manager: _Manager, paths: FieldSet) -> None:
        self.fields[manager] = self.fields.get(manager, frozenset()) - paths

    def entries(self) -> list[Object]:
        owners = [(manager, paths - _NEVER_OWNED) for manager, paths in self.fields.items()]
        owners.sort(key=lambda pair: (pair[0].operation, self.times.get(pair[0], ""), pair[0]))
        return [self.entry(manager, paths) for manager, paths in owners if paths]

    def entry(self, manager: _Manager, paths: FieldSet) -> Object:
        return {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            **({"time": self.times[manager]} if manager in self.times else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": field_sets.encode(paths),
            **({"subresource": manager.subresource} if manager.subresource else {}),
        }


def apply(kind: Kind, live: Object | None, applied: Object, manager: str, force: bool, now: str) -> Object:
    """Merge an applied configuration into the live object, or make a new one of it.

    :returns: an object equal to `live` when nothing changes.
    :raises StatusError: 409 for fields that others manage, unless forced; 400 and 500 for what cannot be applied.
    """
    if applied.get("metadata", {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    config = _configuration(kind, applied)
    before = _decode(_entries(live))
    if live is not None and not before.fields:
        before = _first_owner(kind, live, now)
    base = _without_managed_fields(live) if live is not None else {}
    try:
        merged, managed = _apply(kind, base, config, before, manager, force)
    except _Conflicts as conflicts:
        if manager != _KUBECTL:
            raise conflicts.error() from None
        remaining = conflicts.without(_last_applied_fields(kind, base))
        if remaining.found:
            raise remaining.error() from None
        merged, managed = _apply(kind, base, config, before, manager, True)
    if manager == _KUBECTL:
        _renew_last_applied(base, merged, applied)

    applier = _Manager(manager, "Apply", kind.api_version)
    if (
        merged == base
        and managed.fields == before.fields
        and live is not None
        and live["metadata"].get("managedFields")
    ):
        return copied(live)
    if merged != base or managed.fields.get(applier) != before.fields.get(applier):
        managed.times[applier] = now
    return _with_entries(merged, managed)


def track_update(kind: Kind, old: Object | None, new: Object, manager: str, now: str, subresource: str = "") -> Object:
    """The new object of a create, update or patch, with its managedFields brought up to date."""
    managed = _live_or_new(old, new, subresource)
    fresh = _without_managed_fields(new)
    if old is not None and not managed.fields:
        # Without managedFields nothing is tracked until the first apply, which makes an owner of all that is there.
        return fresh
    difference = _difference(kind, _without_managed_fields(old) if old is not None else {}, fresh, subresource)
    _lose(managed, difference)
    taken = (difference.added | difference.modified) - _NEVER_OWNED
    if taken:
        updater = _Manager(manager, "Update", kind.api_version, subresource)
        managed.fields[updater] = managed.fields.get(updater, frozenset()) | taken
        managed.times[updater] = now
    return _with_entries(fresh, managed)


def of_new(kind: Kind, item: Object, manager: str, now: str) -> list[Object]:
    """The managedFields of an object that a controller creates; equal ones share what they own."""
    shown = {name: value for name, value in item.items() if name not in ("apiVersion", "kind", "status")}
    tree = field_sets.owned_tree(field_sets.tidied(shown, field_sets.shape_of(kind), True), field_sets.shape_of(kind))
    tree.pop("f:status", None)
    metadata = tree.get("f:metadata", {})
    for name in (".", *(f"f:{each}" for each in (*_SYSTEM_METADATA, "name", "namespace"))):
        metadata.pop(name, None)
    owner = _Manager(manager, "Update", kind.api_version)
    managed = _Managed({owner: frozenset()}, {owner: now})
    return [{**managed.entry(owner, frozenset()), "fieldsV1": _shared(tree)}]


_TREES: dict[str, Object] = {}


def _shared(tree: Object) -> Object:
    """One that is equal, if there is one: the pods of a ReplicaSet all have the same, which is larger than the rest of them."""
    key = json.dumps(tree)
    if len(_TREES) > _MOST_TREES:
        _TREES.clear()
    return _TREES.setdefault(key, tree)


# Apply


class _Conflicts(Exception):
    def __init__(self, found: dict[_Manager, FieldSet]) -> None:
        super().__init__()
        self.found = {manager: paths for manager, paths in found.items() if paths}

    def without(self, allowed: FieldSet) -> _Conflicts:
        return _Conflicts({manager: paths - allowed for manager, paths in self.found.items()})

    def error(self) -> StatusError:
        listed: list[tuple[_Manager, Path]] = [
            (manager, path) for manager in sorted(self.found) for path in field_sets.in_order(self.found[manager])
        ]
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": field_sets.written(path)}
            for manager, path in listed
        ]
        if len(listed) == 1:
            manager, path = listed[0]
            said = f"1 conflict: conflict with {manager}: {field_sets.written(path)}"
        else:
            lines = []
            for manager in sorted(self.found):
                lines.append(f"conflicts with {manager}:")
                lines += [f"- {field_sets.written(path)}" for path in field_sets.in_order(self.found[manager])]
            said = f"{len(listed)} conflicts: " + "\n".join(lines)
        return StatusError(409, "Conflict", f"Apply failed with {said}", {"causes": causes})


def _apply(
    kind: Kind, live: Object, config: Object, before: _Managed, name: str, force: bool
) -> tuple[Object, _Managed]:
    shape = field_sets.shape_of(kind)
    managed = _Managed(dict(before.fields), dict(before.times))
    applier = _Manager(name, "Apply", kind.api_version)
    last = managed.fields.get(applier, frozenset())
    managed.fields[applier] = field_sets.field_set(config, shape)
    merged = field_sets.merge(live, config, shape)
    # What this manager applied before, and nobody applies or manages now.
    owned: FieldSet = frozenset().union(*managed.fields.values())
    doomed = field_sets.with_parents(last) - field_sets.with_parents(owned)
    merged = field_sets.remove(merged, shape, doomed, owned)

    # What would be written as it is already is no change.
    merged = field_sets.tidied(merged, shape)
    if merged == field_sets.tidied(live, shape):
        merged = copied(live)

    difference = _difference(kind, live, merged, "")
    touched = difference.added | difference.modified
    conflicts = {other: managed.fields[other] & touched for other in managed.others(applier)}
    if any(conflicts.values()) and not force:
        raise _Conflicts(conflicts)
    for other in managed.others(applier):
        managed.take(other, conflicts[other] | difference.removed)
    managed.fields = {each: paths - _NEVER_OWNED for each, paths in managed.fields.items() if paths - _NEVER_OWNED}
    return merged, managed


def _configuration(kind: Kind, applied: Object) -> Object:
    """What counts of an applied body: nothing that is null, set by the server or reset by the resource's strategy."""
    config: Object = field_sets.without_nulls(copied(applied))
    metadata = config.setdefault("metadata", {})
    for name in _SYSTEM_METADATA:
        metadata.pop(name, None)
    if "status" in kind.subresources:
        config.pop("status", None)
    problems = field_sets.problems(config, field_sets.shape_of(kind))
    if problems:
        said = problems[0] if len(problems) == 1 else "\n  ".join(["errors:", *problems])
        named = (
            f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.group}/{kind.version}, Kind={kind.kind}"
        )
        raise StatusError(500, "", f"failed to create typed patch object ({named}): {said}")
    return config


def _first_owner(kind: Kind, live: Object, now: str) -> _Managed:
    owner = _Manager(BEFORE_FIRST_APPLY, "Update", kind.api_version)
    paths = _difference(kind, {}, _without_managed_fields(live), "").added - _NEVER_OWNED
    return _Managed({owner: paths}, {owner: now}) if paths else _Managed()


# From client-side to server-side apply: kubectl keeps what it set, and the annotation stays true.


def _last_applied_fields(kind: Kind, live: Object) -> FieldSet:
    annotation: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
    try:
        last = json.loads(live["metadata"]["annotations"][LAST_APPLIED])
        return field_sets.field_set(field_sets.without_nulls(last), field_sets.shape_of(kind)) | {annotation}
    except (KeyError, TypeError, ValueError):
        return frozenset()


def _renew_last_applied(live: Object, merged: Object, applied: Object) -> None:
    annotations = merged["metadata"].get("annotations") or {}
    if LAST_APPLIED not in ((live.get("metadata") or {}).get("annotations") or {}) or LAST_APPLIED not in annotations:
        return
    config = copied(applied)
    (config["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = json.dumps(config, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"


# Owners


def _difference(kind: Kind, old: Object, new: Object, subresource: str) -> Comparison:
    shape = field_sets.shape_of(kind)
    difference = field_sets.compare(field_sets.tidied(old, shape, True), field_sets.tidied(new, shape, True), shape)
    if subresource == "status":
        return difference.without("f:spec")
    return difference.without("f:status") if "status" in kind.subresources else difference


def _lose(managed: _Managed, difference: Comparison) -> None:
    for manager in managed.others(None):
        managed.take(manager, difference.added | difference.modified | difference.removed)


def _entries(item: Object | None) -> list[Object]:
    return (item or {}).get("metadata", {}).get("managedFields") or []


def _decode(entries: list[Object]) -> _Managed:
    managed = _Managed()
    for entry in entries:
        manager = _Manager(
            entry.get("manager", ""), entry["operation"], entry.get("apiVersion", ""), entry.get("subresource", "")
        )
        managed.fields[manager] = field_sets.decode(entry.get("fieldsV1") or {})
        if entry.get("time"):
            managed.times[manager] = _normal(entry["time"])
    return managed


def _normal(time: str) -> str:
    """As Go writes a time, whatever form it came in: C(2026-01-01T01:00:00+01:00) is C(2026-01-01T00:00:00Z)."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _live_or_new(old: Object | None, new: Object, subresource: str) -> _Managed:
    """Clients may write managedFields: C([]) or C([{}]) forgets them all, none or broken ones leave the live ones."""
    given = new.get("metadata", {}).get("managedFields")
    if subresource or given is None:
        return _decode(_entries(old))
    if given in ([], [{}]):
        return _Managed()
    try:
        return _decode(given)
    except (KeyError, TypeError, ValueError, AttributeError):
        return _decode(_entries(old))


def _without_managed_fields(item: Object) -> Object:
    bare = copied(item)
    bare.get("metadata", {}).pop("managedFields", None)
    return bare


def _with_entries(item: Object, managed: _Managed) -> Object:
    entries = managed.entries()
    if entries:
        item.setdefault("metadata", {})["managedFields"] = entries
    return item
