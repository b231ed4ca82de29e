# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's recipe by its own commands, and site.yml after it and before it."""

from __future__ import annotations

from typing import Any

import pytest

from clients.azure_cli import AzureCli
from clients.kubectl import Kubectl
from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.fixtures import EXAMPLE
from harness.laboratory import Lab

NAMESPACE, ACCOUNT, IDENTITY = "greetings", "keyvault-reader", "id-keyvault-reader"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
AUDIENCE = "api://AzureADTokenExchange"
CREDENTIAL = "keyvault-reader-credential"


def site(ansible: AnsiblePlaybook, variables: dict[str, Any], playbook: str = "site.yml", **more: Any) -> PlaybookRun:
    run = ansible.run(f"playbooks/{playbook}", variables | more, vars_files=[EXAMPLE], arguments=["--diff"])
    assert run.returncode == 0, run.output
    return run


def service_account(client_id: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": ACCOUNT,
            "namespace": NAMESPACE,
            "annotations": {"azure.workload.identity/client-id": client_id},
        },
    }


def deployment(environment: dict[str, str]) -> dict[str, Any]:
    """The recipe's Deployment on virtual nodes, as somebody writes it by hand."""
    virtual_node = "microsoft.containerinstance.virtualnode"
    env = {"KEYVAULT_URL": environment["LAB_VAULT_URL"], "SECRET_NAME": "greeting"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": ACCOUNT, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": ACCOUNT}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app.kubernetes.io/name": ACCOUNT}},
            "template": {
                "metadata": {
                    "labels": {"app.kubernetes.io/name": ACCOUNT, "azure.workload.identity/use": "true"},
                    "annotations": {f"{virtual_node}.injectkubeproxy": "false", f"{virtual_node}.injectdns": "false"},
                },
                "spec": {
                    "serviceAccountName": ACCOUNT,
                    "nodeSelector": {"virtualization": "virtualnode2"},
                    "tolerations": [
                        {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}
                    ],
                    "containers": [
                        {
                            "name": ACCOUNT,
                            "image": environment["LAB_IMAGE"],
                            "env": [{"name": name, "value": value} for name, value in env.items()],
                            "resources": {
                                "requests": {"cpu": "250m", "memory": "256Mi"},
                                "limits": {"cpu": "500m", "memory": "512Mi"},
                            },
                        }
                    ],
                },
            },
        },
    }


@pytest.fixture(scope="module")
def by_hand(lab: Lab, az: AzureCli, kubectl: Kubectl) -> dict[str, Any]:
    """The recipe, command by command: the cluster and the identity as az answered them."""
    environment = lab.environment
    group = ("--resource-group", environment["LAB_RESOURCE_GROUP"])
    features = ("--enable-oidc-issuer", "--enable-workload-identity")
    cluster = az.run("aks", "update", *group, "--name", environment["LAB_CLUSTER"], *features)
    issuer = cluster["oidcIssuerProfile"]["issuerUrl"]
    identity = az.run("identity", "create", *group, "--name", IDENTITY)
    trust = ("--issuer", issuer, "--subject", SUBJECT, "--audience", AUDIENCE)
    names = ("--name", CREDENTIAL, "--identity-name", IDENTITY)
    az.run("identity", "federated-credential", "create", *group, *names, *trust)
    assign_role(az, identity["principalId"], environment["LAB_VAULT_ID"])
    kubectl.run("create", "namespace", NAMESPACE)
    kubectl.apply(service_account(identity["clientId"]))
    kubectl.apply(deployment(environment))
    kubectl.run("rollout", "status", f"deployment/{ACCOUNT}", "--namespace", NAMESPACE, "--timeout", "60s")
    return {"cluster": cluster, "identity": identity}


def assign_role(az: AzureCli, principal_id: str, scope: str) -> None:
    principal = ("--assignee-object-id", principal_id, "--assignee-principal-type", "ServicePrincipal")
    role = ("--role", "Key Vault Secrets User", "--scope", scope)
    az.run_once_replicated("role", "assignment", "create", *principal, *role)


