# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to ARM, as a resource provider sees it, and what it answers."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.access_tokens import Principal
from lab.arm import errors
from lab.cloud import Body, Cloud, key
from lab.scenario import Scenario


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """
    :ivar base: ARM's own URL, for links.
    :ivar path: without its end slash, in the caller's case.
    :ivar names: what the route's placeholders stand for.
    """

    base: str
    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    principal: Principal
    cloud: Cloud
    scenario: Scenario

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def group(self) -> str:
        """The resource group's name as it was given at its creation."""
        given = self.names["group"]
        return str(self.require_group(given)["name"])

    def require_group(self, name: str) -> Body:
        found = self.cloud.find(f"/subscriptions/{self.scenario.subscription_id}/resourceGroups/{name}")
        if found is None:
            raise errors.group_not_found(name)
        return found

    def body(self) -> dict[str, Any]:
        try:
            given = json.loads(self.content or b"null")
        except ValueError as error:
            raise errors.invalid_content(str(error)) from None
        if not isinstance(given, dict):
            raise errors.invalid_content("Unexpected end of content, or not an object.")
        return given

    def page(self, items: Iterable[Body]) -> Answer:
        """One page of a list, by C($top) and C($skiptoken)."""
        listed = list(items)
        start = _position(self.query.get("$skiptoken") or self.query.get("$skipToken"))
        size = min(int(self.query.get("$top") or self.scenario.page_size), self.scenario.page_size)
        shown = listed[start : start + size]
        if start + size >= len(listed):
            return Answer({"value": shown})
        token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        # The filter, too, holds for the next page.
        kept = {name: value for name, value in self.query.items() if name.lower() != "$skiptoken"}
        query = urllib.parse.urlencode({**kept, "$skiptoken": token}, safe="$")
        return Answer({"value": shown, "nextLink": f"{self.base}{self.path}?{query}"})

    def same_id(self, one: str, other: str) -> bool:
        return key(one) == key(other)


def _position(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token or "MA=="))
    except ValueError:
        raise errors.bad_request("The skip token is invalid.") from None
