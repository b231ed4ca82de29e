# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion as the API does it: at once, or by a mark that finalizers and kubelets see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kubernetes import errors
from lab.kubernetes.garbage import DEFAULT_GRACE_SECONDS, FOREGROUND, ORPHAN
from lab.kubernetes.namespaces import SYSTEM
from lab.kubernetes.registry import NAMESPACE, POD, Kind
from lab.kubernetes.store import Object, Store
from lab.kubernetes.target import Target

# Those whose deletion is answered with the object itself.
_RETURNED = ("PersistentVolume", "PersistentVolumeClaim", "Pod", "ResourceQuota", "Service", "ServiceAccount")
_FINALIZERS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}
_POLICIES = ("Background", *_FINALIZERS)
# One that is never deleted: objects in it hold the cluster together.
_KEPT_NAMESPACES = frozenset(SYSTEM) - {"kube-node-lease"}


class Deleter:
    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, target: Target, options: Mapping[str, Any], *, dry_run: bool) -> Object:
        """
        :param options: a DeleteOptions object.
        :returns: the object if it is still there, else a Status or what has been the object.
        """
        kind, key = target.kind, (target.kind, target.namespace, target.name)
        old = self._store.get(*key)
        _check(kind, old, options)
        if dry_run:
            return _answer(kind, old)
        self._mark(kind, old, options)
        last = self._store.delete(*key, _grace_seconds(kind, old, options))
        return self._store.find(*key) or _answer(kind, last)

    def _mark(self, kind: Kind, old: Object, options: Mapping[str, Any]) -> None:
        metadata = old["metadata"]
        if "deletionTimestamp" in metadata:
            return
        finalizer = _finalizer(options)
        with self._store.changing(kind, metadata.get("namespace", ""), metadata["name"]) as changed:
            if finalizer:
                others = [each for each in metadata.get("finalizers") or [] if each not in _FINALIZERS.values()]
                changed["metadata"]["finalizers"] = [*others, finalizer]
            if kind is NAMESPACE:
                changed["status"] = {**(changed.get("status") or {}), "phase": "Terminating"}


def _check(kind: Kind, old: Object, options: Mapping[str, Any]) -> None:
    metadata, wanted = old["metadata"], options.get("preconditions") or {}
    for field, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != metadata[field]:
            why = f"Precondition failed: {name} in precondition: {wanted[field]}, {name} in object meta: {metadata[field]}"
            raise errors.conflict(kind, metadata["name"], why)
    policy = options.get("propagationPolicy")
    if policy and policy not in _POLICIES:
        supported = '"Foreground", "Background", "Orphan", "nil"'
        raise errors.StatusError(
            422,
            "Invalid",
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{policy}": supported values: {supported}',
        )
    if kind is NAMESPACE and metadata["name"] in _KEPT_NAMESPACES:
        raise errors.forbidden(kind, metadata["name"], "this namespace may not be deleted")


def _finalizer(options: Mapping[str, Any]) -> str:
    orphan = options.get("orphanDependents") in (True, "true", "1")
    return _FINALIZERS.get(options.get("propagationPolicy") or ("Orphan" if orphan else ""), "")


def _grace_seconds(kind: Kind, old: Object, options: Mapping[str, Any]) -> int:
    spec, phase = old.get("spec") or {}, (old.get("status") or {}).get("phase")
    if kind is not POD or not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    given = options.get("gracePeriodSeconds")
    return int(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS) if given is None else given)


def _answer(kind: Kind, last: Object) -> Object:
    if kind.kind in _RETURNED:
        return last
    group = {"group": kind.group} if kind.group else {}
    metadata = last["metadata"]
    details = {"name": metadata["name"], **group, "kind": kind.plural, "uid": metadata["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
