# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers look objects up by, kept from the store's events so that nobody lists everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab.kubernetes.pods import is_active, is_ready
from lab.kubernetes.registry import POD, REPLICA_SET, Kind
from lab.kubernetes.store import Event, Object, Store


class Reference(NamedTuple):
    kind: Kind
    namespace: str
    name: str

    @classmethod
    def to(cls, kind: Kind, item: Object) -> Reference:
        return cls(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])


def controller_of(item: Object) -> Object | None:
    """The owner reference of the controller, if it has one."""
    owners = item["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


@dataclass
class PodCounts:
    """The active pods of a controller.

    :ivar labels: how many have these labels, which are mostly the same for all.
    """

    active: int = 0
    ready: int = 0
    labels: Counter[frozenset[tuple[str, str]]] = field(default_factory=Counter)

    def labelled(self, wanted: dict[str, str]) -> int:
        return sum(count for labels, count in self.labels.items() if wanted.items() <= labels)


class Index:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_owner: dict[str, dict[Reference, None]] = defaultdict(dict)
        self._by_namespace: dict[str, dict[Reference, None]] = defaultdict(dict)
        self._by_node: dict[str, dict[Reference, None]] = defaultdict(dict)
        self._by_name: dict[str, dict[Reference, None]] = defaultdict(dict)
        # Pods and ReplicaSets of each namespace that no controller has yet.
        self._orphans: dict[str, dict[Reference, None]] = defaultdict(dict)
        self._by_uid: dict[str, Reference] = {}
        self._counts: dict[str, PodCounts] = defaultdict(PodCounts)
        for kind, item in store.everything():
            self._add(Reference.to(kind, item), item)
            if kind is POD:
                self._count(item, 1)
        store.listen(self._follow)

    def exists(self, uid: str) -> bool:
        return uid in self._by_uid

    def find(self, uid: str) -> Reference | None:
        return self._by_uid.get(uid)

    def owned(self, uid: str) -> list[Reference]:
        return list(self._by_owner.get(uid, ()))

    def owned_objects(self, kind: Kind, uid: str) -> list[Object]:
        return self._objects(each for each in self._by_owner.get(uid, ()) if each.kind is kind)

    def in_namespace(self, namespace: str) -> list[Reference]:
        return list(self._by_namespace.get(namespace, ()))

    def on_node(self, name: str) -> list[Object]:
        return self._objects(self._by_node.get(name, ()))

    def pods_on_node(self, name: str) -> int:
        return len(self._by_node.get(name, ()))

    def named(self, name: str) -> list[Object]:
        """Pods of this name, in whatever namespace."""
        return self._objects(self._by_name.get(name, ()))

    def counts(self, uid: str) -> PodCounts:
        """Of the pods that a controller owns."""
        return self._counts[uid] if uid in self._counts else PodCounts()

    def orphans(self, kind: Kind, namespace: str) -> list[Object]:
        return self._objects(each for each in self._orphans.get(namespace, ()) if each.kind is kind)

    def _objects(self, references: Iterable[Reference]) -> list[Object]:
        found = [self._store.find(*reference) for reference in references]
        return [item for item in found if item is not None]

    def _follow(self, event: Event) -> None:
        if event.kind is POD:
            if event.old is not None:
                self._count(event.old, -1)
            if event.type != "DELETED":
                self._count(event.object, 1)
        reference = Reference.to(event.kind, event.object)
        if event.type == "DELETED":
            self._discard(reference, event.old or event.object)
        elif event.type == "ADDED":
            self._add(reference, event.object)
        elif _place(event.object) != _place(event.old or {}):
            self._discard(reference, event.old or event.object)
            self._add(reference, event.object)

    def _count(self, pod: Object, sign: int) -> None:
        owner = controller_of(pod)
        if owner is None or not is_active(pod):
            return
        counts = self._counts[owner["uid"]]
        counts.active += sign
        counts.ready += sign * is_ready(pod)
        labels = frozenset((pod["metadata"].get("labels") or {}).items())
        counts.labels[labels] += sign
        if not counts.labels[labels]:
            del counts.labels[labels]
        if not counts.active:
            del self._counts[owner["uid"]]

    def _groups(self, reference: Reference, item: Object) -> list[tuple[dict[str, dict[Reference, None]], str]]:
        groups = [(self._by_owner, owner["uid"]) for owner in item["metadata"].get("ownerReferences") or []]
        if reference.namespace:
            groups.append((self._by_namespace, reference.namespace))
        if reference.kind is POD:
            groups.append((self._by_name, reference.name))
        if reference.kind is POD and _node(item):
            groups.append((self._by_node, _node(item)))
        if reference.kind in (POD, REPLICA_SET) and controller_of(item) is None:
            groups.append((self._orphans, reference.namespace))
        return groups

    def _add(self, reference: Reference, item: Object) -> None:
        self._by_uid[item["metadata"]["uid"]] = reference
        for group, key in self._groups(reference, item):
            group[key][reference] = None

    def _discard(self, reference: Reference, item: Object) -> None:
        self._by_uid.pop(item["metadata"]["uid"], None)
        for group, key in self._groups(reference, item):
            group[key].pop(reference, None)
            if not group[key]:
                del group[key]


def _node(item: Object) -> str:
    """Where a pod takes room: one that is over takes none."""
    over = (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return "" if over else (item.get("spec") or {}).get("nodeName") or ""


def _place(item: Object) -> tuple[Any, str]:
    return (item.get("metadata") or {}).get("ownerReferences"), _node(item)
