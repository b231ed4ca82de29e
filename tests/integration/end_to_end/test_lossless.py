# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we do not manage on the cluster survives our update, also what another writer changes in between."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook
from harness.azure_clients import CLUSTERS, AzureClients
from harness.laboratory import Lab

# What an update may change: our two settings, and what the service renews with every write.
MANAGED = (("oidcIssuerProfile",), ("securityProfile", "workloadIdentity"))
RENEWED = ("eTag", "etag", "systemData")


@pytest.fixture(scope="module")
def arm(lab: Lab) -> AzureClients:
    return AzureClients(lab)


@pytest.fixture(scope="module")
def before(arm: AzureClients) -> dict[str, Any]:
    return arm.get(arm.cluster_id, CLUSTERS)


def unmanaged(cluster: dict[str, Any]) -> dict[str, Any]:
    rest = copy.deepcopy(cluster)
    for name in RENEWED:
        rest.pop(name, None)
        rest["properties"].pop(name, None)
    for *parents, name in MANAGED:
        place = rest["properties"]
        for parent in parents:
            place = place.get(parent, {})
        place.pop(name, None)
    if not rest["properties"].get("securityProfile"):
        rest["properties"].pop("securityProfile", None)
    return rest


def test_the_cluster_of_the_lab_has_something_to_lose(before: dict[str, Any]) -> None:
    properties = before["properties"]
    for name in ("agentPoolProfiles", "networkProfile", "addonProfiles", "autoUpgradeProfile"):
        assert properties.get(name), f"the lab's cluster has no {name}"
    assert before["tags"]


def test_another_writer_between_our_read_and_our_write_loses_nothing(
    ansible: AnsiblePlaybook,
    quiet_lab: Lab,
    arm: AzureClients,
    before: dict[str, Any],
    site_variables: dict[str, Any],
) -> None:
    theirs = {
        "tags": {"written-by": "somebody else"},
        "properties": {"autoUpgradeProfile": {"upgradeChannel": "node-image"}},
    }
    # Applied after each of the first reads, that of the plan and that of the write: the write is then based on what is no longer true.
    quiet_lab.inject(
        {
            "service": "arm",
            "method": "GET",
            "path": f"(?i){arm.cluster_id}$",
            "times": 2,
            "action": "patch",
            "resource": arm.cluster_id,
            "patch": theirs,
        }
    )
    variables = {name: site_variables[name] for name in ("resource_group", "cluster_name")}
    run = ansible.run("playbooks/cluster.yml", variables)
    assert run.returncode == 0, run.output

    after = arm.get(arm.cluster_id, CLUSTERS)
    expected = copy.deepcopy(before)
    expected["tags"] |= theirs["tags"]
    expected["properties"]["autoUpgradeProfile"] |= theirs["properties"]["autoUpgradeProfile"]
    assert unmanaged(after) == unmanaged(expected)
    assert after["properties"]["oidcIssuerProfile"]["enabled"] is True
    assert after["properties"]["securityProfile"]["workloadIdentity"]["enabled"] is True

    writes = [request for request in quiet_lab.writes() if request["method"] == "PUT"]
    assert len(writes) == 2, writes
    assert writes[0]["status"] == 412, "the race was not run"


def test_switching_workload_identity_off_keeps_the_rest(
    ansible: AnsiblePlaybook, quiet_lab: Lab, arm: AzureClients, site_variables: dict[str, Any]
) -> None:
    before = arm.get(arm.cluster_id, CLUSTERS)
    variables = {name: site_variables[name] for name in ("resource_group", "cluster_name")}
    run = ansible.run("playbooks/cluster.yml", variables | {"cluster_workload_identity": False})
    assert run.returncode == 0, run.output
    after = arm.get(arm.cluster_id, CLUSTERS)
    assert unmanaged(after) == unmanaged(before)
    assert after["properties"]["oidcIssuerProfile"] == before["properties"]["oidcIssuerProfile"]
    assert after["properties"]["securityProfile"]["workloadIdentity"]["enabled"] is False
