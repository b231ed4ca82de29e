# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watches that kube-proxies hold on the API server, and a model of what they cost it.

The chart injects kube-proxy into every pod on a virtual node that does not opt out; it watches Services and
EndpointSlices. A pod that becomes ready changes a slice, and the API server sends that to every one of them.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lab.kubernetes.pods import is_ready
from lab.kubernetes.registry import NODE, POD, STATEFUL_SET, known
from lab.kubernetes.store import Event, Object, Store

INJECT_KUBE_PROXY = "microsoft.containerinstance.virtualnode.injectkubeproxy"
# The policy that makes a pod confidential.
CONFIDENTIAL = "microsoft.containerinstance.virtualnode.ccepolicy"
LISTENERS_PER_POD = 2
VIRTUAL_NODE = ("virtualization", "virtualnode2")

_CHART_SWITCH = "VirtualNode_KubeProxyEnabled"
_ENDPOINT_SLICE = known("discovery.k8s.io/v1", "EndpointSlice")


@dataclass(frozen=True)
class ListenerCost:
    """Measured on a real kube-apiserver of the current release, on 2 cores that it shared with the clients: with 0 to
    2,000 pods of two watches each, a change of an EndpointSlice cost 6.3 ms and 33 microseconds for each pod, and each pod
    took 0.23 MiB. A model of that machine, and no figure of Azure's.

    :ivar seconds_per_change: CPU time of the API server for a change of a slice without listeners.
    :ivar seconds_per_pod_and_change: the same for each pod that hears of it.
    :ivar cores: processors of the API server; what they have not worked off yet, requests wait for.
    """

    seconds_per_change: float = 0.0063
    seconds_per_pod_and_change: float = 33e-6
    cores: float = 2.0


class Listeners:
    """
    :ivar slice_changes: how often a slice has changed.
    :ivar cpu_seconds: what that has cost the API server, by the model.
    """

    def __init__(self, store: Store, cost: ListenerCost | None) -> None:
        self._store = store
        self._cost = cost
        self._busy_until = 0.0
        self._pods: set[str] = set()
        self.slice_changes = 0
        self.cpu_seconds = 0.0

    @property
    def pods(self) -> int:
        """Pods on virtual nodes that run with kube-proxy."""
        return len(self._pods)

    @property
    def count(self) -> int:
        return LISTENERS_PER_POD * self.pods

    def follow(self, event: Event) -> None:
        if event.kind is _ENDPOINT_SLICE:
            self._slice_changed()
        elif event.kind is POD:
            before = event.old or {}
            after = {} if event.type == "DELETED" else event.object
            uid = event.object["metadata"]["uid"]
            if after and self._has_kube_proxy(after):
                self._pods.add(uid)
            else:
                self._pods.discard(uid)
            if _serves(before) != _serves(after):
                self._slice_changed()

    async def served(self) -> None:
        """Return when the API server has got round to a request that comes now."""
        wait = self._busy_until - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

    def _slice_changed(self) -> None:
        self.slice_changes += 1
        if self._cost is not None:
            seconds = self._cost.seconds_per_change + self._cost.seconds_per_pod_and_change * self.pods
            self.cpu_seconds += seconds
            self._busy_until = max(self._busy_until, time.monotonic()) + seconds / self._cost.cores

    def _has_kube_proxy(self, pod: Object) -> bool:
        if (pod.get("status") or {}).get("phase") != "Running" or not is_injected(pod):
            return False
        node = self._store.find(NODE, "", pod["spec"].get("nodeName", ""))
        return node is not None and is_virtual(node) and self._chart_allows(node["metadata"]["name"])

    def _chart_allows(self, node: str) -> bool:
        """C(kubeProxy.enabled) of the chart wins over annotations; its StatefulSet passes it on to the container runtime."""
        return not any(
            variable == {"name": _CHART_SWITCH, "value": "false"}
            for stateful_set in self._store.iterate(STATEFUL_SET)
            if stateful_set["metadata"]["name"] == node.rpartition("-")[0]
            for container in stateful_set["spec"]["template"]["spec"]["containers"]
            for variable in container.get("env") or []
        )


def is_virtual(node: Object) -> bool:
    key, value = VIRTUAL_NODE
    return (node["metadata"].get("labels") or {}).get(key) == value


def is_injected(pod: Object) -> bool:
    """Whether a virtual node would give the pod a kube-proxy."""
    annotations = pod["metadata"].get("annotations") or {}
    return annotations.get(INJECT_KUBE_PROXY) != "false" and not annotations.get(CONFIDENTIAL)


def _serves(pod: Object) -> bool:
    return bool(pod) and "deletionTimestamp" not in pod["metadata"] and is_ready(pod)
