# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, replace, patch, apply and delete: from a request's body to the store."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.kubernetes import admission, errors, managed_fields, openapi, patches, strategic_merge
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.garbage import DEFAULT_GRACE_SECONDS, FOREGROUND, ORPHAN
from lab.kubernetes.registry import POD, Kind
from lab.kubernetes.store import Object, Store, now
from lab.kubernetes.target import Target

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


@dataclass
class Options:
    """
    :ivar manager: who owns what is written.
    :ivar validation: of unknown fields: C(Strict), C(Warn) or C(Ignore).
    :ivar warnings: sentences for the caller, filled by the write.
    """

    manager: str
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, store: Store, settings: ClusterSettings) -> None:
        self._store = store
        self._settings = settings

    def create(self, target: Target, given: Object, options: Options) -> Object:
        kind = target.kind
        item = self._checked(target, given, options)
        if item["metadata"].get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        return self._create(kind, item, options)

    def _create(self, kind: Kind, item: Object, options: Options) -> Object:
        if _has_status(kind):
            item.pop("status", None)
        applied = "managedFields" in item["metadata"]
        admitted = admission.admit(self._store, self._settings, kind, item, None)
        if not applied:
            admitted = managed_fields.track_update(kind, None, admitted, options.manager, now())
        return self._store.create(kind, admitted, dry_run=options.dry_run)

    def replace(self, target: Target, given: Object, options: Options) -> Object:
        old = self._store.get(target.kind, target.namespace, target.name)
        item = self._checked(target, given, options)
        if item["metadata"].get("name") != target.name:
            raise errors.bad_request(
                f"the name of the object ({item['metadata'].get('name')}) does not match the name on the URL ({target.name})"
            )
        _check_preconditions(target, old, item["metadata"])
        return self._update(target, old, item, options)

    def patch(self, target: Target, content_type: str, patch: Any, options: Options) -> Object:
        old = self._store.get(target.kind, target.namespace, target.name)
        if isinstance(patch, dict):
            _check_preconditions(target, old, patch.get("metadata") or {})
        changed = _patched(target.kind, content_type, old, patch)
        self._check_fields(target.kind, changed, options)
        metadata = changed.get("metadata") or {}
        if (metadata.get("name"), metadata.get("namespace", "")) != (target.name, target.namespace):
            raise errors.bad_request("the name or namespace of the object may not be changed by a patch")
        return self._update(target, old, changed, options)

    def apply(self, target: Target, given: Any, options: Options) -> tuple[Object, bool]:
        """Server-side apply.

        :returns: the object, and whether it is new.
        """
        kind = target.kind
        item = self._checked(target, given, options)
        item["metadata"].setdefault("name", target.name)
        live = self._store.find(kind, target.namespace, target.name)
        if live is not None:
            _check_preconditions(target, live, item["metadata"])
        elif item["metadata"].get("uid"):
            raise errors.conflict(kind, target.name, "Precondition failed: UID in precondition does not exist")
        if _has_status(kind) and not target.subresource:
            item.pop("status", None)
        merged = managed_fields.apply(kind, live, item, options.manager, options.force, now())
        if live is None:
            return self._create(kind, merged, options), True
        admitted = admission.admit(self._store, self._settings, kind, merged, live)
        return self._store.update(kind, admitted, dry_run=options.dry_run), False

    def _update(self, target: Target, old: Object, given: Object, options: Options) -> Object:
        kind = target.kind
        changed = _within(target, old, given)
        if target.subresource != "status":
            changed = admission.admit(self._store, self._settings, kind, changed, old)
        tracked = managed_fields.track_update(kind, old, changed, options.manager, now(), _tracked_as(target))
        return self._store.update(kind, tracked, dry_run=options.dry_run)

    def _checked(self, target: Target, given: Any, options: Options) -> Object:
        """A copy of the body that is the kind and in the namespace of the path."""
        kind = target.kind
        if not isinstance(given, dict):
            raise errors.bad_request("the object provided is unrecognized (must be of type object)")
        api_version, name = given.get("apiVersion", kind.api_version), given.get("kind", kind.kind)
        if api_version != kind.api_version:
            raise errors.bad_request(
                f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
            )
        if name != kind.kind:
            raise errors.bad_request(
                f'{name} in version "{kind.version}" cannot be handled as a {kind.kind}: no kind "{name}" is registered for this path'
            )
        item = copy.deepcopy(given)
        item |= {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = item.get("metadata")
        item["metadata"] = metadata if isinstance(metadata, dict) else {}
        if kind.namespaced:
            if item["metadata"].get("namespace", target.namespace) != target.namespace:
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            item["metadata"]["namespace"] = target.namespace
        self._check_fields(kind, item, options)
        return item

    def _check_fields(self, kind: Kind, item: Object, options: Options) -> None:
        if options.validation == "Ignore":
            return
        unknown = [f'unknown field "{path}"' for path in openapi.unknown_fields(kind, item)]
        if unknown and options.validation == "Strict":
            raise errors.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {", ".join(unknown)}'
            )
        options.warnings += unknown

    # Deleting

    def delete(self, target: Target, options: Mapping[str, Any], *, dry_run: bool) -> Object:
        """
        :param options: a DeleteOptions object.
        :returns: the object if it is still there, else a Status.
        """
        kind = target.kind
        old = self._store.get(kind, target.namespace, target.name)
        _check_preconditions(target, old, options.get("preconditions") or {})
        if dry_run:
            return _deleted(kind, old)
        finalizer = _finalizer(options)
        if finalizer and "deletionTimestamp" not in old["metadata"]:
            with self._store.changing(kind, target.namespace, target.name) as changed:
                metadata = changed["metadata"]
                metadata["finalizers"] = [*(metadata.get("finalizers") or []), finalizer]
        self._store.delete(kind, target.namespace, target.name, _grace_seconds(kind, old, options))
        return self._store.find(kind, target.namespace, target.name) or _deleted(kind, old)


