# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private DNS by az: what people type, and the collection after and before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clients.azure_cli import AzureCli
from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab

ZONE = "by-hand.internal"


@pytest.fixture(scope="module")
def group(lab: Lab) -> tuple[str, ...]:
    return ("--resource-group", lab.environment["LAB_RESOURCE_GROUP"])


@pytest.fixture(scope="module")
def zone(az: AzureCli, group: tuple[str, ...], lab: Lab) -> dict[str, Any]:
    made: dict[str, Any] = az.run(
        "network", "private-dns", "zone", "create", *group, "--name", ZONE, "--tags", "team=shop"
    )
    network = lab.environment["LAB_NETWORK_ID"]
    link = ("--zone-name", ZONE, "--name", "vnet", "--virtual-network", network, "--registration-enabled", "false")
    linked = az.run("network", "private-dns", "link", "vnet", "create", *group, *link)
    assert (linked["virtualNetworkLinkState"], linked["provisioningState"]) == ("Completed", "Succeeded")
    return made


def test_a_zone_and_its_link_are_shown(az: AzureCli, group: tuple[str, ...], zone: dict[str, Any]) -> None:
    shown = az.run("network", "private-dns", "zone", "show", *group, "--name", ZONE)
    assert (shown["location"], shown["numberOfVirtualNetworkLinks"], shown["tags"]) == ("global", 1, {"team": "shop"})
    (link,) = az.run("network", "private-dns", "link", "vnet", "list", *group, "--zone-name", ZONE)
    assert link["name"] == "vnet"
    assert [each["name"] for each in az.run("network", "private-dns", "zone", "list", *group)] == [ZONE]


def test_records_are_added_and_removed(az: AzureCli, group: tuple[str, ...], zone: dict[str, Any]) -> None:
    of_zone = (*group, "--zone-name", ZONE)
    records = ("network", "private-dns", "record-set")
    az.run(*records, "a", "add-record", *of_zone, "--record-set-name", "orders", "--ipv4-address", "10.224.0.9")
    az.run(*records, "a", "add-record", *of_zone, "--record-set-name", "orders", "--ipv4-address", "10.224.0.10")
    shown = az.run(*records, "a", "show", *of_zone, "--name", "orders")
    assert [each["ipv4Address"] for each in shown["aRecords"]] == ["10.224.0.9", "10.224.0.10"]
    assert shown["fqdn"] == f"orders.{ZONE}."
    assert len(az.run(*records, "list", *of_zone)) == 2
    refused = az.refusal(
        *records, "a", "add-record", *of_zone, "--record-set-name", "x", "--ipv4-address", "10.1.1.400"
    )
    assert "10.1.1.400" in refused
    az.run(*records, "a", "delete", *of_zone, "--name", "orders", "--yes")


def test_the_network_is_shown(az: AzureCli, group: tuple[str, ...]) -> None:
    shown = az.run("network", "vnet", "show", *group, "--name", "vnet-lab")
    assert [each["name"] for each in shown["subnets"]] == ["aks", "cg"]
    one = az.run("network", "vnet", "subnet", "show", *group, "--vnet-name", "vnet-lab", "--name", "cg")
    assert one["delegations"][0]["serviceName"] == "Microsoft.ContainerInstance/containerGroups"


def test_the_collection_finds_nothing_to_change_and_takes_nothing_away(
    ansible: AnsiblePlaybook, lab: Lab, tmp_path: Path, az: AzureCli, group: tuple[str, ...], zone: dict[str, Any]
) -> None:
    links = [{"name": "vnet", "virtual_network": lab.environment["LAB_NETWORK_ID"]}]
    wish = {"resource_group": lab.environment["LAB_RESOURCE_GROUP"], "name": ZONE, "virtual_network_links": links}
    removal = {"resource_group": wish["resource_group"], "name": ZONE, "state": "absent", "created_here_only": True}
    tasks = [
        {"name": name, "aks.virtual_nodes.private_dns_zone": options}
        for name, options in (("Wish", wish), ("Remove what was made here", removal))
    ]
    playbook = tmp_path / "zone.json"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    run = ansible.run(playbook)
    assert run.returncode == 0, run.output
    assert run.changed == ()
    assert az.run("network", "private-dns", "zone", "show", *group, "--name", ZONE)["tags"] == {"team": "shop"}


def test_a_zone_goes_after_its_link(az: AzureCli, group: tuple[str, ...], zone: dict[str, Any]) -> None:
    delete = ("network", "private-dns", "zone", "delete", *group, "--name", ZONE, "--yes")
    assert "nested resources" in az.refusal(*delete)
    az.run("network", "private-dns", "link", "vnet", "delete", *group, "--zone-name", ZONE, "--name", "vnet", "--yes")
    az.run(*delete)
    assert az.run("network", "private-dns", "zone", "list", *group) == []
