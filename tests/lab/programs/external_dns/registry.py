# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TXT registry: beside each record, one that says whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lab.programs.external_dns.plan import OWNER, RESOURCE, Changes, Endpoint

HERITAGE = "heritage=external-dns"
_TYPES = ("a", "aaaa", "cname", "ns", "mx", "srv", "naptr")


def txt_name(name: str, kind: str, prefix: str = "") -> str:
    first, dot, rest = name.partition(".")
    return f"{prefix}{kind.lower()}-{first}{dot}{rest}"


def serialize(labels: dict[str, str]) -> str:
    known = [f"external-dns/{name}={labels[name]}" for name in sorted(labels) if name in (OWNER, RESOURCE)]
    return f'"{",".join([HERITAGE, *known])}"'


def parse(text: str) -> dict[str, str] | None:
    """None for what is no record of a registry."""
    parts = text.strip('"').split(",")
    if HERITAGE not in parts:
        return None
    pairs = (part.partition("=") for part in parts if part.startswith("external-dns/"))
    return {name.removeprefix("external-dns/"): value for name, _equals, value in pairs}


def labelled(records: Iterable[Endpoint], prefix: str = "") -> list[Endpoint]:
    """The records with what the registry's say of them, without the registry's own."""
    owners: dict[tuple[str, str], dict[str, str]] = {}
    others = []
    for each in records:
        labels = parse(each.targets[0]) if each.type == "TXT" else None
        if labels is None:
            others.append(each)
        elif each.name.startswith(prefix):
            kind, _dash, name = each.name.removeprefix(prefix).partition("-")
            if kind in _TYPES:
                owners[(name, kind.upper())] = labels
    return [replace(each, labels=owners.get((each.name, each.type), {})) for each in others]


def with_registry(changes: Changes, owner: str, prefix: str = "") -> Changes:
    """The changes, and those of the registry's records."""

    def owned(endpoint: Endpoint) -> Endpoint:
        return replace(endpoint, labels={**endpoint.labels, OWNER: owner})

    def marks(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        return [
            Endpoint(txt_name(each.name, each.type, prefix), "TXT", (serialize(owned(each).labels),))
            for each in endpoints
        ]

    return Changes(
        create=[*changes.create, *marks(changes.create)],
        update=[*changes.update, *marks(changes.update)],
        delete=[*changes.delete, *marks(changes.delete)],
    )
