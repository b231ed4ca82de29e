# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: what a client sees of the store's events through its selectors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from lab.kubernetes import bodies, errors, selectors
from lab.kubernetes.reads import Form, number, resource_version
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.target import Target

LONGEST_WATCH_S = 3600
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


class Watch:
    """
    :raises StatusError: 400 for a request that cannot be understood, before anything is answered.
    """

    def __init__(
        self, store: Store, target: Target, query: Mapping[str, str], form: Form, bookmark_seconds: float
    ) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._target = target
        self._form = form
        fields = query.get("fieldSelector", "")
        if target.name:
            fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
        self._selected = selectors.predicate(target.kind, query.get("labelSelector", ""), fields)
        self.seconds = number(query, "timeoutSeconds") or LONGEST_WATCH_S
        self._streams_list = query.get("sendInitialEvents") in ("true", "1")
        self._bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        version = resource_version(query)
        self._begins_with_list = not version or self._streams_list
        self._revision = store.revision if self._begins_with_list else version
        self._said_list = False

    def refusal(self) -> errors.StatusError | None:
        """Why it cannot begin; told as the first event unless the server has been told to answer with it."""
        return self._store.refusal(self._target.kind, self._revision)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """As the client reads them, without end; an error is the last one."""
        if self._begins_with_list:
            for item in self._store.list(self._target.kind, self._target.namespace):
                if self._selected(item):
                    yield _line("ADDED", bodies.encoded(self._form.one(item)))
        if self._streams_list:
            yield self._bookmark(_INITIAL_EVENTS_END)
        pause = self._bookmark_seconds if self._bookmarks else LONGEST_WATCH_S
        changes = self._store.watch(self._target.kind, self._revision, pause)
        try:
            async for some in changes:
                # What is not seen has passed as well.
                self._revision = max(self._store.revision, self._revision)
                lines = [line for change in some if (line := self._line(change))]
                if lines:
                    yield b"".join(lines)
                elif not some and self._bookmarks and self._said_list:
                    yield self._bookmark({})
                self._said_list = True
        except errors.StatusError as error:
            yield _line("ERROR", bodies.encoded(error.body))
        finally:
            await changes.aclose()

    def last(self) -> bytes | None:
        """What is said before the watch ends in time."""
        return self._bookmark({}) if self._bookmarks else None

    def _line(self, change: Event) -> bytes:
        """Empty for what the client does not see."""
        seen = self._seen(change)
        if seen is None:
            return b""
        type_, item = seen
        if item is change.object and self._form.is_plain:
            return _line(type_, change.encoded)
        return _line(type_, bodies.encoded(self._form.one(item)))

    def _seen(self, change: Event) -> tuple[str, Object] | None:
        """An object that enters the selection is added for this client, one that leaves it is deleted."""
        if self._target.namespace and change.namespace != self._target.namespace:
            return None
        before = change.old is not None and self._selected(change.old)
        if change.type == "DELETED":
            return (change.type, change.object) if before else None
        after = self._selected(change.object)
        if after:
            return "MODIFIED" if before else "ADDED", change.object
        if before and change.old is not None:
            metadata = {**change.old["metadata"], "resourceVersion": str(change.revision)}
            return "DELETED", {**change.old, "metadata": metadata}
        return None

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        metadata: Object = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = self._target.kind
        body = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return _line("BOOKMARK", bodies.encoded(body))


def _line(type_: str, item: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), item)
