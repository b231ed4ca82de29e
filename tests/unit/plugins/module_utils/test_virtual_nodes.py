# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils import virtual_nodes
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError, KubernetesError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube import lists
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.virtual_nodes import read_fleet
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.plan import execute, predict
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.virtual_nodes import SELECTOR, TAINT
from kubernetes.client.exceptions import ApiException

NODES, PODS, SETS = "/api/v1/nodes", "/api/v1/pods", "/apis/apps/v1/statefulsets"


def node(name: str, uid: str = "") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"virtualization": "virtualnode2"},
        },
        "spec": {"taints": [{"key": TAINT, "value": "azure", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"pods": "200"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def pod(name: str, node_name: str = "aks-0") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "vn2"},
        "spec": {"nodeName": node_name, "containers": [{"name": "app"}]},
        "status": {"phase": "Running"},
    }


@dataclass
class Answer:
    data: str


@dataclass
class Cluster:
    """An API server's lists and deletions.

    :ivar before_delete: what somebody else does at the worst moment, once for each deletion.
    :ivar expires: how many lists lose their second page.
    """

    nodes: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    before_delete: list[Callable[[], None]] = field(default_factory=list)
    expires: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        self.requests.append((method, path))
        if method == "delete":
            return self._delete(path.rpartition("/")[2], body)
        found = {NODES: self.nodes, PODS: self.pods, SETS: []}[path]
        name, _equals, value = options.get("field_selector", "").partition("=")
        if name == "metadata.name":
            found = [each for each in found if each["metadata"]["name"] == value]
        elif name == "spec.nodeName":
            found = [each for each in found if each["spec"]["nodeName"] == value]
        start, size = int(options.get("_continue") or 0), options["limit"]
        if start and self.expires:
            self.expires -= 1
            raise refusal(410, "Expired")
        more = {"continue": str(start + size)} if len(found) > start + size else {}
        return Answer(json.dumps({"metadata": more, "items": found[start : start + size]}))

    def _delete(self, name: str, body: Any) -> Answer:
        if self.before_delete:
            self.before_delete.pop(0)()
        found = next((each for each in self.nodes if each["metadata"]["name"] == name), None)
        if found is None:
            raise refusal(404, "NotFound")
        if any(found["metadata"][key] != value for key, value in body["preconditions"].items()):
            raise refusal(409, "Conflict")
        self.nodes.remove(found)
        return Answer("{}")

    @property
    def names(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.nodes]


def refusal(status: int, reason: str) -> ApiException:
    error = ApiException(status=status, reason=reason)
    error.body = json.dumps({"kind": "Status", "reason": reason, "message": reason})
    return error


def heartbeat(found: dict[str, Any]) -> Callable[[], None]:
    def beat() -> None:
        found["metadata"]["resourceVersion"] += "1"

    return beat


def test_long_lists_are_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 10)
    cluster = Cluster([node("v-0")], [pod("v-0"), *(pod(f"p{number}", "v-0") for number in range(24))])
    assert read_fleet(cluster).pods == 24
    assert cluster.requests == [("get", NODES), ("get", SETS), ("get", PODS), ("get", PODS), ("get", PODS)]


def test_a_list_that_expires_is_read_anew_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 10)
    cluster = Cluster([node("v-0")], [pod("v-0"), *(pod(f"p{number}", "v-0") for number in range(24))], expires=2)
    assert read_fleet(cluster).pods == 24


def test_a_list_that_always_expires_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 10)
    cluster = Cluster([node("v-0")], [pod(f"p{number}", "v-0") for number in range(24)], expires=99)
    with pytest.raises(KubernetesError, match="Listing the pods"):
        read_fleet(cluster)


@pytest.mark.parametrize("selector", ["", "virtualization", "a=b,c", "a!=b", "a in (b)", "=b"])
def test_a_selector_that_is_not_of_labels_is_refused(selector: str) -> None:
    with pytest.raises(ConfigurationError, match="node_selector"):
        read_fleet(Cluster([], []), selector)


def test_exactly_the_stale_nodes_are_deleted() -> None:
    cluster = Cluster([node("v-0"), node("v-1"), node("v-2")], [pod("v-0"), pod("busy", "v-2")])
    plan = virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=False)
    assert predict(plan).states.keys() == {"node v-0", "node v-2"}
    outcome = execute(plan)
    assert cluster.names == ["v-0", "v-2"]
    assert plan.report(outcome.states) == {
        "deleted": ["v-1"],
        "kept": [
            {"name": "v-0", "why": "backed by pod vn2/v-0 (Running)"},
            {"name": "v-2", "why": "1 pods are bound to it"},
        ],
    }


def test_nodes_with_pods_go_too_when_that_is_asked_for() -> None:
    cluster = Cluster([node("v-0")], [pod("busy", "v-0")])
    execute(virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=True))
    assert cluster.names == []


def test_a_node_that_is_written_meanwhile_is_read_again_and_deleted() -> None:
    stale = node("v-0")
    cluster = Cluster([stale], [], before_delete=[heartbeat(stale)] * 3)
    assert not execute(virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=False)).failures
    assert cluster.names == []


def test_a_node_that_comes_back_to_life_between_reading_and_deleting_stays() -> None:
    stale = node("v-0")
    cluster = Cluster([stale], [])

    def revive() -> None:
        cluster.pods.append(pod("v-0"))
        heartbeat(stale)()

    cluster.before_delete = [revive]
    outcome = execute(virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=False))
    assert cluster.names == ["v-0"]
    ((_change, error),) = outcome.failures
    assert "not to be deleted now: backed by pod vn2/v-0 (Running)." in str(error)


def test_a_node_that_was_registered_anew_stays() -> None:
    cluster = Cluster([node("v-0")], [])
    plan = virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=False)
    cluster.nodes[0] = node("v-0", uid="another")
    ((_change, error),) = execute(plan).failures
    assert "it has been registered anew" in str(error)
    assert cluster.names == ["v-0"]


def test_a_node_that_is_gone_already_is_no_error() -> None:
    cluster = Cluster([node("v-0")], [])
    plan = virtual_nodes.plan_prune(cluster, SELECTOR, with_pods=False)
    cluster.nodes.clear()
    assert not execute(plan).failures


def test_totals_without_details() -> None:
    told = virtual_nodes.report(Cluster([node("v-0")], [pod("v-0"), pod("a", "v-0")]), SELECTOR, details=False)
    assert told.keys() == {"fleet"}
    assert (told["fleet"]["room"], told["fleet"]["capacity"], told["fleet"]["pods_with_kube_proxy"]) == (199, 200, 1)


def test_details_say_what_is_behind_each_node_and_nothing_internal() -> None:
    told = virtual_nodes.report(Cluster([node("v-0")], [pod("v-0")]), SELECTOR, details=True)
    (shown,) = told["nodes"]
    assert shown["backing_pod"] == {"namespace": "vn2", "name": "v-0", "phase": "Running", "terminating": False}
    assert shown["age"] > 0
    assert not {"uid", "resource_version"} & shown.keys()
