# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity bindings by az, which knows them as the service does."""

from __future__ import annotations

from typing import Any

import pytest

from clients.azure_cli import AzureCli
from clients.kubectl import Kubectl
from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import REPOSITORY, Lab

IDENTITY = "id-bound"
EXAMPLE = REPOSITORY / "docs" / "examples" / "identity_binding.yml"


def test_the_example_is_predicted_made_and_kept(
    ansible: AnsiblePlaybook, site_variables: dict[str, Any], quiet_lab: Lab
) -> None:
    predicted = ansible.run(EXAMPLE, site_variables, arguments=["--check", "--diff"])
    assert predicted.returncode == 0, predicted.output
    assert quiet_lab.writes() == []
    made = ansible.run(EXAMPLE, site_variables, arguments=["--diff"])
    assert made.returncode == 0, made.output
    assert [each.title for each in predicted.changed] == [each.title for each in made.changed]
    assert len(made.changed) == 4
    again = ansible.run(EXAMPLE, site_variables)
    assert " changed=0 " in again.recap, again.output


def test_the_example_gives_the_identity_to_its_service_accounts(az: AzureCli, kubectl: Kubectl, lab: Lab) -> None:
    group = ("--resource-group", lab.environment["LAB_RESOURCE_GROUP"])
    binding = ("--cluster-name", lab.environment["LAB_CLUSTER"], "--name", "id-shop")
    bound = az.run("aks", "identity-binding", "show", *group, *binding)
    client_id = bound["properties"]["managedIdentity"]["clientId"]
    assert client_id == az.run("identity", "show", *group, "--name", "id-shop")["clientId"]
    account = kubectl.get("serviceaccount", "orders", "--namespace", "shop")
    assert account["metadata"]["annotations"]["azure.workload.identity/client-id"] == client_id
    assert kubectl.get("clusterrole", "use-id-shop")["rules"] == [
        {"apiGroups": ["cid.wi.aks.azure.com"], "resources": [client_id], "verbs": ["use-managed-identity"]}
    ]
    subjects = kubectl.get("clusterrolebinding", "use-id-shop")["subjects"]
    assert [(each["kind"], each["namespace"], each["name"]) for each in subjects] == [
        ("ServiceAccount", "shop", "orders"),
        ("ServiceAccount", "shop", "returns"),
    ]
    az.run("aks", "identity-binding", "delete", *group, *binding, "--yes")


@pytest.fixture(scope="module")
def cluster(lab: Lab, az: AzureCli) -> tuple[str, ...]:
    """The options that name a cluster with workload identity."""
    group, name = lab.environment["LAB_RESOURCE_GROUP"], lab.environment["LAB_CLUSTER"]
    features = ("--enable-oidc-issuer", "--enable-workload-identity")
    az.run("aks", "update", "--resource-group", group, "--name", name, *features)
    return ("--resource-group", group, "--cluster-name", name)


@pytest.fixture(scope="module")
def identity(lab: Lab, az: AzureCli) -> dict[str, Any]:
    return az.run("identity", "create", "--resource-group", lab.environment["LAB_RESOURCE_GROUP"], "--name", IDENTITY)


@pytest.fixture(scope="module")
def binding(az: AzureCli, cluster: tuple[str, ...], identity: dict[str, Any]) -> dict[str, Any]:
    wish = ("--name", "bound", "--managed-identity-resource-id", identity["id"])
    return az.run("aks", "identity-binding", "create", *cluster, *wish)


def test_a_binding_is_made_and_waited_for(binding: dict[str, Any], identity: dict[str, Any]) -> None:
    properties = binding["properties"]
    assert binding["name"] == "bound"
    assert binding["eTag"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["managedIdentity"] == {
        "resourceId": identity["id"],
        "objectId": identity["principalId"],
        "clientId": identity["clientId"],
        "tenantId": identity["tenantId"],
    }
    issuer = f"https://ib.oic.prod-aks.azure.com/{identity['tenantId']}/{identity['clientId']}"
    assert properties["oidcIssuer"] == {"oidcIssuerUrl": issuer}


def test_it_is_shown_and_listed(az: AzureCli, cluster: tuple[str, ...], binding: dict[str, Any]) -> None:
    assert az.run("aks", "identity-binding", "show", *cluster, "--name", "bound") == binding
    assert az.run("aks", "identity-binding", "list", *cluster) == [binding]


def test_the_identity_has_the_one_credential_of_its_bindings(az: AzureCli, lab: Lab, binding: dict[str, Any]) -> None:
    group = ("--resource-group", lab.environment["LAB_RESOURCE_GROUP"])
    (credential,) = az.run("identity", "federated-credential", "list", *group, "--identity-name", IDENTITY)
    assert credential["name"] == "aks-identity-binding"
    assert credential["issuer"] == binding["properties"]["oidcIssuer"]["oidcIssuerUrl"]


def test_the_identity_can_be_bound_once_and_not_be_exchanged(
    az: AzureCli, lab: Lab, cluster: tuple[str, ...], binding: dict[str, Any], identity: dict[str, Any]
) -> None:
    create = ("aks", "identity-binding", "create", *cluster, "--managed-identity-resource-id")
    assert "'bound'" in az.refusal(*create, identity["id"], "--name", "again")
    group = lab.environment["LAB_RESOURCE_GROUP"]
    other = az.run("identity", "create", "--resource-group", group, "--name", "id-other")
    assert "is not allowed" in az.refusal(*create, other["id"], "--name", "bound")
    assert "does not exist" in az.refusal(*create, f"{other['id']}-missing", "--name", "missing")


def test_it_is_deleted(az: AzureCli, cluster: tuple[str, ...], binding: dict[str, Any]) -> None:
    delete = ("aks", "identity-binding", "delete", *cluster, "--name", binding["name"], "--yes")
    az.run(*delete)
    assert "ResourceNotFound" in az.refusal("aks", "identity-binding", "show", *cluster, "--name", "bound")
    az.run(*delete)
    assert az.run("aks", "identity-binding", "list", *cluster) == []
