# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies that opt_out_policy.yml installs, against every kind that makes pods and every way to a virtual node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab, running_lab

NAMESPACE, EXEMPT = "shop", "exempt"
KUBE_PROXY = "microsoft.containerinstance.virtualnode.injectkubeproxy"
DNS = "microsoft.containerinstance.virtualnode.injectdns"
CCE_POLICY = "microsoft.containerinstance.virtualnode.ccepolicy"
OPTED_OUT = {KUBE_PROXY: "false"}

Pod = dict[str, Any]
TOLERATION: Pod = {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}
SELECTOR = {"virtualization": "virtualnode2"}
BY_SELECTOR: Pod = {"nodeSelector": SELECTOR, "tolerations": [TOLERATION]}


def affinity(key: str, operator: str, *values: str) -> Pod:
    expression = {"key": key, "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


# How a pod gets to a virtual node, and how it does not.
BOUND: dict[str, Pod] = {
    "by node selector": BY_SELECTOR,
    "tolerating everything": {"nodeSelector": SELECTOR, "tolerations": [{"operator": "Exists"}]},
    "by affinity": {**affinity("virtualization", "In", "other", "virtualnode2"), "tolerations": [TOLERATION]},
    "by the name of the node": {"nodeName": "virtualnode-1"},
}
ELSEWHERE: dict[str, Pod] = {
    "nothing said": {},
    "only tolerated": {"tolerations": [TOLERATION]},
    "only selected": {"nodeSelector": SELECTOR},
    "other nodes selected": {"nodeSelector": {"virtualization": "other"}, "tolerations": [TOLERATION]},
    "another taint tolerated": {"nodeSelector": SELECTOR, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "avoided by affinity": {**affinity("virtualization", "NotIn", "virtualnode2"), "tolerations": [TOLERATION]},
    "another label in the affinity": {**affinity("zone", "In", "virtualnode2"), "tolerations": [TOLERATION]},
    "another node by name": {"nodeName": "aks-nodepool1-0"},
}
KINDS = {
    "Pod": "v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
PLACES = {"Pod": "metadata.annotations", "CronJob": "spec.jobTemplate.spec.template.metadata.annotations"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), {"mutating_admission_policies": True}) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> DynamicClient:
    client = DynamicClient(config.new_client_from_config(config_file=lab.environment["KUBECONFIG"]))
    namespaces = client.resources.get(api_version="v1", kind="Namespace")
    namespaces.create({"metadata": {"name": NAMESPACE}})
    namespaces.create({"metadata": {"name": EXEMPT, "labels": {"aks-virtual-nodes/opt-out-policy": "exempt"}}})
    return client


def install(ansible: AnsiblePlaybook, **variables: Any) -> str:
    given = {f"opt_out_policy_{name}": value for name, value in variables.items()}
    run = ansible.run("playbooks/opt_out_policy.yml", given)
    assert run.returncode == 0, run.output
    return run.recap


@dataclass
class Policies:
    """What is installed; the playbook runs only when something else is wanted."""

    ansible: AnsiblePlaybook
    installed: dict[str, Any] = field(default_factory=dict)

    def have(self, **variables: Any) -> None:
        if variables != self.installed:
            install(self.ansible, **variables)
            self.installed = variables


@pytest.fixture(scope="module")
def policies(ansible: AnsiblePlaybook, cluster: DynamicClient) -> Policies:
    return Policies(ansible)


@pytest.fixture
def refusing(policies: Policies) -> None:
    policies.have(node_names=["virtualnode"], completion="never")


@pytest.fixture
def completing(policies: Policies) -> None:
    policies.have(node_names=["virtualnode"], completion="required")


def manifest(kind: str, pod: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    container = {"name": "x", "image": "registry.example.com/x:1"}
    spec: Pod = {"containers": [container], **pod}
    labels = {"app": "x"}
    metadata = {"labels": labels, **({"annotations": dict(annotations)} if annotations else {})}
    head = {"apiVersion": KINDS[kind], "kind": kind, "metadata": {"name": "x"}}
    if kind == "Pod":
        return head | {"metadata": {"name": "x", **metadata}, "spec": spec}
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
        job = {"template": {"metadata": metadata, "spec": spec}}
        return head | {"spec": job if kind == "Job" else {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}}
    rest = {"serviceName": "x"} if kind == "StatefulSet" else {}
    return head | {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": metadata, "spec": spec},
            **rest,
        }
    }


def ask(
    cluster: DynamicClient,
    kind: str,
    pod: Mapping[str, Any],
    annotations: Mapping[str, str] | None = None,
    namespace: str = NAMESPACE,
) -> dict[str, Any]:
    """What the server would store; nothing is."""
    resource = cluster.resources.get(api_version=KINDS[kind], kind=kind)
    body = manifest(kind, pod, annotations or {})
    return resource.create(body=body, namespace=namespace, dry_run="All").to_dict()


def annotations_of(kind: str, stored: dict[str, Any]) -> dict[str, str]:
    for step in {"Pod": (), "CronJob": ("spec", "jobTemplate", "spec", "template")}.get(kind, ("spec", "template")):
        stored = stored[step]
    return stored["metadata"].get("annotations") or {}


@pytest.mark.parametrize("way", BOUND)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_makes_pods_for_virtual_nodes_needs_the_opt_out(
    cluster: DynamicClient, refusing: None, kind: str, way: str
) -> None:
    with pytest.raises(ApiException) as caught:
        ask(cluster, kind, BOUND[way])
    status = json.loads(caught.value.body)
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert f'add {KUBE_PROXY}: "false"' in status["message"]
    assert f"to {PLACES.get(kind, 'spec.template.metadata.annotations')}, or exempt" in status["message"]
    with pytest.raises(ApiException, match="denied request"):
        ask(cluster, kind, BOUND[way], {KUBE_PROXY: "true"})
    ask(cluster, kind, BOUND[way], OPTED_OUT)
    ask(cluster, kind, BOUND[way], {CCE_POLICY: "cG9saWN5"})
    ask(cluster, kind, BOUND[way], namespace=EXEMPT)


@pytest.mark.parametrize("way", ELSEWHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_pods_for_other_nodes_need_nothing(cluster: DynamicClient, refusing: None, kind: str, way: str) -> None:
    ask(cluster, kind, ELSEWHERE[way])


def test_what_was_there_before_can_be_scaled_and_labelled_but_not_rolled_out_anew(
    cluster: DynamicClient, policies: Policies
) -> None:
    deployments = cluster.resources.get(api_version="apps/v1", kind="Deployment")
    policies.have(state="absent")
    deployments.create(body=manifest("Deployment", BY_SELECTOR, {}), namespace=NAMESPACE)
    policies.have(node_names=["virtualnode"])
    merge = {"content_type": "application/merge-patch+json"}
    for change in ({"spec": {"replicas": 1}}, {"metadata": {"labels": {"team": "shop"}}}, {"spec": {"replicas": 0}}):
        deployments.patch(name="x", namespace=NAMESPACE, body=change, **merge)
    rolled = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    with pytest.raises(ApiException, match="denied request"):
        deployments.patch(name="x", namespace=NAMESPACE, body=rolled, **merge)
    rolled["spec"]["template"]["metadata"]["annotations"][KUBE_PROXY] = "false"
    deployments.patch(name="x", namespace=NAMESPACE, body=rolled, **merge)
    deployments.delete(name="x", namespace=NAMESPACE)


def test_installing_again_changes_nothing(ansible: AnsiblePlaybook, refusing: None, lab: Lab) -> None:
    lab.forget_requests()
    assert " changed=0 " in install(ansible, node_names=["virtualnode"])
    assert lab.writes() == []


@pytest.mark.parametrize("way", BOUND)
@pytest.mark.parametrize("kind", KINDS)
def test_the_completing_policy_adds_what_is_missing(
    cluster: DynamicClient, completing: None, kind: str, way: str
) -> None:
    expected = {KUBE_PROXY: "false", DNS: "false"}
    assert annotations_of(kind, ask(cluster, kind, BOUND[way])) == expected
    assert annotations_of(kind, ask(cluster, kind, BOUND[way], {"a": "b"})) == {"a": "b", **expected}
    assert annotations_of(kind, ask(cluster, kind, BOUND[way], {DNS: "true"})) == {KUBE_PROXY: "false", DNS: "true"}
    confidential = {CCE_POLICY: "cG9saWN5"}
    assert annotations_of(kind, ask(cluster, kind, BOUND[way], confidential)) == confidential
    assert annotations_of(kind, ask(cluster, kind, BOUND[way], namespace=EXEMPT)) == {}
    with pytest.raises(ApiException, match="denied request"):
        ask(cluster, kind, BOUND[way], {KUBE_PROXY: "true"})


@pytest.mark.parametrize("kind", KINDS)
def test_the_completing_policy_leaves_other_pods_alone(cluster: DynamicClient, completing: None, kind: str) -> None:
    assert annotations_of(kind, ask(cluster, kind, {})) == {}


def test_the_completing_policy_goes_when_it_is_no_longer_wanted(
    cluster: DynamicClient, completing: None, policies: Policies
) -> None:
    policies.have(node_names=["virtualnode"])
    with pytest.raises(ApiException, match="denied request"):
        ask(cluster, "Deployment", BY_SELECTOR)
    left = cluster.resources.get(api_version="admissionregistration.k8s.io/v1beta1", kind="MutatingAdmissionPolicy")
    assert left.get().to_dict()["items"] == []


def test_completion_that_is_required_is_refused_by_a_cluster_without_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_lab(tmp_path_factory.mktemp("plain")) as plain:
        ansible = AnsiblePlaybook(tmp_path_factory.mktemp("ansible"), plain.environment)
        refused = ansible.run("playbooks/opt_out_policy.yml", {"opt_out_policy_completion": "required"})
        assert "has no MutatingAdmissionPolicies" in refused.failures[0].result["msg"]
        assert plain.writes() == []
        install(ansible, completion="if_available")