def test_site_finds_nothing_to_change_after_the_recipe_by_hand(
    ansible: AnsiblePlaybook, by_hand: dict[str, Any], quiet_lab: Lab, site_variables: dict[str, Any]
) -> None:
    run = site(ansible, site_variables)
    assert " changed=0 " in run.recap, run.output
    assert quiet_lab.writes() == []
    (proof,) = run.result_of("workload_identity_check")["checks"]
    assert proof["valid"]
    assert proof["client_id"] == by_hand["identity"]["clientId"]


def test_teardown_keeps_what_somebody_else_made(
    ansible: AnsiblePlaybook, by_hand: dict[str, Any], site_variables: dict[str, Any], kubectl: Kubectl
) -> None:
    site(ansible, site_variables, "teardown.yml")
    assert kubectl.get("serviceaccount", ACCOUNT, "--namespace", NAMESPACE)["metadata"]["name"] == ACCOUNT
    assert kubectl.get("deployment", ACCOUNT, "--namespace", NAMESPACE)["status"]["readyReplicas"] == 2


def test_az_and_kubectl_show_what_site_made(
    ansible: AnsiblePlaybook, by_hand: dict[str, Any], site_variables: dict[str, Any], az: AzureCli, kubectl: Kubectl
) -> None:
    group = ("--resource-group", site_variables["resource_group"])
    kubectl.run("delete", "namespace", NAMESPACE, "--wait")
    az.run("identity", "delete", *group, "--name", IDENTITY)

    made = site(ansible, site_variables).result_of("workload_identities")["identities"][0]

    identity = az.run("identity", "show", *group, "--name", IDENTITY)
    assert identity["clientId"] == made["client_id"]
    assert identity["principalId"] == made["principal_id"]
    (credential,) = az.run("identity", "federated-credential", "list", *group, "--identity-name", IDENTITY)
    assert (credential["subject"], credential["audiences"]) == (SUBJECT, [AUDIENCE])
    cluster = az.run("aks", "show", *group, "--name", site_variables["cluster_name"])
    assert cluster["oidcIssuerProfile"] == {"enabled": True, "issuerUrl": credential["issuer"]}
    assert cluster["securityProfile"]["workloadIdentity"] == {"enabled": True}
    annotations = kubectl.get("serviceaccount", ACCOUNT, "--namespace", NAMESPACE)["metadata"]["annotations"]
    assert annotations["azure.workload.identity/client-id"] == identity["clientId"]


def test_az_leaves_nothing_to_change_when_it_repeats_the_recipe_on_what_site_made(
    ansible: AnsiblePlaybook, by_hand: dict[str, Any], lab: Lab, site_variables: dict[str, Any], az: AzureCli
) -> None:
    group = ("--resource-group", site_variables["resource_group"])
    features = ("--enable-oidc-issuer", "--enable-workload-identity")
    az.run("aks", "update", *group, "--name", site_variables["cluster_name"], *features)
    az.run("identity", "create", *group, "--name", IDENTITY)
    lab.forget_requests()
    assert " changed=0 " in site(ansible, site_variables).recap
    assert lab.writes() == []


def test_az_is_refused_as_by_the_service(az: AzureCli, by_hand: dict[str, Any], site_variables: dict[str, Any]) -> None:
    group = ("--resource-group", site_variables["resource_group"])
    missing = az.refusal("identity", "show", *group, "--name", "id-missing")
    assert "ResourceNotFound" in missing
    elsewhere = az.refusal("identity", "list", "--resource-group", "rg-missing")
    assert "ResourceGroupNotFound" in elsewhere
    issuer = by_hand["cluster"]["oidcIssuerProfile"]["issuerUrl"]
    names = ("--name", "again", "--identity-name", IDENTITY)
    twice = az.refusal(
        "identity", "federated-credential", "create", *group, *names, "--issuer", issuer, "--subject", SUBJECT,
        "--audience", AUDIENCE,
    )  # fmt: skip
    assert "Issuer and subject combination already exists" in twice
