# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The garbage collector: what was owned goes with its owner."""

from __future__ import annotations

from lab.kubernetes.index import Index, Reference
from lab.kubernetes.registry import POD
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
DEFAULT_GRACE_SECONDS = 30


def delete(store: Store, reference: Reference) -> None:
    """As the API does without options: a pod on a node has its grace period."""
    item = store.find(*reference)
    if item is not None and "deletionTimestamp" not in item["metadata"]:
        store.delete(*reference, _grace_seconds(reference, item))


def _grace_seconds(reference: Reference, item: Object) -> int:
    spec = item.get("spec") or {}
    if reference.kind is not POD or not spec.get("nodeName"):
        return 0
    if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return int(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS))


class GarbageCollector:
    def __init__(self, store: Store, index: Index) -> None:
        self._store = store
        self._index = index
        self.queue = WorkQueue(self._reconcile)

    def follow(self, event: Event) -> None:
        metadata = event.object["metadata"]
        if event.type == "DELETED":
            for dependent in self._index.owned(metadata["uid"]):
                self.queue.add(dependent)
            for owner in metadata.get("ownerReferences") or []:
                self._add_owner(owner)
        elif (event.type == "ADDED" and metadata.get("ownerReferences")) or _policy(event.object):
            self.queue.add(Reference.to(event.kind, event.object))

    def _add_owner(self, owner: Object) -> None:
        reference = self._index.find(owner["uid"])
        if reference is not None and _policy(self._store.find(*reference) or {}):
            self.queue.add(reference)

    def _reconcile(self, reference: Reference) -> None:
        item = self._store.find(*reference)
        if item is None:
            return
        policy = _policy(item)
        if policy == ORPHAN:
            self._release_dependents(item)
            self._take_finalizer(reference, ORPHAN)
        elif policy == FOREGROUND:
            self._delete_dependents_first(reference, item)
        else:
            self._follow_owners(reference, item)

    def _release_dependents(self, owner: Object) -> None:
        for dependent in self._index.owned(owner["metadata"]["uid"]):
            self._drop_owners(dependent, {owner["metadata"]["uid"]})

    def _delete_dependents_first(self, reference: Reference, owner: Object) -> None:
        for dependent in self._index.owned(owner["metadata"]["uid"]):
            self._wait_for_dependents(dependent)
            delete(self._store, dependent)
        if not self._index.owned(owner["metadata"]["uid"]):
            self._take_finalizer(reference, FOREGROUND)

    def _wait_for_dependents(self, reference: Reference) -> None:
        item = self._store.find(*reference)
        if item is None or "deletionTimestamp" in item["metadata"] or not self._index.owned(item["metadata"]["uid"]):
            return
        with self._store.changing(*reference) as working:
            working["metadata"]["finalizers"] = [*(working["metadata"].get("finalizers") or []), FOREGROUND]

    def _follow_owners(self, reference: Reference, item: Object) -> None:
        owners = item["metadata"].get("ownerReferences") or []
        gone = {owner["uid"] for owner in owners if not self._index.exists(owner["uid"])}
        if not gone:
            return
        if len(gone) == len({owner["uid"] for owner in owners}):
            delete(self._store, reference)
        else:
            self._drop_owners(reference, gone)

    def _drop_owners(self, reference: Reference, uids: set[str]) -> None:
        with self._store.changing_if_any(*reference) as item:
            if item is not None:
                kept = [each for each in item["metadata"].get("ownerReferences") or [] if each["uid"] not in uids]
                item["metadata"]["ownerReferences"] = kept
                if not kept:
                    del item["metadata"]["ownerReferences"]

    def _take_finalizer(self, reference: Reference, finalizer: str) -> None:
        with self._store.changing_if_any(*reference) as item:
            if item is not None:
                kept = [each for each in item["metadata"]["finalizers"] if each != finalizer]
                item["metadata"]["finalizers"] = kept


def _policy(item: Object) -> str:
    metadata = item.get("metadata") or {}
    if "deletionTimestamp" not in metadata:
        return ""
    return next((each for each in metadata.get("finalizers") or [] if each in (ORPHAN, FOREGROUND)), "")
