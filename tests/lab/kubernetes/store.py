# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What etcd and the generic registry do: objects, resource versions, watches, deletion with finalizers.

Everything runs in one event loop, so a call is a transaction. Objects that are handed out are the stored ones: nobody
changes them, a writer makes a copy.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.kubernetes import errors
from lab.kubernetes.registry import Kind

Object = dict[str, Any]

# How many events a watch may be behind before it is told 410 Expired.
HISTORY = 20_000


@dataclass(frozen=True)
class Event:
    """
    :ivar type: C(ADDED), C(MODIFIED) or C(DELETED).
    :ivar old: the object before, for label selectors that it enters or leaves.
    """

    type: str
    kind: Kind
    object: Object
    old: Object | None
    revision: int

    @property
    def namespace(self) -> str:
        return str(self.object["metadata"].get("namespace", ""))


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    def __init__(self) -> None:
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {}
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._watchers: set[asyncio.Queue[Event]] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self.revision = 1000

    # Reading

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get(kind, {}).get((namespace, name))

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.find(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind, name)
        return found

    def list(self, kind: Kind, namespace: str = "") -> list[Object]:
        """In the order of namespace and name; all namespaces unless one is given."""
        stored = self._objects.get(kind, {})
        return [stored[key] for key in sorted(stored) if not namespace or key[0] == namespace]

    def everything(self) -> Iterable[tuple[Kind, Object]]:
        for kind, stored in self._objects.items():
            for item in list(stored.values()):
                yield kind, item

    # Writing

    def create(self, kind: Kind, given: Object, *, dry_run: bool = False) -> Object:
        """Store a new object with a uid and so on; `given` is not changed. A dry run stores nothing."""
        created = copy.deepcopy(given)
        metadata = created.setdefault("metadata", {})
        if self.find(kind, metadata.get("namespace", ""), metadata["name"]):
            raise errors.already_exists(kind, metadata["name"])
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        if "spec" in created and kind.kind not in ("Namespace", "Node", "Service"):
            metadata["generation"] = 1
        return created if dry_run else self._put("ADDED", kind, created, None)

    def update(self, kind: Kind, changed: Object, *, dry_run: bool = False) -> Object:
        """Replace an object, unless that changes nothing. The last finalizer taken away from a deleted object removes it."""
        metadata = changed["metadata"]
        old = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        fresh = copy.deepcopy(changed)
        kept = (
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "generation",
        )
        for field in kept:
            fresh["metadata"].pop(field, None)
            if field in old["metadata"]:
                fresh["metadata"][field] = old["metadata"][field]
        if fresh == old:
            return old
        if "generation" in old["metadata"] and fresh.get("spec") != old.get("spec"):
            fresh["metadata"]["generation"] += 1
        if dry_run:
            return fresh
        if "deletionTimestamp" in fresh["metadata"] and not _holds(fresh) and not _grace_left(fresh):
            return self._remove(kind, fresh, old)
        return self._put("MODIFIED", kind, fresh, old)

    @contextmanager
    def changing(self, kind: Kind, namespace: str, name: str) -> Iterator[Object]:
        """A copy to change, written back at the end unless the object is gone by then. For controllers.

        :raises StatusError: 404 when there is no such object.
        """
        working = copy.deepcopy(self.get(kind, namespace, name))
        yield working
        if self.find(kind, namespace, name) is not None:
            self.update(kind, working)

    def changing_if_any(self, kind: Kind, namespace: str, name: str) -> AbstractContextManager[Object | None]:
        """The same for an object that may be gone: nothing to change then."""
        return nullcontext() if self.find(kind, namespace, name) is None else self.changing(kind, namespace, name)

    def delete(self, kind: Kind, namespace: str, name: str, grace_seconds: int = 0) -> Object:
        """Delete, or mark as deleted while a finalizer or (for pods on a node) a grace period holds it."""
        old = self.get(kind, namespace, name)
        if not _holds(old) and not grace_seconds:
            return self._remove(kind, old, old)
        marked = copy.deepcopy(old)
        if "deletionTimestamp" in old["metadata"]:
            # A second deletion can only shorten the grace period.
            if _grace_left(old) <= grace_seconds:
                return old
        else:
            marked["metadata"]["deletionTimestamp"] = now()
        marked["metadata"]["deletionGracePeriodSeconds"] = grace_seconds
        return self._put("MODIFIED", kind, marked, old)

    def _put(self, event: str, kind: Kind, item: Object, old: Object | None) -> Object:
        self.revision += 1
        item["metadata"]["resourceVersion"] = str(self.revision)
        self._objects.setdefault(kind, {})[(item["metadata"].get("namespace", ""), item["metadata"]["name"])] = item
        self._tell(Event(event, kind, item, old, self.revision))
        return item

    def _remove(self, kind: Kind, item: Object, old: Object) -> Object:
        self.revision += 1
        metadata = item["metadata"]
        del self._objects[kind][(metadata.get("namespace", ""), metadata["name"])]
        last = {**item, "metadata": {**metadata, "resourceVersion": str(self.revision)}}
        self._tell(Event("DELETED", kind, last, old, self.revision))
        return last

    # Telling

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call this for every change, at once; it must not write."""
        self._listeners.append(listener)

    def _tell(self, event: Event) -> None:
        self._history.append(event)
        for listener in self._listeners:
            listener(event)
        for queue in self._watchers:
            queue.put_nowait(event)

    async def watch(self, kind: Kind, since: int) -> AsyncGenerator[Event, None]:
        """The changes to objects of a kind after a revision, without end.

        :raises StatusError: 410 when the revision is too old.
        """
        oldest = self._history[0].revision if self._history else self.revision + 1
        if since + 1 < oldest and since < self.revision and (len(self._history) == HISTORY or since < 1000):
            raise errors.expired(f"too old resource version: {since} ({oldest})")
        queue: asyncio.Queue[Event] = asyncio.Queue()
        for event in self._history:
            if event.revision > since:
                queue.put_nowait(event)
        self._watchers.add(queue)
        try:
            while True:
                event = await queue.get()
                if event.kind is kind:
                    yield event
        finally:
            self._watchers.discard(queue)


def _grace_left(item: Object) -> int:
    return int(item["metadata"].get("deletionGracePeriodSeconds") or 0)


def _holds(item: Object) -> bool:
    # A namespace has finalizers in its spec as well.
    return bool(item["metadata"].get("finalizers") or (item.get("spec") or {}).get("finalizers"))
