# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.virtual_nodes import (
    CONFIDENTIAL,
    IMAGE_CACHE,
    INJECT_KUBE_PROXY,
    TAINT,
    Census,
    gets_kube_proxy,
    lacks_identity,
    wants_pod,
    why_foreign,
)
from hypothesis import given
from hypothesis import strategies as st

OPTED_OUT = {INJECT_KUBE_PROXY: "false"}
ON_VIRTUAL_NODES = {"virtualization": "virtualnode2"}


def node(name="virtualnode-0", *, capacity=200, ready="True", **spec):
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "labels": dict(ON_VIRTUAL_NODES)},
        "spec": {"taints": [{"key": TAINT, "value": "azure", "effect": "NoSchedule"}], **spec},
        "status": {
            "allocatable": {"pods": str(capacity)},
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {"kubeletVersion": "v1.34.6"},
        },
    }


def stateful_set(replicas, name="virtualnode", start=None, env=(), **metadata):
    container = {"name": "proxycri", "env": list(env)}
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    return {
        "metadata": {"name": name, "namespace": "vn2", **metadata},
        "spec": spec if start is None else {**spec, "ordinals": {"start": start}},
    }


def backing(name="virtualnode-0", phase="Running", **metadata):
    return {
        "metadata": {"name": name, "namespace": "vn2", **metadata},
        "spec": {"nodeName": "aks-nodepool1-0", "containers": []},
        "status": {"phase": phase},
    }


def pod(name="orders-1", node_name="virtualnode-0", phase="Running", annotations=None, labels=None, owner=None, **spec):
    metadata = {"name": name, "namespace": "shop", "annotations": annotations or {}, "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return {
        "metadata": metadata,
        "spec": {"nodeName": node_name, "containers": [{"name": "app"}], **spec},
        "status": {"phase": phase},
    }


def count(nodes, pods, sets=()):
    census = Census(ON_VIRTUAL_NODES)
    census.see_nodes(nodes)
    census.see_stateful_sets(sets)
    for each in pods:
        census.see_pod(each)
    return census.fleet()


def test_room_is_what_the_bound_pods_leave():
    fleet = count([node(capacity=3)], [backing(), pod("a"), pod("b", phase="Pending"), pod("c", phase="Succeeded")])
    assert (fleet.pods, fleet.room, fleet.capacity) == (2, 1, 3)


def test_a_node_over_its_limit_has_no_room_and_takes_none_from_others():
    full = [pod(f"p{number}") for number in range(3)]
    fleet = count([node(capacity=2), node("virtualnode-1", capacity=5)], [backing(), backing("virtualnode-1"), *full])
    assert fleet.room == 5


@pytest.mark.parametrize(
    ("unfit", "behind"),
    [
        (node(unschedulable=True), backing()),
        (node(ready="Unknown"), backing()),
        (node(), backing(deletionTimestamp="2026-01-01T00:00:00Z")),
        (node(), None),
    ],
    ids=["cordoned", "not ready", "its pod is going", "stale"],
)
def test_there_is_room_only_where_a_pod_would_start(unfit, behind):
    assert count([unfit], [behind] if behind else []).room == 0


def test_a_node_without_a_pod_of_its_name_is_stale():
    fleet = count([node(), node("virtualnode-1")], [backing()])
    assert [each.name for each in fleet.stale] == ["virtualnode-1"]


@pytest.mark.parametrize("phase", ["Pending", "Running", "Failed", "Unknown"])
def test_a_backing_pod_counts_whatever_its_phase(phase):
    assert not count([node()], [backing(phase=phase)]).stale


def test_a_backing_pod_that_is_going_counts_while_it_is_there():
    fleet = count([node()], [backing(deletionTimestamp="2026-01-01T00:00:00Z")])
    assert not fleet.stale
    assert fleet.nodes[0].backing_pod.terminating


def test_a_pod_on_a_virtual_node_backs_none():
    assert count([node()], [pod("virtualnode-0", node_name="virtualnode-0")]).stale


def test_a_node_whose_pod_is_to_come_back_is_awaited():
    fleet = count([node(), node("virtualnode-1")], [], [stateful_set(1)])
    assert [(each.name, each.awaited) for each in fleet.nodes] == [("virtualnode-0", True), ("virtualnode-1", False)]
    assert [each.name for each in fleet.stale] == ["virtualnode-1"]


@pytest.mark.parametrize(
    ("given", "name", "wanted"),
    [
        (stateful_set(2), "virtualnode-1", True),
        (stateful_set(2), "virtualnode-2", False),
        (stateful_set(0), "virtualnode-0", False),
        (stateful_set(2, start=5), "virtualnode-6", True),
        (stateful_set(2, start=5), "virtualnode-0", False),
        (stateful_set(None), "virtualnode-0", True),
        (stateful_set(2, "other"), "virtualnode-0", False),
        (stateful_set(2, deletionTimestamp="2026-01-01T00:00:00Z"), "virtualnode-0", False),
        (stateful_set(2), "virtualnode", False),
    ],
)
def test_a_stateful_set_wants_pods_by_ordinal(given, name, wanted):
    assert wants_pod(given, name) is wanted


