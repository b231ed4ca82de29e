# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get, list and watch, in the form that the client accepts: objects, a table, or metadata alone."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from lab.kubernetes import errors, selectors, tables
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.target import Target

LONGEST_WATCH_S = 3600
_AS = re.compile(r"as=(\w+)")


class Form:
    """How objects are shown.

    :param accept: the header, with C(as=Table) or C(as=PartialObjectMetadata) in it if that is wanted.
    """

    def __init__(self, kind: Kind, accept: str, include_object: str) -> None:
        self._kind = kind
        self._include = include_object or "Metadata"
        wanted = _AS.search(accept)
        self._name = wanted.group(1).removesuffix("List") if wanted else ""

    def one(self, item: Object) -> Object:
        if self._name == "Table":
            return tables.table(self._kind, [item], self._include)
        return _partial(item) if self._name == "PartialObjectMetadata" else item

    def many(self, items: list[Object], metadata: dict[str, Any]) -> Object:
        if self._name == "Table":
            return tables.table(self._kind, items, self._include, metadata)
        if self._name == "PartialObjectMetadata":
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            return {**head, "items": [_partial(item) for item in items]}
        shown = [{name: value for name, value in item.items() if name not in ("apiVersion", "kind")} for item in items]
        return {
            "kind": self._kind.list_kind,
            "apiVersion": self._kind.api_version,
            "metadata": metadata,
            "items": shown,
        }


class Reader:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, target: Target) -> Object:
        return self._store.get(target.kind, target.namespace, target.name)

    def list(self, target: Target, query: Mapping[str, str], form: Form) -> Object:
        selected = selectors.predicate(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        items = [item for item in self._store.list(target.kind, target.namespace) if selected(item)]
        metadata = {"resourceVersion": str(self._store.revision)}
        limit, start = int(query.get("limit") or 0), _position(query.get("continue", ""))
        rest = items[start:]
        if limit and len(rest) > limit:
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps({"start": start + limit}).encode()).decode()
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(rest) - limit  # type: ignore[assignment]
            rest = rest[:limit]
        return form.many(rest, metadata)

    async def watch(self, target: Target, query: Mapping[str, str], form: Form) -> AsyncIterator[Object]:
        """Events as the client reads them, until C(timeoutSeconds) are over."""
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        if target.name:
            fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
        selected = selectors.predicate(labels, fields)
        since, first = self._beginning(target, query)
        for item in first:
            if selected(item):
                yield {"type": "ADDED", "object": form.one(item)}
        if query.get("sendInitialEvents") == "true":
            yield _bookmark(target.kind, since)
        events = self._store.watch(target.kind, since)
        try:
            async with asyncio.timeout(int(query.get("timeoutSeconds") or LONGEST_WATCH_S)):
                async for event in events:
                    seen = _seen(event, target.namespace, selected)
                    if seen:
                        yield {"type": seen, "object": form.one(event.object)}
        except TimeoutError:
            return
        except errors.StatusError as error:
            yield {"type": "ERROR", "object": error.body}
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    def _beginning(self, target: Target, query: Mapping[str, str]) -> tuple[int, list[Object]]:
        version = query.get("resourceVersion", "")
        if version in ("", "0") or query.get("sendInitialEvents") == "true":
            return self._store.revision, self._store.list(target.kind, target.namespace)
        if not version.isdigit():
            raise errors.bad_request(f'Invalid resource version "{version}"')
        return int(version), []


def _seen(event: Event, namespace: str, selected: selectors.Predicate) -> str:
    """What a watcher with this selector sees of a change; empty for nothing."""
    if namespace and event.namespace != namespace:
        return ""
    if event.type != "MODIFIED" or event.old is None:
        return event.type if selected(event.object) else ""
    before, after = selected(event.old), selected(event.object)
    if after:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""


def _bookmark(kind: Kind, revision: int) -> Object:
    annotations = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": str(revision), "creationTimestamp": None, "annotations": annotations}
    return {"type": "BOOKMARK", "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}}


def _partial(item: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (ValueError, KeyError, TypeError):
        raise errors.bad_request("continue key is not valid") from None
