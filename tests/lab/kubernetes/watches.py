# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: what a client sees of the store's events through its selectors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from lab.kubernetes import errors, selectors
from lab.kubernetes.reads import Form, number, resource_version
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.target import Target

LONGEST_WATCH_S = 3600
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


class Watch:
    """
    :raises StatusError: 400 for a request that cannot be understood, before anything is answered.
    """

    def __init__(self, store: Store, target: Target, query: Mapping[str, str], form: Form) -> None:
        self._store = store
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

    async def events(self) -> AsyncGenerator[Object, None]:
        """As the client reads them, without end; an error is the last one."""
        if self._begins_with_list:
            for item in self._store.list(self._target.kind, self._target.namespace):
                if self._selected(item):
                    yield {"type": "ADDED", "object": self._form.one(item)}
        if self._streams_list:
            yield self._bookmark(_INITIAL_EVENTS_END)
        changes = self._store.watch(self._target.kind, self._revision)
        try:
            async for change in changes:
                self._revision = change.revision
                seen = self._seen(change)
                if seen is not None:
                    yield {"type": seen[0], "object": self._form.one(seen[1])}
        except errors.StatusError as error:
            yield {"type": "ERROR", "object": error.body}
        finally:
            await changes.aclose()

    def last(self) -> Object | None:
        """What is said before the watch ends in time."""
        return self._bookmark({}) if self._bookmarks else None

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

    def _bookmark(self, annotations: dict[str, str]) -> Object:
        metadata: Object = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = self._target.kind
        return {"type": "BOOKMARK", "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}}
