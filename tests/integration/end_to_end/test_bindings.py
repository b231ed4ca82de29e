# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that share an identity by a binding: exactly their ServiceAccounts may use it, and nothing is left of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from kubernetes import client, config

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab

NAME = "aks.virtual_nodes:rg-lab:id-tenants"


@pytest.fixture
def variables(site_variables: dict[str, Any]) -> dict[str, Any]:
    identity = {"name": "id-tenants", "federation": "binding"}
    tenants = [{"name": f"app-{number}", "namespace": "tenants", "identity": identity} for number in range(25)]
    credential = {"name": "orders", "namespace": "shop"}
    return {
        "resource_group": site_variables["resource_group"],
        "cluster_name": site_variables["cluster_name"],
        "applications": [*tenants, credential],
    }


@pytest.fixture
def roles(lab: Lab) -> client.RbacAuthorizationV1Api:
    return client.RbacAuthorizationV1Api(config.new_client_from_config(lab.environment["KUBECONFIG"]))


def bindings(lab: Lab) -> list[str]:
    return [
        each["name"] for each in lab.state()["azure"].values() if str(each.get("type")).endswith("identityBindings")
    ]


def test_a_bound_identity_is_used_by_exactly_the_service_accounts_that_share_it(
    ansible: AnsiblePlaybook, lab: Lab, variables: dict[str, Any], roles: client.RbacAuthorizationV1Api
) -> None:
    predicted = ansible.run("playbooks/site.yml", variables, arguments=["--check", "--diff"])
    assert predicted.returncode == 0, predicted.output
    assert lab.writes() == []

    run = ansible.run("playbooks/site.yml", variables)

    assert run.returncode == 0, run.output
    assert [each.task for each in predicted.changed] == [each.task for each in run.changed]
    (bound,) = [each for each in run.result_of("workload_identities")["identities"] if each["name"] == "id-tenants"]
    assert bindings(lab) == ["id-tenants"]
    assert bound["federated_credentials"] == []
    (rule,) = roles.read_cluster_role(NAME).rules
    assert (rule.api_groups, rule.resources, rule.verbs) == (
        ["cid.wi.aks.azure.com"],
        [bound["client_id"]],
        ["use-managed-identity"],
    )
    subjects = roles.read_cluster_role_binding(NAME).subjects
    assert {(each.kind, each.namespace, each.name) for each in subjects} == {
        ("ServiceAccount", "tenants", f"app-{number}") for number in range(25)
    }
    checks = run.result_of("workload_identity_check")["checks"]
    assert [(each["service_account"], each["valid"]) for each in checks] == [("orders", True)]

    assert ansible.run("playbooks/site.yml", variables).changed == ()

    fewer = variables | {"applications": variables["applications"][1:]}
    assert ansible.run("playbooks/site.yml", fewer).returncode == 0
    assert len(roles.read_cluster_role_binding(NAME).subjects) == 24

    removed = ansible.run("playbooks/teardown.yml", variables | {"delete_identities": True})
    assert removed.returncode == 0, removed.output
    assert bindings(lab) == []
    assert NAME not in [each.metadata.name for each in roles.list_cluster_role().items]
    assert NAME not in [each.metadata.name for each in roles.list_cluster_role_binding().items]


def test_applications_that_share_an_identity_must_agree_on_its_federation(
    ansible: AnsiblePlaybook, lab: Lab, variables: dict[str, Any]
) -> None:
    lab.forget_requests()
    other = {"name": "other", "namespace": "tenants", "identity": {"name": "id-tenants"}}

    run = ansible.run("playbooks/site.yml", variables | {"applications": [*variables["applications"], other]})

    assert run.returncode != 0
    assert re.search("Identity id-tenants is given different federation", run.output)
    assert lab.writes() == []
