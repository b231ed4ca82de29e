# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change is a value: check mode shows it, diff mode prints it, a real run applies it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# What a predicted state says of values that only the service can give (client id, issuer URL of a new issuer).
UNKNOWN = "(known after apply)"

State = Mapping[str, Any]


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """One write to one resource.

    :ivar resource_id: ARM id, or for Kubernetes C(<kind> <namespace>/<name>).
    :ivar before: the state as read; None when the resource does not exist.
    :ivar after: the state wished for; None when the resource is to go.
    """

    action: Action
    resource_id: str
    before: State | None
    after: State | None

    @classmethod
    def create(cls, resource_id: str, after: State) -> Change:
        return cls(Action.CREATE, resource_id, None, after)

    @classmethod
    def update(cls, resource_id: str, before: State, after: State) -> Change:
        return cls(Action.UPDATE, resource_id, before, after)

    @classmethod
    def delete(cls, resource_id: str, before: State) -> Change:
        return cls(Action.DELETE, resource_id, before, None)

    def as_diff(self) -> dict[str, Any]:
        """In the form of Ansible's diff mode."""
        return {
            "before_header": f"{self.resource_id} ({self.action})",
            "after_header": f"{self.resource_id} ({self.action})",
            "before": dict(self.before) if self.before else {},
            "after": dict(self.after) if self.after else {},
        }


class States(MutableMapping[str, State]):
    """Resource id -> state, ids compared as ARM does, without regard to case."""

    def __init__(self, items: Mapping[str, State] | None = None) -> None:
        self._states: dict[str, State] = {}
        self.update(items or {})

    def __getitem__(self, resource_id: str) -> State:
        return self._states[resource_id.lower()]

    def __setitem__(self, resource_id: str, state: State) -> None:
        self._states[resource_id.lower()] = state

    def __delitem__(self, resource_id: str) -> None:
        del self._states[resource_id.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)
