# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, replace, patch and apply: from a request's body to the store."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.kubernetes import admission, decoding, errors, field_sets, managed_fields, patches, strategic_merge
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.registry import NAMESPACE, Kind
from lab.kubernetes.store import Object, Store, now
from lab.kubernetes.target import Target
from lab.merge_patch import merge

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
# A patch is refused as such.
_NO_KIND = Kind("", "", "", "", False)
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
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        return self._create(kind, item, options, applied=False)

    def _create(self, kind: Kind, item: Object, options: Options, *, applied: bool) -> Object:
        if _has_status(kind):
            item.pop("status", None)
        admitted = admission.admit(self._store, self._settings, kind, item, None)
        if _has_status(kind):
            admitted.setdefault("status", {})
        if not applied:
            admitted = managed_fields.track_update(kind, None, admitted, options.manager, now())
        return self._store.create(kind, admitted, dry_run=options.dry_run)

    def replace(self, target: Target, given: Object, options: Options) -> Object:
        old = self._store.get(target.kind, target.namespace, target.name)
        item = self._checked(target, given, options)
        if item["metadata"].get("name") != target.name:
            raise _other_name(target, item)
        _check_preconditions(target, old, item["metadata"])
        return self._update(target, old, item, options)

    def patch(self, target: Target, content_type: str, patch: Any, options: Options) -> Object:
        old = self._store.get(target.kind, target.namespace, target.name)
        changed = _patched(target.kind, content_type, old, patch)
        metadata = changed.get("metadata") if isinstance(changed, dict) else None
        if not isinstance(metadata, dict):
            raise errors.bad_request("the patch leaves no object")
        _check_preconditions(target, old, metadata)
        for name, before in (("name", target.name), ("namespace", target.namespace)):
            if metadata.get(name, "") != before:
                why = f'Invalid value: "{metadata.get(name, "")}": field is immutable'
                raise errors.invalid(target.kind, target.name, [(f"metadata.{name}", why)])
        unknown = self._decoded(target.kind, changed, options)
        if unknown and options.validation == "Strict":
            shown = json.dumps(json.dumps(patch, separators=(",", ":")))
            why = f"Invalid value: {shown}: strict decoding error: {', '.join(unknown)}"
            raise errors.invalid(_NO_KIND, "", [("patch", why)])
        return self._update(target, old, field_sets.tidied(changed, field_sets.shape_of(target.kind)), options)

    def apply(self, target: Target, given: Any, options: Options) -> tuple[Object, bool]:
        """Server-side apply.

        :returns: the object, and whether it is new.
        """
        kind = target.kind
        # Fields that are not known are refused by the merge.
        item = self._of_path(target, given)
        decoding.check_types(kind, item)
        if item["metadata"].setdefault("name", target.name) != target.name:
            raise _other_name(target, item)
        live = self._store.find(kind, target.namespace, target.name)
        if live is not None:
            _check_preconditions(target, live, item["metadata"])
        elif uid := item["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(kind, target.name, why)
        if _has_status(kind) and not target.subresource:
            item.pop("status", None)
        merged = managed_fields.apply(kind, live, item, options.manager, options.force, now())
        if live is None and target.subresource:
            raise errors.not_found(kind, target.name)
        if live is None:
            return self._create(kind, merged, options, applied=True), True
        admitted = _within(target, live, merged)
        if not target.subresource:
            admitted = admission.admit(self._store, self._settings, kind, admitted, live)
        return self._store.update(kind, admitted, dry_run=options.dry_run), False

    def _update(self, target: Target, old: Object, given: Object, options: Options) -> Object:
        kind = target.kind
        changed = _within(target, old, given)
        if target.subresource != "status":
            changed = admission.admit(self._store, self._settings, kind, changed, old)
        tracked = managed_fields.track_update(kind, old, changed, options.manager, now(), _tracked_as(target))
        return self._store.update(kind, tracked, dry_run=options.dry_run)

    def _checked(self, target: Target, given: Any, options: Options) -> Object:
        """A copy of the body that is the kind and in the namespace of the path, without what the kind does not have."""
        item = self._of_path(target, given)
        unknown = self._decoded(target.kind, item, options)
        if unknown and options.validation == "Strict":
            raise decoding.refusal(target.kind, f"strict decoding error: {', '.join(unknown)}")
        return field_sets.tidied(item, field_sets.shape_of(target.kind))

    def _of_path(self, target: Target, given: Any) -> Object:
        kind = target.kind
        if not isinstance(given, dict):
            raise errors.bad_request("the object provided is unrecognized (must be of type object)")
        api_version, name = given.get("apiVersion") or kind.api_version, given.get("kind") or kind.kind
        if name != kind.kind:
            version = str(api_version).rpartition("/")[2]
            raise errors.bad_request(
                f'{name} in version "{version}" cannot be handled as a {kind.kind}: converting ({version}.{name}) to '
                f"({kind.group.partition('.')[0] or 'core'}.{kind.kind}): unknown conversion"
            )
        if api_version != kind.api_version:
            raise errors.bad_request(
                f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
            )
        item = copy.deepcopy(given) | {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = item.get("metadata")
        item["metadata"] = metadata if isinstance(metadata, dict) else {}
        if kind.namespaced:
            if (item["metadata"].get("namespace") or target.namespace) != target.namespace:
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            item["metadata"]["namespace"] = target.namespace
        return item

    def _decoded(self, kind: Kind, item: Object, options: Options) -> list[str]:
        """What is unknown in the item, which is dropped; the caller is warned of it if that is asked for."""
        decoding.check_types(kind, item)
        unknown = decoding.unknown_fields(kind, item)
        if options.validation == "Warn":
            options.warnings += unknown
        return unknown


def _other_name(target: Target, item: Object) -> errors.StatusError:
    given = item["metadata"].get("name", "")
    return errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({target.name})")


def _patched(kind: Kind, content_type: str, old: Object, patch: Any) -> Object:
    if content_type == JSON_PATCH:
        return patches.json_patch(old, patch)
    if not isinstance(patch, dict):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}"
        )
    if content_type == MERGE_PATCH:
        return merge(old, patch)
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
    if target.kind is NAMESPACE:
        # Its finalizers have a subresource as well.
        given = {**given, "spec": old.get("spec") or {}}
    if "status" not in target.kind.subresources:
        return given
    rest = {name: value for name, value in given.items() if name != "status"}
    return {**rest, "status": old["status"]} if "status" in old else rest


def _has_status(kind: Kind) -> bool:
    # A kubelet creates its Node with a status.
    return "status" in kind.subresources and kind.kind != "Node"


def _tracked_as(target: Target) -> str:
    return target.subresource if target.subresource in ("status", "scale") else ""
