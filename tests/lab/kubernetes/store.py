# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What etcd and the generic registry do: objects, resource versions, watches, deletion with finalizers.

Everything runs in one event loop, so a call is a transaction. Objects that are handed out are the stored ones: nobody
changes them, a writer makes a copy.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lab.kubernetes import errors
from lab.kubernetes.copies import copied, sharing
from lab.kubernetes.registry import Kind

Object = dict[str, Any]

# How many changes to objects of its kind a watch may be behind before it is told 410 Expired.
HISTORY = 10_000
FIRST_REVISION = 1000


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

    @cached_property
    def encoded(self) -> bytes:
        """The object in JSON, made once for all watches."""
        return json.dumps(self.object, separators=(",", ":"), ensure_ascii=False).encode()


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Collection:
    """The objects of a kind, and what has happened to them.

    :ivar keys: of the objects, in order.
    :ivar floor: the revision from which on the history is complete.
    :ivar watchers: queues of the watches; None in one ends its watch.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.keys: list[tuple[str, str]] = []
        self.history: deque[Event] = deque()
        self.floor = 0
        self.watchers: set[asyncio.Queue[Event | None]] = set()


class Store:
    """
    :ivar compacted: lists that began before this revision cannot be continued.
    """

    def __init__(self) -> None:
        self._collections: dict[Kind, _Collection] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self.revision = FIRST_REVISION
        self.compacted = 0

    def _of(self, kind: Kind) -> _Collection:
        found = self._collections.get(kind)
        if found is None:
            found = self._collections[kind] = _Collection()
        return found

    # Reading

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._of(kind).objects.get((namespace, name))

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.find(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind, name)
        return found

    def list(self, kind: Kind, namespace: str = "") -> list[Object]:
        """In the order of namespace and name; all namespaces unless one is given."""
        return list(self.iterate(kind, namespace))

    def iterate(self, kind: Kind, namespace: str = "", after: tuple[str, str] | None = None) -> Iterator[Object]:
        """The same one by one, for callers that do not write meanwhile.

        :param after: namespace and name of the last object that is not wanted.
        """
        collection = self._of(kind)
        keys = collection.keys
        start = max(bisect_left(keys, (namespace, "")) if namespace else 0, bisect_right(keys, after) if after else 0)
        for index in range(start, len(keys)):
            if namespace and keys[index][0] != namespace:
                return
            yield collection.objects[keys[index]]

    def count(self, kind: Kind) -> int:
        return len(self._of(kind).keys)

    def everything(self) -> Iterable[tuple[Kind, Object]]:
        for kind, collection in list(self._collections.items()):
            for item in list(collection.objects.values()):
                yield kind, item

    # Writing

    def create(self, kind: Kind, given: Object, *, dry_run: bool = False, owned: bool = False) -> Object:
        """Store a new object with a uid and so on. A dry run stores nothing.

        :param owned: whether nobody else holds C(given), so that it need not be copied.
        """
        created: Object = given if owned else copied(given)
        metadata = created.setdefault("metadata", {})
        if self.find(kind, metadata.get("namespace", ""), metadata["name"]):
            raise errors.already_exists(kind, metadata["name"])
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        if "spec" in created and kind.kind not in ("Namespace", "Node", "Service"):
            metadata["generation"] = 1
        return created if dry_run else self._put("ADDED", kind, created, None)

    def update(self, kind: Kind, changed: Object, *, dry_run: bool = False, owned: bool = False) -> Object:
        """Replace an object, unless that changes nothing. The last finalizer taken away from a deleted object removes it.

        :param owned: whether what C(changed) holds is either nobody else's, or of the stored object.
        """
        metadata = changed["metadata"]
        old = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        fresh: Object = dict(changed) if owned else copied(changed)
        fresh["metadata"] = dict(fresh["metadata"])
        for field in _KEPT:
            fresh["metadata"].pop(field, None)
            if field in old["metadata"]:
                fresh["metadata"][field] = old["metadata"][field]
        if fresh == old:
            return old
        if "generation" in old["metadata"] and fresh.get("spec") != old.get("spec"):
            fresh["metadata"]["generation"] += 1
        if dry_run:
            return fresh
        fresh = sharing(fresh, old)
        if "deletionTimestamp" in fresh["metadata"] and not _holds(fresh) and not _grace_left(fresh):
            return self._remove(kind, fresh, old)
        return self._put("MODIFIED", kind, fresh, old)

    @contextmanager
    def changing(self, kind: Kind, namespace: str, name: str) -> Iterator[Object]:
        """A copy to change, written back at the end unless the object is gone by then. For controllers.

        :raises StatusError: 404 when there is no such object.
        """
        working = copied(self.get(kind, namespace, name))
        yield working
        if self.find(kind, namespace, name) is not None:
            self.update(kind, working, owned=True)

    def changing_if_any(self, kind: Kind, namespace: str, name: str) -> AbstractContextManager[Object | None]:
        """The same for an object that may be gone: nothing to change then."""
        return nullcontext() if self.find(kind, namespace, name) is None else self.changing(kind, namespace, name)

    def set_status(self, kind: Kind, item: Object, status: Object) -> Object:
        """Replace the status of a stored object, whose other parts need no copy."""
        return self.update(kind, {**item, "status": status}, owned=True)

    def delete(self, kind: Kind, namespace: str, name: str, grace_seconds: int = 0) -> Object:
        """Delete, or mark as deleted while a finalizer or (for pods on a node) a grace period holds it."""
        old = self.get(kind, namespace, name)
        if not _holds(old) and not grace_seconds:
            return self._remove(kind, old, old)
        marked = {**old, "metadata": dict(old["metadata"])}
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
        metadata = item["metadata"]
        if old is not None and metadata is old["metadata"]:
            metadata = item["metadata"] = dict(metadata)
        metadata["resourceVersion"] = str(self.revision)
        collection, key = self._of(kind), (metadata.get("namespace", ""), metadata["name"])
        if key not in collection.objects:
            insort(collection.keys, key)
        collection.objects[key] = item
        self._tell(Event(event, kind, item, old, self.revision))
        return item

    def _remove(self, kind: Kind, item: Object, old: Object) -> Object:
        self.revision += 1
        metadata = item["metadata"]
        collection, key = self._of(kind), (metadata.get("namespace", ""), metadata["name"])
        del collection.objects[key]
        del collection.keys[bisect_left(collection.keys, key)]
        last = {**item, "metadata": {**metadata, "resourceVersion": str(self.revision)}}
        self._tell(Event("DELETED", kind, last, old, self.revision))
        return last

    # Telling

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call this for every change, at once; it must not write."""
        self._listeners.append(listener)

    def _tell(self, event: Event) -> None:
        collection = self._of(event.kind)
        collection.history.append(event)
        if len(collection.history) > HISTORY:
            collection.floor = collection.history.popleft().revision
        for listener in self._listeners:
            listener(event)
        for queue in collection.watchers:
            queue.put_nowait(event)

    def compact(self) -> None:
        """Forget what has happened so far: watches and lists that began before cannot go on from there."""
        self.compacted = self.revision
        for collection in self._collections.values():
            collection.history.clear()
            collection.floor = self.revision

    def expire_watches(self) -> None:
        """Tell all watches under way that they have fallen too far behind."""
        for collection in self._collections.values():
            for queue in collection.watchers:
                queue.put_nowait(None)

    @property
    def watches(self) -> int:
        """How many are under way."""
        return sum(len(collection.watchers) for collection in self._collections.values())

    def refusal(self, kind: Kind, since: int) -> errors.StatusError | None:
        """410 for a watch whose revision is too old."""
        floor = max(self._of(kind).floor, FIRST_REVISION)
        if since >= floor:
            return None
        return errors.expired(f"too old resource version: {since} ({floor})")

    async def watch(self, kind: Kind, since: int, pause: float) -> AsyncGenerator[Sequence[Event], None]:
        """The changes to objects of a kind after a revision, without end, as many at a time as there are.

        :param pause: after so many seconds without a change, an empty list comes.
        :raises StatusError: 410 when the revision is too old.
        """
        if refusal := self.refusal(kind, since):
            raise refusal
        collection = self._of(kind)
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        collection.watchers.add(queue)
        try:
            yield [event for event in collection.history if event.revision > since]
            while True:
                try:
                    first = await asyncio.wait_for(queue.get(), pause)
                except TimeoutError:
                    yield []
                    continue
                events = [first, *(queue.get_nowait() for _number in range(queue.qsize()))]
                yield [event for event in events if event is not None]
                if None in events:
                    raise errors.expired("The resourceVersion for the provided watch is too old.")
        finally:
            collection.watchers.discard(queue)


# What a client cannot change.
_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "generation",
)


def _grace_left(item: Object) -> int:
    return int(item["metadata"].get("deletionGracePeriodSeconds") or 0)


def _holds(item: Object) -> bool:
    # A namespace has finalizers in its spec as well.
    return bool(item["metadata"].get("finalizers") or (item.get("spec") or {}).get("finalizers"))
