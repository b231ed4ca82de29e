# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl against the lab: what people type in a day."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from clients.kubectl import Kubectl

NAMESPACE = "day"
AUDIENCE = "api://AzureADTokenExchange"


def idle(replicas: int = 1, **env: str) -> dict[str, Any]:
    labels = {"app": "idle"}
    container = {
        "name": "idle",
        "image": "registry.example.com/idle:1",
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "idle", "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {"virtualization": "virtualnode2"},
                    "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists"}],
                    "containers": [container],
                },
            },
        },
    }


@pytest.fixture(scope="module", autouse=True)
def namespace(kubectl: Kubectl) -> None:
    kubectl.run("create", "namespace", NAMESPACE)


def test_nodes_are_listed_with_the_virtual_ones(kubectl: Kubectl) -> None:
    table = kubectl.run("get", "nodes", "--output", "wide").splitlines()
    assert table[0].split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert sum(line.startswith("virtualnode-") and " Ready " in line for line in table) == 2


def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    assert "created" in kubectl.apply(idle(GREETING="hello", OTHER="kept"))
    assert "unchanged" in kubectl.apply(idle(GREETING="hello", OTHER="kept"))
    assert "configured" in kubectl.apply(idle(2, OTHER="kept"))
    kubectl.run("rollout", "status", "deployment/idle", "--namespace", NAMESPACE, "--timeout", "60s")
    found = kubectl.get("deployment", "idle", "--namespace", NAMESPACE)
    assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "OTHER", "value": "kept"}]
    assert found["status"]["availableReplicas"] == 2


def test_apply_on_the_server_side_tells_of_conflicts(kubectl: Kubectl) -> None:
    def account(who: str) -> dict[str, Any]:
        metadata = {"name": "shared", "namespace": NAMESPACE, "annotations": {"who": who}}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    kubectl.apply(account("first"), "--server-side", "--field-manager", "first")
    refused = kubectl.refusal(
        "apply", "--server-side", "--field-manager", "second", "--filename", "-", stdin=json.dumps(account("second"))
    )
    assert 'conflict with "first"' in refused
    kubectl.apply(account("second"), "--server-side", "--field-manager", "second", "--force-conflicts")
    found = kubectl.get("serviceaccount", "shared", "--namespace", NAMESPACE, "--show-managed-fields")
    assert found["metadata"]["annotations"] == {"who": "second"}
    assert [each["manager"] for each in found["metadata"]["managedFields"]] == ["second"]


def test_a_dry_run_on_the_server_stores_nothing(kubectl: Kubectl) -> None:
    dry = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dry", "namespace": NAMESPACE}}
    assert "server dry run" in kubectl.apply(dry, "--dry-run=server")
    assert "NotFound" in kubectl.refusal("get", "configmap", "dry", "--namespace", NAMESPACE)


def test_a_misspelt_field_is_refused(kubectl: Kubectl) -> None:
    wrong = idle()
    wrong["spec"]["replica"] = 3
    assert 'unknown field "spec.replica"' in kubectl.refusal("apply", "--filename", "-", stdin=json.dumps(wrong))


def test_describe_shows_pods_and_their_events(kubectl: Kubectl) -> None:
    text = kubectl.run("describe", "pods", "--namespace", NAMESPACE)
    assert "virtualization=virtualnode2" in text
    assert "Scheduled" in text
    deployment = kubectl.run("describe", "deployment", "idle", "--namespace", NAMESPACE)
    assert "NewReplicaSet:" in deployment


def test_scale_watch_and_wait(kubectl: Kubectl) -> None:
    kubectl.run("scale", "deployment/idle", "--replicas", "3", "--namespace", NAMESPACE)
    kubectl.run(
        "wait", "deployment/idle", "--for", "jsonpath={.status.readyReplicas}=3", "--namespace", NAMESPACE,
        "--timeout", "30s",
    )  # fmt: skip
    assert len(kubectl.get("pods", "--namespace", NAMESPACE, "--selector", "app=idle")["items"]) == 3


def test_a_token_says_who_it_is_for(kubectl: Kubectl) -> None:
    token = kubectl.run("create", "token", "default", "--namespace", NAMESPACE, "--audience", AUDIENCE).strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == f"system:serviceaccount:{NAMESPACE}:default"
    assert claims["aud"] == [AUDIENCE]
    assert claims["exp"] - claims["iat"] == 3600


def test_patch_edits_one_entry_of_a_list(kubectl: Kubectl) -> None:
    one_variable = {"name": "idle", "env": [{"name": "ADDED", "value": "1"}]}
    change = {"spec": {"template": {"spec": {"containers": [one_variable]}}}}
    kubectl.run("patch", "deployment", "idle", "--namespace", NAMESPACE, "--patch", json.dumps(change))
    container = kubectl.get("deployment", "idle", "--namespace", NAMESPACE)["spec"]["template"]["spec"]["containers"][0]
    assert {each["name"] for each in container["env"]} >= {"ADDED"}
    assert container["image"] == "registry.example.com/idle:1"


def test_explain_knows_the_fields(kubectl: Kubectl) -> None:
    assert "replicas" in kubectl.run("explain", "deployment.spec")


def test_deleting_the_namespace_deletes_all_in_it(kubectl: Kubectl) -> None:
    kubectl.run("delete", "namespace", NAMESPACE, "--wait", "--timeout", "60s")
    assert "NotFound" in kubectl.refusal("get", "namespace", NAMESPACE)
    assert kubectl.get("pods", "--namespace", NAMESPACE)["items"] == []


def test_nodes_stay_when_the_virtual_nodes_are_scaled_down(kubectl: Kubectl) -> None:
    kubectl.run("scale", "statefulset", "virtualnode", "--namespace", "vn2", "--replicas", "1")
    kubectl.run("wait", "pod/virtualnode-1", "--namespace", "vn2", "--for", "delete", "--timeout", "20s")
    table = kubectl.run("get", "nodes", "--selector", "virtualization=virtualnode2").splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["virtualnode-0", "Ready"], ["virtualnode-1", "Ready"]]
    kubectl.run("scale", "statefulset", "virtualnode", "--namespace", "vn2", "--replicas", "2")
    kubectl.run("rollout", "status", "statefulset/virtualnode", "--namespace", "vn2", "--timeout", "20s")
