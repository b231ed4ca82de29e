# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there shall be and what there is, and the changes from one to the other; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

OWNER = "owner"
RESOURCE = "resource"
MANAGED_TYPES = ("A", "CNAME")


@dataclass(frozen=True)
class Endpoint:
    """
    :ivar ttl: 0 where none was asked for.
    :ivar labels: what the registry knows of it.
    """

    name: str
    type: str
    targets: tuple[str, ...]
    ttl: int = 0
    labels: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.ttl} IN {self.type}  {';'.join(self.targets)} []"


@dataclass
class Changes:
    create: list[Endpoint] = field(default_factory=list)
    update: list[Endpoint] = field(default_factory=list)
    delete: list[Endpoint] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.create or self.update or self.delete)


def calculate(desired: Sequence[Endpoint], current: Sequence[Endpoint], owner: str, policy: str) -> Changes:
    """Records of other owners, and of none, are left alone."""
    there = {(each.name, each.type): each for each in current if each.type in MANAGED_TYPES}
    wanted = {(each.name, each.type): each for each in _merged(desired)}
    changes = Changes()
    for key, wish in wanted.items():
        found = there.get(key)
        if found is None:
            # A name that another owner has with another type is taken as well.
            if not any(name == wish.name for name, _type in there):
                changes.create.append(wish)
        elif found.labels.get(OWNER) == owner and _differs(wish, found):
            changes.update.append(replace(wish, labels={**found.labels, **wish.labels}))
    changes.delete = [each for key, each in there.items() if key not in wanted and each.labels.get(OWNER) == owner]
    if policy in ("upsert-only", "create-only"):
        changes.delete = []
    if policy == "create-only":
        changes.update = []
    return changes


def _merged(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Services that want the same name share it."""
    merged: dict[tuple[str, str], Endpoint] = {}
    for each in endpoints:
        key = (each.name, each.type)
        if key in merged:
            targets = tuple(sorted({*merged[key].targets, *each.targets}))
            merged[key] = replace(merged[key], targets=targets)
        else:
            merged[key] = replace(each, targets=tuple(sorted(set(each.targets))))
    return list(merged.values())


def _differs(wish: Endpoint, found: Endpoint) -> bool:
    ttl_differs = bool(wish.ttl) and wish.ttl != found.ttl
    return ttl_differs or sorted(wish.targets) != sorted(found.targets)
