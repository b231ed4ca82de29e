# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.dns_ownership import Owner, Owners, foreign
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.private_dns_zone import RecordSet
from hypothesis import given
from hypothesis import strategies as st

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


def record(name, kind="A", *values):
    return RecordSet(name, kind, f"{name}.shop.internal", 300, values or ("10.0.0.1",))


def registry(name, owner, resource="service/shop/orders"):
    return record(name, "TXT", f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource={resource}"')


def test_the_record_beside_it_names_the_owner_and_the_resource():
    owners = Owners([record("orders"), registry("a-orders", "aks-shop")])

    assert owners.of("Orders", "A") == Owner("aks-shop", "service/shop/orders")
    assert owners.of("a-orders", "TXT") == Owner("aks-shop", "service/shop/orders")


def test_a_record_of_another_type_or_without_one_beside_it_has_no_owner():
    owners = Owners([record("orders"), registry("cname-orders", "aks-shop"), record("a-other", "TXT", "some text")])

    assert owners.of("orders", "A") is None
    assert owners.of("orders", "CNAME") is not None
    assert owners.of("other", "A") is None


def test_names_in_deeper_levels_and_names_that_begin_like_a_type_are_told_apart():
    owners = Owners([registry("a-orders.eu", "one"), registry("a-a-team", "two")])

    assert owners.of("orders.eu", "A").id == "one"
    assert owners.of("a-team", "A").id == "two"


def test_the_prefix_of_the_registry_is_heeded():
    owners = Owners([registry("edns-a-orders", "one")], prefix="edns-")

    assert owners.of("orders", "A").id == "one"
    assert Owners([registry("a-orders", "one")], prefix="edns-").of("orders", "A") is None


def test_what_came_with_the_zone_and_what_is_ones_own_is_not_foreign():
    soa, own = record("@", "SOA", "azureprivatedns.net"), [record("orders"), registry("a-orders", "aks-shop")]

    assert foreign([soa, *own], "aks-shop") == []
    assert foreign([soa, *own], "aks-other") == own
    assert foreign([soa, *own], "") == own


def test_a_record_without_owner_is_foreign_even_beside_ones_own():
    by_hand = record("www")

    assert foreign([by_hand, record("orders"), registry("a-orders", "aks-shop")], "aks-shop") == [by_hand]


@given(st.dictionaries(LABEL, LABEL, max_size=8))
def test_every_record_has_the_owner_that_was_written_beside_it(owner_of):
    records = [each for name, owner in owner_of.items() for each in (record(name), registry(f"a-{name}", owner))]
    owners = Owners(records)

    assert {name: owners.of(name, "A").id for name in owner_of} == owner_of
    assert all(foreign(records, owner) == [] for owner in owner_of.values() if set(owner_of.values()) == {owner})
