# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get and list, in the form that the client accepts: objects, a table, or metadata alone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.kubernetes import errors, selectors, tables
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object, Store
from lab.kubernetes.target import Target

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

    @property
    def is_plain(self) -> bool:
        """Whether objects are shown as they are stored."""
        return self._name not in ("Table", "PartialObjectMetadata")

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


@dataclass
class _Page:
    """
    :ivar remaining: how many objects come after it, selected or not; 0 for the last page.
    """

    items: list[Object]
    remaining: int = 0


class Reader:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, target: Target) -> Object:
        return self._store.get(target.kind, target.namespace, target.name)

    def select(self, target: Target, query: Mapping[str, str]) -> list[Object]:
        """The objects of a collection that the selectors choose."""
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        items = self._store.list(target.kind, target.namespace)
        if not labels and not fields:
            return items
        selected = selectors.predicate(target.kind, labels, fields)
        return [item for item in items if selected(item)]

    def list(self, target: Target, query: Mapping[str, str], form: Form) -> Object:
        limit = number(query, "limit")
        revision, after = self._store.revision, None
        if query.get("continue"):
            revision, after = _position(query["continue"])
            if revision < self._store.compacted:
                raise _continue_expired(_token(self._store.revision, after))
        elif (wanted := resource_version(query)) > revision:
            raise _too_large(wanted, revision)
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if not limit and after is None:
            return form.many(self.select(target, query), metadata)
        page = self._page(target, query, after, limit)
        if page.remaining:
            metadata["continue"] = _token(revision, _key(page.items[-1]))
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = page.remaining
        return form.many(page.items, metadata)

    def _page(self, target: Target, query: Mapping[str, str], after: tuple[str, str] | None, limit: int) -> _Page:
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        selected = selectors.predicate(target.kind, labels, fields)
        rest = self._store.iterate(target.kind, target.namespace, after)
        page = _Page([])
        for item in rest:
            if not selected(item):
                continue
            if limit and len(page.items) == limit:
                page.remaining = 1 + sum(1 for _more in rest)
                break
            page.items.append(item)
        return page


def number(query: Mapping[str, str], name: str) -> int:
    """A number from the query, 0 if there is none."""
    text = query.get(name) or "0"
    if not text.isdigit():
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def resource_version(query: Mapping[str, str]) -> int:
    """The resource version that is asked for, 0 for any."""
    text = query.get("resourceVersion") or "0"
    if not text.isdigit():
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.bad_request(f"resourceVersion: {why}")
    return int(text)


def _too_large(wanted: int, revision: int) -> errors.StatusError:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    details = {"causes": causes, "retryAfterSeconds": 1}
    return errors.StatusError(
        504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {revision}", details
    )


def _partial(item: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _continue_expired(fresh: str) -> errors.StatusError:
    error = errors.expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    error.body["metadata"] = {"continue": fresh}
    return error


# Pages


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _token(revision: int, last: tuple[str, str]) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": revision, "after": last}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _position(token: str) -> tuple[int, tuple[str, str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = content["after"]
        return int(content["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError):
        raise errors.bad_request("continue key is not valid") from None
