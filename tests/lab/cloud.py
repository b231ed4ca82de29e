# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of the subscription, kept by id without regard to case, and what other services have heard of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass
class Record:
    """
    :ivar before: what was stored before the last write; None for a new resource.
    :ivar written: when it was last written (monotonic clock).
    """

    body: Body
    before: Body | None
    written: float
    created: float


@dataclass
class Cloud:
    """
    :ivar busy: keys of resources that a write is holding.
    """

    busy: set[str] = field(default_factory=set)
    _records: dict[str, Record] = field(default_factory=dict)

    def find(self, resource_id: str) -> Body | None:
        record = self._records.get(key(resource_id))
        return record.body if record else None

    def put(self, resource_id: str, body: Body) -> Body:
        old = self._records.get(key(resource_id))
        now = time.monotonic()
        self._records[key(resource_id)] = Record(body, old.body if old else None, now, old.created if old else now)
        return body

    def amend(self, resource_id: str, body: Body) -> Body:
        """Replace a body without its being a write that others have yet to hear of."""
        self._records[key(resource_id)].body = body
        return body

    def delete(self, resource_id: str) -> bool:
        """Remove a resource and its children; False if there is none."""
        start = key(resource_id)
        gone = [each for each in self._records if each == start or each.startswith(f"{start}/")]
        for each in gone:
            del self._records[each]
        return bool(gone)

    def below(self, collection: str) -> Iterator[Body]:
        """The direct members of a collection, C(<parent>/<type>), by name."""
        start = f"{key(collection)}/"
        for each in sorted(self._records):
            if each.startswith(start) and "/" not in each[len(start) :]:
                yield self._records[each].body

    def of_type(self, resource_type: str, within: str = "") -> Iterator[Body]:
        """Every resource of a type below an id, by id."""
        for each in sorted(self._records):
            body = self._records[each].body
            if each.startswith(key(within)) and str(body.get("type", "")).lower() == resource_type.lower():
                yield body

    def heard_of(self, resource_id: str, delay: float) -> Body | None:
        """What a service knows that hears of a write only after a delay."""
        record = self._records[key(resource_id)]
        return record.body if time.monotonic() - record.written >= delay else record.before

    def age(self, resource_id: str) -> float:
        return time.monotonic() - self._records[key(resource_id)].created

    def inspect(self) -> dict[str, Body]:
        return {str(record.body.get("id", each)): record.body for each, record in sorted(self._records.items())}


def key(resource_id: str) -> str:
    return resource_id.rstrip("/").lower()