def foreign(**changes):
    given = node(changes.pop("name", "virtualnode-0"))
    given["metadata"]["labels"].update(changes.pop("labels", {}))
    given["spec"].update(changes)
    return given


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (foreign(labels={"virtualization": "kwok"}), "no label virtualization=virtualnode2"),
        (foreign(taints=[]), "no taint virtual-kubelet.io/provider"),
        (foreign(taints=[{"key": TAINT, "value": "kwok"}]), "taint virtual-kubelet.io/provider=kwok"),
        (foreign(providerID="azure:///x"), "a machine of a cloud provider: azure:///x"),
        (foreign(name="virtual-node-aci-linux"), "its name is not that of a StatefulSet's pod"),
    ],
)
def test_a_node_of_another_kind_is_foreign_and_never_stale(given, why):
    assert why_foreign(given) == why
    fleet = count([given], [])
    assert not fleet.stale
    assert fleet.room == 0


def test_the_add_on_that_came_before_is_foreign_by_its_kubelet():
    given = node("virtual-node-0")
    given["status"]["nodeInfo"]["kubeletVersion"] = "v1.25.0-vk-azure-aci-1.6.1"
    assert why_foreign(given) == "kubelet version v1.25.0-vk-azure-aci-1.6.1, which is Virtual Kubelet's"


@pytest.mark.parametrize("value", ["", "azure"])
def test_a_virtual_node_is_known_by_label_and_taint(value):
    assert not why_foreign(foreign(taints=[{"key": TAINT, "value": value}] if value else [{"key": TAINT}]))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, True),
        ({INJECT_KUBE_PROXY: "true"}, True),
        (OPTED_OUT, False),
        ({CONFIDENTIAL: "cG9saWN5"}, False),
        ({CONFIDENTIAL: ""}, True),
    ],
)
def test_kube_proxy_comes_unless_the_pod_opts_out_or_is_confidential(annotations, expected):
    assert gets_kube_proxy(pod(annotations=annotations)) is expected


def test_workloads_with_kube_proxy_are_told_by_what_people_change():
    replica_set = {"owner": ("ReplicaSet", "orders-5d9c"), "labels": {"pod-template-hash": "5d9c"}}
    fleet = count(
        [node()],
        [
            backing(),
            pod("a", **replica_set),
            pod("b", **replica_set),
            pod("c", annotations=OPTED_OUT),
            pod("d", node_name="aks-nodepool1-0"),
            pod("e", phase="Failed"),
            pod("cache", annotations={IMAGE_CACHE: "true"}),
            pod("alone"),
        ],
    )
    assert [(each.kind, each.name, each.pods) for each in fleet.with_kube_proxy] == [
        ("Deployment", "orders", 2),
        ("Pod", "alone", 1),
    ]


def test_a_chart_without_kube_proxy_gives_it_to_no_pod():
    off = stateful_set(1, env=[{"name": "VirtualNode_KubeProxyEnabled", "value": "false"}])
    fleet = count([node()], [backing(), pod()], [off])
    assert fleet.with_kube_proxy == ()
    assert fleet.nodes[0].kube_proxy is False


def test_the_chart_is_told_by_the_stateful_set():
    labelled = stateful_set(1, labels={"helm.sh/chart": "virtualnode-1.3409.26080501"})
    assert count([node()], [backing()], [labelled]).nodes[0].chart == "virtualnode-1.3409.26080501"


TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"audience": "api://AzureADTokenExchange"}}]}}
WITH_CLIENT_ID = [{"name": "app", "env": [{"name": "AZURE_CLIENT_ID", "value": "1"}]}, {"name": "side"}]


@pytest.mark.parametrize(
    ("labels", "spec", "expected"),
    [
        ({}, {}, False),
        ({"azure.workload.identity/use": "false"}, {}, False),
        ({"azure.workload.identity/use": "true"}, {}, True),
        ({"azure.workload.identity/use": "true"}, {"volumes": [TOKEN]}, True),
        ({"azure.workload.identity/use": "true"}, {"containers": WITH_CLIENT_ID}, True),
        ({"azure.workload.identity/use": "true"}, {"containers": WITH_CLIENT_ID, "volumes": [TOKEN]}, False),
    ],
)
def test_a_pod_that_asks_for_identity_needs_client_id_and_token(labels, spec, expected):
    assert lacks_identity(pod(labels=labels, **spec)) is expected


def test_pods_that_wait_for_a_virtual_node_are_counted():
    fleet = count(
        [node()],
        [
            backing(),
            pod("a", node_name="", phase="Pending", nodeSelector={**ON_VIRTUAL_NODES, "kubernetes.io/os": "linux"}),
            pod("b", node_name="", phase="Pending"),
        ],
    )
    assert fleet.waiting == 1


def test_nodes_are_listed_by_number():
    names = ["virtualnode-10", "virtualnode-9", "east-0"]
    assert [each.name for each in count([node(name) for name in names], []).nodes] == [
        "east-0",
        "virtualnode-9",
        "virtualnode-10",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]))),
    st.sets(st.integers(0, 9)),
    st.integers(0, 12),
)
def test_no_pod_is_lost_and_no_backed_node_is_stale(placed, backed, replicas):
    nodes = [node(f"virtualnode-{number}", capacity=5) for number in range(10)]
    pods = [pod(f"p{index}", f"virtualnode-{number}", phase) for index, (number, phase) in enumerate(placed)]
    behind = [backing(f"virtualnode-{number}") for number in backed]
    fleet = count(nodes, [*pods, *behind], [stateful_set(replicas)])
    assert fleet.pods == sum(phase in ("Pending", "Running") for _number, phase in placed)
    assert {each.name for each in fleet.stale} == {
        f"virtualnode-{number}" for number in range(10) if number not in backed and number >= replicas
    }
    assert fleet.room == sum(max(0, 5 - each.pods) for each in fleet.nodes if each.backing_pod)
