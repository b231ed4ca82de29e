# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a DNS record is: external-dns puts a TXT record beside each of its own that says so; pure.

The form of these records: external-dns' TXT registry, C(docs/registry/txt.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..resources.private_dns_zone import RecordSet

HERITAGE = "heritage=external-dns"
_KINDS = ("a", "aaaa", "cname", "mx", "ns", "srv", "naptr")


@dataclass(frozen=True)
class Owner:
    """
    :ivar id: what that external-dns was given as C(--txt-owner-id).
    :ivar resource: what it made the record for, such as C(service/shop/orders).
    """

    id: str
    resource: str = ""


class Owners:
    """The owners of the record sets of a zone.

    :param prefix: what that external-dns was given as C(--txt-prefix).
    """

    def __init__(self, records: Iterable[RecordSet], prefix: str = "") -> None:
        self._of: dict[tuple[str, str], Owner] = {}
        for record in records:
            owner = _read(record)
            if owner is None or not record.name.lower().startswith(prefix):
                continue
            kind, _dash, name = record.name.lower().removeprefix(prefix).partition("-")
            if kind in _KINDS and name:
                self._of[(name, kind.upper())] = owner
            self._of[record.key] = owner

    def of(self, name: str, kind: str) -> Owner | None:
        """The owner of a record, or of the registry's own; None if it is nobody's."""
        return self._of.get((name.lower(), kind))


def foreign(records: Iterable[RecordSet], owner_id: str) -> list[RecordSet]:
    """The record sets that neither came with the zone nor are this owner's."""
    listed = list(records)
    owners = Owners(listed)
    return [
        record
        for record in listed
        if not (record.kind == "SOA" and record.name == "@") and not _is(owners.of(*_place(record)), owner_id)
    ]


def _place(record: RecordSet) -> tuple[str, str]:
    return record.name, record.kind


def _is(owner: Owner | None, owner_id: str) -> bool:
    return bool(owner_id) and owner is not None and owner.id == owner_id


def _read(record: RecordSet) -> Owner | None:
    if record.kind != "TXT":
        return None
    for value in record.values:
        parts = value.strip('"').split(",")
        if HERITAGE in parts:
            labels: Mapping[str, str] = dict(
                part.removeprefix("external-dns/").split("=", 1)
                for part in parts
                if part.startswith("external-dns/") and "=" in part
            )
            return Owner(labels.get("owner", ""), labels.get("resource", ""))
    return None
