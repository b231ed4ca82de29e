# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual nodes: what stands behind them, how pods start and fail on them, and what kube-proxies cost."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api

from harness.laboratory import Lab, running_lab
from lab_tests.waiting import eventually

ON_VIRTUAL_NODES = {
    "nodeSelector": {"virtualization": "virtualnode2"},
    "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}],
}
ANNOTATION = "microsoft.containerinstance.virtualnode."
DEFAULTS = {"start_seconds": 0.1, "start_spread": 0.0, "failure_rate": 0.0, "failures": ["image", "quota"]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    scenario = {"virtual_nodes": 3, "ordinary_nodes": 2, "pod_start_seconds": 0.1, "listener_cost": True}
    with running_lab(tmp_path_factory.mktemp("lab"), scenario) as running:
        yield running


@pytest.fixture(autouse=True)
def sound_pods(lab: Lab) -> Iterator[None]:
    yield
    lab.change_pods(**DEFAULTS)


@pytest.fixture
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


@pytest.fixture
def apps(kube: ApiClient) -> AppsV1Api:
    return AppsV1Api(kube)


@pytest.fixture
def namespace(core: CoreV1Api, name: str) -> Iterator[str]:
    core.create_namespace({"metadata": {"name": name}})
    eventually(lambda: core.list_namespaced_service_account(name).items)
    yield name
    core.delete_namespace(name)
    eventually(lambda: name not in [each.metadata.name for each in core.list_namespace().items])


def deployment(name: str, replicas: int, **annotations: str) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": name}, "annotations": {f"{ANNOTATION}{k}": v for k, v in annotations.items()}},
        "spec": {
            "containers": [{"name": "app", "image": "registry.example.com/none:1"}],
            "terminationGracePeriodSeconds": 0,
            **ON_VIRTUAL_NODES,
        },
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def ready(apps: AppsV1Api, namespace: str, name: str) -> int:
    return apps.read_namespaced_deployment(name, namespace).status.ready_replicas or 0


def nodes(core: CoreV1Api) -> dict[str, Any]:
    return {each.metadata.name: each for each in core.list_node(label_selector="virtualization=virtualnode2").items}


# What stands behind a node


def test_each_virtual_node_has_a_pod_of_its_name(core: CoreV1Api) -> None:
    behind = core.list_namespaced_pod("vn2").items
    assert {pod.metadata.name for pod in behind} == set(nodes(core))
    assert {pod.metadata.owner_references[0].kind for pod in behind} == {"StatefulSet"}
    assert all(pod.spec.node_name.startswith("aks-nodepool1-") for pod in behind)


def test_a_virtual_node_is_what_the_chart_makes(core: CoreV1Api) -> None:
    node = nodes(core)["virtualnode-0"]
    assert node.status.allocatable["pods"] == "200"
    assert [(taint.key, taint.effect) for taint in node.spec.taints] == [("virtual-kubelet.io/provider", "NoSchedule")]
    assert node.status.node_info.kubelet_version.startswith("v1.34.")
    assert node.spec.provider_id is None


def test_scaling_down_leaves_the_nodes_and_scaling_up_takes_them_again(
    core: CoreV1Api, apps: AppsV1Api, namespace: str
) -> None:
    apps.patch_namespaced_stateful_set_scale("virtualnode", "vn2", {"spec": {"replicas": 1}})
    eventually(lambda: [pod.metadata.name for pod in core.list_namespaced_pod("vn2").items] == ["virtualnode-0"])
    left = nodes(core)
    assert set(left) == {"virtualnode-0", "virtualnode-1", "virtualnode-2"}
    assert {each.type: each.status for each in left["virtualnode-2"].status.conditions}["Ready"] == "True"

    # The scheduler binds pods to what looks Ready; nobody starts them.
    apps.create_namespaced_deployment(namespace, deployment("lost", 6))
    eventually(lambda: ready(apps, namespace, "lost") == 2)
    time.sleep(0.5)
    assert ready(apps, namespace, "lost") == 2

    apps.patch_namespaced_stateful_set_scale("virtualnode", "vn2", {"spec": {"replicas": 3}})
    eventually(lambda: ready(apps, namespace, "lost") == 6)


def test_the_pods_of_a_deleted_node_are_deleted(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    core.create_node({"metadata": {"name": "by-hand-0", "labels": {"by": "hand"}}, "spec": {}})
    pod = {
        "metadata": {"name": "bound"},
        "spec": {"nodeName": "by-hand-0", "containers": [{"name": "a", "image": "b"}]},
    }
    core.create_namespaced_pod(namespace, pod)
    time.sleep(0.5)
    assert core.read_namespaced_pod("bound", namespace).status.phase == "Pending"
    core.delete_node("by-hand-0")
    eventually(lambda: not core.list_namespaced_pod(namespace).items)


# How pods start and fail


def test_pods_take_as_long_as_the_settings_say(lab: Lab, apps: AppsV1Api, namespace: str) -> None:
    lab.change_pods(start_seconds=1.0, start_spread=0.4, seed=7)
    began = time.monotonic()
    apps.create_namespaced_deployment(namespace, deployment("slow", 60))
    moments: list[float] = []
    while len(moments) < 60:
        count = ready(apps, namespace, "slow")
        moments += [time.monotonic() - began] * (count - len(moments))
        time.sleep(0.02)
    assert 0.8 < statistics.median(moments) < 1.7
    assert moments[54] - moments[5] > 0.5


def test_the_same_share_of_pods_fails_in_the_words_of_kubelet_and_registry(
    lab: Lab, core: CoreV1Api, apps: AppsV1Api, namespace: str
) -> None:
    lab.change_pods(failure_rate=0.2, failures=["image", "quota"], seed=1)
    apps.create_namespaced_deployment(namespace, deployment("some", 50))
    eventually(lambda: len(_messages(core, namespace)) + ready(apps, namespace, "some") == 50)
    failed = _messages(core, namespace)
    assert 4 <= len(failed) <= 18
    reasons = Counter(reason for reason, _message in failed.values())
    assert set(reasons) == {"Failed", "FailedCreatePodSandBox"}
    quota = [message for reason, message in failed.values() if reason == "FailedCreatePodSandBox"]
    assert "container group quota 'StandardCores' exceeded in region 'westeurope'" in quota[0]
    waiting = {
        status.state.waiting.reason
        for pod in core.list_namespaced_pod(namespace).items
        for status in pod.status.container_statuses
        if status.state.waiting
    }
    assert waiting <= {"ErrImagePull", "ImagePullBackOff", "ContainerCreating"}


def _messages(core: CoreV1Api, namespace: str) -> dict[str, tuple[str, str]]:
    """The first warning about each pod."""
    events = core.list_namespaced_event(namespace, field_selector="type=Warning,involvedObject.kind=Pod").items
    return {each.involved_object.name: (each.reason, each.message) for each in events if each.reason != "BackOff"}


def test_failing_pods_start_once_nothing_fails_any_more(lab: Lab, apps: AppsV1Api, namespace: str) -> None:
    lab.change_pods(failure_rate=1.0, failures=["crash"])
    apps.create_namespaced_deployment(namespace, deployment("broken", 3))
    time.sleep(1.0)
    lab.change_pods(failure_rate=0.0)
    eventually(lambda: ready(apps, namespace, "broken") == 3, seconds=30)


def test_a_setting_that_cannot_be_is_refused(lab: Lab) -> None:
    with pytest.raises(Exception, match="400"):
        lab.change_pods(failure_rate=2)


# kube-proxy


@pytest.mark.parametrize(
    ("choice", "listeners"),
    [
        ({}, 10),
        ({"injectkubeproxy": "true"}, 10),
        ({"injectkubeproxy": "false"}, 0),
        ({"ccepolicy": "cG9saWN5"}, 0),
    ],
    ids=["unless told otherwise", "asked for", "opted out", "confidential"],
)
def test_two_listeners_for_each_pod_with_kube_proxy(
    lab: Lab, apps: AppsV1Api, namespace: str, choice: dict[str, str], listeners: int
) -> None:
    before = lab.figures()["listeners"]
    apps.create_namespaced_deployment(namespace, deployment("app", 5, **choice))
    eventually(lambda: ready(apps, namespace, "app") == 5)
    assert lab.figures()["listeners"] - before == listeners
    apps.delete_namespaced_deployment("app", namespace)
    eventually(lambda: lab.figures()["listeners"] == before)


def test_each_change_costs_more_the_more_listeners_there_are(lab: Lab, apps: AppsV1Api, namespace: str) -> None:
    def cost(name: str, **annotations: str) -> float:
        before = lab.figures()["listener_cpu_seconds"]
        apps.create_namespaced_deployment(namespace, deployment(name, 100, **annotations))
        eventually(lambda: ready(apps, namespace, name) == 100)
        return lab.figures()["listener_cpu_seconds"] - before

    # The model: 6.3 ms a change, and 33 microseconds for each pod that hears of it.
    assert cost("without", injectkubeproxy="false") == pytest.approx(100 * 0.0063, rel=0.02)
    assert cost("with") == pytest.approx(100 * 0.0063 + 33e-6 * 5050, rel=0.05)
