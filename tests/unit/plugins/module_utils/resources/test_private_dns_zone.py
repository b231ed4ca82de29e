# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import Action
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.private_dns_zone import (
    LinkSpec,
    RecordSet,
    ZoneSpec,
    diff,
    diff_absent,
    diff_links,
)

GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
ZONE_ID = f"{GROUP}/privateDnsZones/shop.internal"
NETWORK, OTHER_NETWORK = f"{GROUP}/virtualNetworks/vnet", f"{GROUP}/virtualNetworks/other"
MARK = {"managed-by": "aks.virtual_nodes"}


def zone(**tags):
    return {"id": ZONE_ID, "name": "shop.internal", "resource_group": "g", "tags": dict(tags)}


def link(name="vnet", network=NETWORK, *, registration=False, ours=True, state="Succeeded"):
    return {
        "id": f"{ZONE_ID}/virtualNetworkLinks/{name}",
        "name": name,
        "virtual_network": network,
        "registration_enabled": registration,
        "tags": MARK if ours else {},
        "provisioning_state": state,
    }


def spec(*links, tags=None, append_tags=True):
    return ZoneSpec("shop.internal", tags, append_tags, links)


def test_a_new_zone_says_who_made_it():
    change = diff(ZONE_ID, spec(tags={"team": "shop"}), None)

    assert (change.action, change.after["tags"]) == (Action.CREATE, {**MARK, "team": "shop"})


def test_tags_that_are_not_listed_stay():
    assert diff(ZONE_ID, spec(), zone(team="shop")) is None
    assert diff(ZONE_ID, spec(tags={"team": "shop"}), zone(team="shop", cost="4711")) is None
    change = diff(ZONE_ID, spec(tags={"team": "orders"}), zone(team="shop", cost="4711"))
    assert change.after["tags"] == {"team": "orders", "cost": "4711"}


def test_tags_that_are_listed_alone_keep_the_mark_of_who_made_the_zone():
    change = diff(ZONE_ID, spec(tags={"team": "shop"}, append_tags=False), zone(cost="4711", **MARK))

    assert change.after["tags"] == {"team": "shop", **MARK}


def test_a_link_is_made_once_and_others_are_left_alone():
    wish = spec(LinkSpec("vnet", NETWORK))

    (change,) = diff_links(ZONE_ID, wish, [link("other", OTHER_NETWORK)])
    assert (change.action, change.resource_id) == (Action.CREATE, f"{ZONE_ID}/virtualNetworkLinks/vnet")
    assert diff_links(ZONE_ID, wish, [link(network=NETWORK.upper()), link("other", OTHER_NETWORK)]) == []


def test_registration_is_changed_and_a_failed_link_written_again():
    wish = spec(LinkSpec("vnet", NETWORK, registration_enabled=True))

    (change,) = diff_links(ZONE_ID, wish, [link()])
    assert (change.action, change.after["registration_enabled"]) == (Action.UPDATE, True)
    (again,) = diff_links(ZONE_ID, wish, [link(registration=True, state="Failed")])
    assert again.after["provisioning_state"] == "Succeeded"


def test_what_azure_cannot_change_about_a_link_is_refused_with_a_way_out():
    with pytest.raises(ConfigurationError, match=r"another name, or delete this one first"):
        diff_links(ZONE_ID, spec(LinkSpec("vnet", OTHER_NETWORK)), [link()])
    with pytest.raises(ConfigurationError, match=r"Set name: vnet\."):
        diff_links(ZONE_ID, spec(LinkSpec("again", NETWORK)), [link()])


@pytest.mark.parametrize(
    ("wish", "what"),
    [
        (ZoneSpec("internal"), "Zone name 'internal'"),
        (ZoneSpec("a b.internal"), "Zone name"),
        (spec(LinkSpec("two words", NETWORK)), "name 'two words'"),
        (spec(LinkSpec("vnet", f"{NETWORK}/subnets/aks")), "is not the id of a virtual network"),
        (spec(LinkSpec("vnet", "vnet")), "is not the id of a virtual network"),
        (spec(LinkSpec("vnet", NETWORK), LinkSpec("VNET", OTHER_NETWORK)), "name listed more than once"),
        (spec(LinkSpec("one", NETWORK), LinkSpec("two", NETWORK.upper())), "virtual_network listed more than once"),
    ],
)
def test_names_that_azure_would_refuse_are_refused_before_anything_is_written(wish, what):
    with pytest.raises(ConfigurationError, match=what):
        wish.validate()


RECORD = RecordSet("www", "A", "www.shop.internal", 300, ("10.0.0.1",))


def test_a_zone_goes_after_its_links():
    links, change = diff_absent(zone(**MARK), [link()], [])

    assert [each.resource_id for each in links] == [link()["id"]]
    assert (change.action, change.resource_id) == (Action.DELETE, ZONE_ID)


def test_a_zone_with_records_of_others_is_refused_and_the_refusal_names_them():
    with pytest.raises(ConfigurationError, match=r"record sets: A www\. .*force: true"):
        diff_absent(zone(**MARK), [], [RECORD])


def test_a_zone_with_links_of_others_is_refused_unless_they_are_listed():
    foreign = link("theirs", ours=False)

    with pytest.raises(ConfigurationError, match="not made here: theirs"):
        diff_absent(zone(**MARK), [foreign], [])
    assert diff_absent(zone(**MARK), [foreign], [], listed=["Theirs"])[1] is not None


def test_all_goes_when_it_is_forced():
    links, change = diff_absent(zone(), [link(ours=False)], [RECORD], force=True)

    assert (len(links), change.resource_id) == (1, ZONE_ID)


def test_a_zone_that_was_there_before_stays_with_what_others_put_into_it():
    ours, theirs = link("ours"), link("theirs", OTHER_NETWORK, ours=False)

    links, change = diff_absent(zone(), [ours, theirs], [RECORD], created_here_only=True)
    assert ([each.resource_id for each in links], change) == ([ours["id"]], None)
    links, change = diff_absent(zone(), [ours, theirs], [RECORD], created_here_only=True, listed=["another"])
    assert (links, change) == ([], None)
