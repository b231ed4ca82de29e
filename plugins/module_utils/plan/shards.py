# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of an entry's identities C(<entry>-1), C(<entry>-2), ... gets which ServiceAccount; pure.

Who is fully trusted by one of them stays there. All others go, in the order of their names, to the identity that trusts them in part, else
to the first with room; when none has room, the next number is opened.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from typing import Any, Generic, TypeVar

from ..resources.federated_credential import CREDENTIALS_PER_IDENTITY, FederatedCredential
from .federated_credentials import serving

# Who is placed: anything that can be sorted and hashed.
A = TypeVar("A", bound=Any)

# Number of a shard -> the credentials that its identity has.
Numbered = Mapping[int, Sequence[FederatedCredential]]

# How well an identity suits somebody, the least first: how many of the trusts it has, and how many credentials it
# has for them, those included that have drifted and will be corrected; both negative.
_Rank = tuple[int, int]
_STRANGER: _Rank = (0, 0)

_SHARD = re.compile(r"(.+)-([1-9][0-9]*)")


def shard_name(entry: str, number: int) -> str:
    return f"{entry}-{number}"


def split_name(name: str) -> tuple[str, int]:
    """Entry and number of a name like a shard's; empty and 0 for others."""
    found = _SHARD.fullmatch(name)
    return (found[1], int(found[2])) if found else ("", 0)


def place(
    wanted: Mapping[A, Sequence[FederatedCredential]], observed: Numbered, *, exclusive: bool
) -> dict[int, list[A]]:
    """Number of a shard -> who is to be trusted by it; with every shard there is, and at least one.

    :param wanted: who -> the credentials needed, at most as many as an identity can hold.
    :param observed: of every identity that is named like a shard.
    :param exclusive: whether other credentials will be removed and so take no room.
    """
    placement = _Placement(wanted, observed, exclusive)
    for each in sorted(wanted, key=lambda each: (placement.best_rank(each), each)):
        placement.add(each)
    return {number: sorted(placement.placed[number]) for number in sorted(placement.placed)}


def holders(wanted: Mapping[A, Sequence[FederatedCredential]], observed: Numbered) -> dict[int, list[A]]:
    """Number of each shard there is -> whom it trusts, be it in part."""
    ranks = _ranks(wanted, observed)
    return {
        number: sorted(each for each in wanted if ranks[each].get(number, _STRANGER)[0])
        for number in sorted(_own(ranks, observed))
    }


class _Placement(Generic[A]):
    """Who is where so far, and how many credentials each shard will then have."""

    def __init__(self, wanted: Mapping[A, Sequence[FederatedCredential]], observed: Numbered, exclusive: bool) -> None:
        self._wanted = wanted
        self._observed = observed
        self._exclusive = exclusive
        self._ranks = _ranks(wanted, observed)
        self._loads: dict[int, int] = {}
        self.placed: dict[int, list[A]] = {}
        for number in _own(self._ranks, observed):
            self._open(number)
        if not self._loads:
            self._open_next()

    def best_rank(self, who: A) -> _Rank:
        return min(self._ranks[who].values(), default=_STRANGER)

    def add(self, who: A) -> None:
        fitting = [number for number in self._loads if self._fits(who, number)]
        while not fitting:
            fitting = [number for number in self._open_next() if self._fits(who, number)]
        number = min(fitting, key=lambda number: (self._rank(who, number), number))
        self._loads[number] += self._cost(who, number)
        self.placed[number].append(who)

    def _open_next(self) -> list[int]:
        """Take the next number into use, and those that exist already and so become part of the unbroken row."""
        free = (number for number in count(1) if number not in self._loads)
        first = next(free)
        opened = [first, *takewhile(lambda number: number in self._observed, free)]
        for number in opened:
            self._open(number)
        return opened

    def _open(self, number: int) -> None:
        # An identity may have credentials before it is one of the shards.
        self._loads[number] = sum(each.belongs_to_aks or not self._exclusive for each in self._observed.get(number, ()))
        self.placed[number] = []

    def _fits(self, who: A, number: int) -> bool:
        return self._loads[number] + self._cost(who, number) <= CREDENTIALS_PER_IDENTITY

    def _cost(self, who: A, number: int) -> int:
        counted_already = 0 if self._exclusive else -self._rank(who, number)[1]
        return len(self._wanted[who]) - counted_already

    def _rank(self, who: A, number: int) -> _Rank:
        return self._ranks[who].get(number, _STRANGER)


def _ranks(wanted: Mapping[A, Sequence[FederatedCredential]], observed: Numbered) -> Mapping[A, Mapping[int, _Rank]]:
    owners = {wish: who for who, wishes in wanted.items() for wish in wishes}
    ranks: dict[A, dict[int, _Rank]] = defaultdict(dict)
    for number, credentials in observed.items():
        for wish, found in serving(credentials, owners).items():
            trusts, credentials_found = ranks[owners[wish]].get(number, _STRANGER)
            ranks[owners[wish]][number] = (trusts - (found.trust == wish.trust), credentials_found - 1)
    return ranks


def _own(ranks: Mapping[A, Mapping[int, _Rank]], observed: Numbered) -> set[int]:
    """Of the identities that are named like shards, those that are: numbered from 1 without a gap, or trusting somebody wanted.

    C(orders-2024) is none of the entry C(orders) only for its name.
    """
    unbroken = takewhile(lambda number: number in observed, count(1))
    return {*unbroken, *(number for each in ranks.values() for number, (trusts, _found) in each.items() if trusts)}
