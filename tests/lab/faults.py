# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: an answer of one's own, a broken connection, a delay, another writer at the worst moment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

SERVICES = ("arm", "entra", "issuer", "keyvault", "kubernetes")
ACTIONS = ("respond", "reset", "delay", "patch")


@dataclass
class Fault:
    """What happens to requests that match, C(times) times or (None) until faults are forgotten, or to every so many of them.

    :ivar path: a regular expression that is searched in the path.
    :ivar action: C(respond) with C(status), C(headers) and C(body) instead of the service; C(reset) the connection; C(delay) the
        service by C(seconds); C(patch), once the service has answered, the ARM resource C(resource) by the JSON merge patch C(patch),
        as if somebody else had written it.
    """

    service: str
    path: str = ""
    method: str = ""
    action: str = "respond"
    times: int | None = 1
    every: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    resource: str = ""
    patch: dict[str, Any] = field(default_factory=dict)
    _matched: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.service not in SERVICES or self.action not in ACTIONS:
            raise ValueError(f"service must be one of {SERVICES} and action one of {ACTIONS}")
        re.compile(self.path)

    def hits(self, service: str, method: str, path: str) -> bool:
        matches = (
            self.service == service
            and self.method in ("", method)
            and self.times != 0
            and re.search(self.path, path) is not None
        )
        self._matched += matches
        return matches and self._matched % self.every == 0


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, given: dict[str, Any]) -> None:
        """
        :raises TypeError, ValueError: for what is not a fault.
        """
        self._faults.append(Fault(**given))

    def forget(self) -> None:
        self._faults.clear()

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The first that this request meets; it is spent by one."""
        for fault in self._faults:
            if fault.hits(service, method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