def _patched(kind: Kind, content_type: str, old: Object, patch: Any) -> Object:
    if content_type == JSON_PATCH:
        return patches.json_patch(old, patch)
    if not isinstance(patch, dict):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}"
        )
    if content_type == MERGE_PATCH:
        return patches.merge(old, patch)
    return strategic_merge.apply(kind, old, patch)


def _check_preconditions(target: Target, old: Object, wanted: Mapping[str, Any]) -> None:
    kind, metadata = target.kind, old["metadata"]
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if uid and uid != metadata["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}"
        raise errors.conflict(kind, target.name, why)
    if version and version != metadata["resourceVersion"]:
        raise errors.modified(kind, target.name)


def _within(target: Target, old: Object, given: Object) -> Object:
    """What a request may change: the status by its subresource, all else by the main resource."""
    if target.subresource == "status":
        changed = {**old, "status": given.get("status", {})}
        managed = given["metadata"].get("managedFields", old["metadata"].get("managedFields"))
        return {**changed, "metadata": {**old["metadata"], "managedFields": managed}} if managed else changed
    if not _has_status(target.kind):
        return given
    rest = {name: value for name, value in given.items() if name != "status"}
    return {**rest, "status": old["status"]} if "status" in old else rest


def _has_status(kind: Kind) -> bool:
    # A kubelet creates its Node with a status.
    return "status" in kind.subresources and kind.kind != "Node"


def _tracked_as(target: Target) -> str:
    return target.subresource if target.subresource in ("status", "scale") else ""


def _finalizer(options: Mapping[str, Any]) -> str:
    policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else "")
    return {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy, "")


def _grace_seconds(kind: Kind, old: Object, options: Mapping[str, Any]) -> int:
    spec, phase = old.get("spec") or {}, (old.get("status") or {}).get("phase")
    if kind is not POD or not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    default = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    given = options.get("gracePeriodSeconds")
    return int(default if given is None else given)


def _deleted(kind: Kind, old: Object) -> Object:
    group = {"group": kind.group} if kind.group else {}
    metadata = old["metadata"]
    details = {"name": metadata["name"], **group, "kind": kind.plural, "uid": metadata["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
