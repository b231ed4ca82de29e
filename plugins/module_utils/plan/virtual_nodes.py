# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet of virtual nodes, counted from Node, StatefulSet and Pod objects: what is there, how much room, what is stale.

The chart of virtual nodes runs a StatefulSet on ordinary nodes; each of its pods registers a Node of its own name. When
the StatefulSet is scaled down, the pods go and their Nodes stay, still Ready (virtualnodesOnAzureContainerInstances,
NodeCustomizations).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Node, StatefulSet or Pod, as the API server has it in JSON.
Item = Mapping[str, Any]

SELECTOR = "virtualization=virtualnode2"
TAINT = "virtual-kubelet.io/provider"
PODS_PER_NODE = 200

_ANNOTATION = "microsoft.containerinstance.virtualnode."
INJECT_KUBE_PROXY = f"{_ANNOTATION}injectkubeproxy"
CONFIDENTIAL = f"{_ANNOTATION}ccepolicy"
# Such a pod names images for the standby pool and never runs.
IMAGE_CACHE = f"{_ANNOTATION}imagecachepod"
USE_IDENTITY = "azure.workload.identity/use"

_CLIENT_ID = "AZURE_CLIENT_ID"
_EXCHANGE = "api://AzureADTokenExchange"
_NODE_KUBE_PROXY = "VirtualNode_KubeProxyEnabled"
_CHART_LABEL = "helm.sh/chart"
_HASH_LABEL = "pod-template-hash"

_POD_OF_STATEFUL_SET = re.compile(r"(?P<name>.+)-(?P<ordinal>\d+)")


@dataclass(frozen=True)
class BackingPod:
    """The infrastructure pod that makes a virtual node work.

    :ivar terminating: whether it has been deleted and is still there.
    """

    namespace: str
    name: str
    phase: str
    terminating: bool


@dataclass(frozen=True)
class VirtualNode:
    """
    :ivar created: RFC 3339, UTC.
    :ivar capacity: how many pods may be bound to it.
    :ivar pods: how many are, those that are over left out.
    :ivar backing_pod: None if there is none; the node is stale then, unless it is awaited.
    :ivar awaited: whether a StatefulSet is about to make its backing pod again, as after an eviction.
    :ivar foreign: why it is not a virtual node of this kind; empty if it is one.
    :ivar chart: chart and version, as the label of its StatefulSet says; empty if there is none.
    :ivar kube_proxy: False if the chart was installed so that no pod of the node has kube-proxy.
    """

    name: str
    uid: str
    resource_version: str
    created: str
    ready: bool
    cordoned: bool
    deleting: bool
    kubelet_version: str
    capacity: int
    pods: int
    backing_pod: BackingPod | None
    awaited: bool
    foreign: str
    chart: str
    kube_proxy: bool

    @property
    def stale(self) -> bool:
        """Whether nothing is behind it and nothing will be."""
        return not self.foreign and self.backing_pod is None and not self.awaited

    @property
    def takes_pods(self) -> bool:
        """Whether a pod that is bound to it will start. The scheduler binds pods to stale nodes too; those never start."""
        alive = self.backing_pod is not None and not self.backing_pod.terminating
        return self.ready and not self.cordoned and not self.deleting and alive and not self.foreign

    @property
    def room(self) -> int:
        """How many more pods it takes now."""
        return max(0, self.capacity - self.pods) if self.takes_pods else 0


@dataclass(frozen=True)
class Workload:
    """Pods of one controller that have something in common.

    :ivar kind: C(Deployment), C(StatefulSet), …, or C(Pod) for one without a controller.
    """

    namespace: str
    kind: str
    name: str
    pods: int


@dataclass(frozen=True)
class Fleet:
    """
    :ivar nodes: by name.
    :ivar with_kube_proxy: workloads whose pods on virtual nodes get a kube-proxy.
    :ivar without_identity: workloads whose pods on virtual nodes ask for workload identity and lack variable or token.
    :ivar waiting: pods that select virtual nodes and have no node yet.
    """

    nodes: tuple[VirtualNode, ...]
    with_kube_proxy: tuple[Workload, ...]
    without_identity: tuple[Workload, ...]
    waiting: int

    @property
    def room(self) -> int:
        """How many more pods the fleet takes now; those that wait for a node already will want some of it."""
        return sum(node.room for node in self.nodes)

    @property
    def capacity(self) -> int:
        """How many pods fit on the nodes that take pods."""
        return sum(node.capacity for node in self.nodes if node.takes_pods)

    @property
    def pods(self) -> int:
        return sum(node.pods for node in self.nodes)

    @property
    def stale(self) -> tuple[VirtualNode, ...]:
        return tuple(node for node in self.nodes if node.stale)


@dataclass
class Census:
    """Counts pods as they are read, so that no more than one page of them is in memory.

    :ivar selector: labels of virtual nodes, to tell pods that wait for one.
    """

    selector: Mapping[str, str]
    _nodes: dict[str, Item] = field(default_factory=dict)
    _sets: list[Item] = field(default_factory=list)
    _no_kube_proxy: set[str] = field(default_factory=set)
    _bound: Counter[str] = field(default_factory=Counter)
    _backing: dict[str, BackingPod] = field(default_factory=dict)
    _with_kube_proxy: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _without_identity: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _waiting: int = 0

    def see_nodes(self, nodes: Iterable[Item]) -> None:
        """All of them, before the first pod."""
        self._nodes.update((str(node["metadata"]["name"]), node) for node in nodes)

    def see_stateful_sets(self, sets: Iterable[Item]) -> None:
        """All of them, before the first pod. Those that have nothing to do with the nodes are not kept."""
        prefixes = {match["name"] for name in self._nodes if (match := _POD_OF_STATEFUL_SET.fullmatch(name))}
        self._sets.extend(each for each in sets if each["metadata"]["name"] in prefixes)
        self._no_kube_proxy = {name for name in self._nodes if not self._has_kube_proxy(name)}

    def see_pod(self, pod: Item) -> None:
        spec, metadata = pod["spec"], pod["metadata"]
        node, name = str(spec.get("nodeName") or ""), str(metadata["name"])
        if name in self._nodes and node not in self._nodes:
            self._see_backing(pod)
        if is_over(pod):
            return
        if not node:
            wanted = spec.get("nodeSelector") or {}
            self._waiting += bool(self.selector) and self.selector.items() <= wanted.items()
        elif node in self._nodes:
            self._see_bound(pod, node)

    def fleet(self) -> Fleet:
        return Fleet(
            nodes=tuple(self._node(self._nodes[name]) for name in sorted(self._nodes, key=_natural)),
            with_kube_proxy=_workloads(self._with_kube_proxy),
            without_identity=_workloads(self._without_identity),
            waiting=self._waiting,
        )

    def _see_backing(self, pod: Item) -> None:
        metadata = pod["metadata"]
        seen = BackingPod(
            str(metadata.get("namespace") or ""),
            str(metadata["name"]),
            str((pod.get("status") or {}).get("phase") or "Unknown"),
            bool(metadata.get("deletionTimestamp")),
        )
        known = self._backing.get(seen.name)
        # Two namespaces may each have a pod of that name; one that stays tells more than one that goes.
        if known is None or (known.terminating and not seen.terminating):
            self._backing[seen.name] = seen

    def _see_bound(self, pod: Item, node: str) -> None:
        self._bound[node] += 1
        annotations = pod["metadata"].get("annotations") or {}
        if annotations.get(IMAGE_CACHE) == "true":
            return
        if gets_kube_proxy(pod) and node not in self._no_kube_proxy:
            self._with_kube_proxy[_owner(pod)] += 1
        if lacks_identity(pod):
            self._without_identity[_owner(pod)] += 1

    def _node(self, node: Item) -> VirtualNode:
        metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
        name = str(metadata["name"])
        conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
        return VirtualNode(
            name=name,
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            created=str(metadata.get("creationTimestamp") or ""),
            ready=conditions.get("Ready") == "True",
            cordoned=bool(spec.get("unschedulable")),
            deleting=bool(metadata.get("deletionTimestamp")),
            kubelet_version=str((status.get("nodeInfo") or {}).get("kubeletVersion") or ""),
            capacity=int((status.get("allocatable") or {}).get("pods") or 0),
            pods=self._bound[name],
            backing_pod=self._backing.get(name),
            awaited=any(wants_pod(each, name) for each in self._sets),
            foreign=why_foreign(node),
            chart=self._chart(name),
            kube_proxy=name not in self._no_kube_proxy,
        )

    def _sets_of(self, node: str) -> Iterator[Item]:
        match = _POD_OF_STATEFUL_SET.fullmatch(node)
        return (each for each in self._sets if match and each["metadata"]["name"] == match["name"])

    def _chart(self, node: str) -> str:
        labels = (each["metadata"].get("labels") or {} for each in self._sets_of(node))
        return next((str(each[_CHART_LABEL]) for each in labels if each.get(_CHART_LABEL)), "")

    def _has_kube_proxy(self, node: str) -> bool:
        """What the chart gives the node to know; without a word of it there is kube-proxy, which is the default."""
        return not any(
            variable.get("name") == _NODE_KUBE_PROXY and str(variable.get("value")).lower() == "false"
            for each in self._sets_of(node)
            for container in each["spec"]["template"]["spec"]["containers"]
            for variable in container.get("env") or []
        )


def is_over(pod: Item) -> bool:
    """Whether the pod has ended, and takes no room any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def gets_kube_proxy(pod: Item) -> bool:
    """Whether a virtual node gives the pod a kube-proxy: unless it opts out, or is confidential."""
    annotations = pod["metadata"].get("annotations") or {}
    return annotations.get(INJECT_KUBE_PROXY) != "false" and not annotations.get(CONFIDENTIAL)


def lacks_identity(pod: Item) -> bool:
    """Whether the pod asks for workload identity and the webhook gave it no client id, or no token."""
    if (pod["metadata"].get("labels") or {}).get(USE_IDENTITY) != "true":
        return False
    names = {variable.get("name") for each in pod["spec"]["containers"] for variable in each.get("env") or []}
    return _CLIENT_ID not in names or not _has_token(pod)


def _has_token(pod: Item) -> bool:
    return any(
        (source.get("serviceAccountToken") or {}).get("audience") == _EXCHANGE
        for volume in pod["spec"].get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
    )


def wants_pod(stateful_set: Item, name: str) -> bool:
    """Whether a StatefulSet keeps, or is about to make, a pod of this name."""
    match = _POD_OF_STATEFUL_SET.fullmatch(name)
    metadata, spec = stateful_set["metadata"], stateful_set["spec"]
    if match is None or match["name"] != metadata["name"] or metadata.get("deletionTimestamp"):
        return False
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    replicas = spec.get("replicas")
    return first <= int(match["ordinal"]) < first + (1 if replicas is None else int(replicas))


def why_foreign(node: Item) -> str:
    """Why a node is not a virtual node of the chart's, though a selector chose it; empty if it is one.

    The add-on that came before (C(virtual-node-aci-linux)) and other providers of Virtual Kubelet have Nodes with the
    same taint and no backing pod of their name; they are not ours to judge.
    """
    metadata, spec = node["metadata"], node.get("spec") or {}
    labels = metadata.get("labels") or {}
    key, _equals, value = SELECTOR.partition("=")
    if labels.get(key) != value:
        return f"no label {SELECTOR}"
    taints = {each["key"]: str(each.get("value") or "") for each in spec.get("taints") or []}
    if TAINT not in taints:
        return f"no taint {TAINT}"
    if taints[TAINT] and not taints[TAINT].startswith("azure"):
        return f"taint {TAINT}={taints[TAINT]}"
    if spec.get("providerID"):
        return f"a machine of a cloud provider: {spec['providerID']}"
    version = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
    if "-vk-" in version:
        return f"kubelet version {version}, which is Virtual Kubelet's"
    if not _POD_OF_STATEFUL_SET.fullmatch(str(metadata["name"])):
        return "its name is not that of a StatefulSet's pod"
    return ""


def why_kept(node: VirtualNode, *, with_pods: bool) -> str:
    """Why a node is not to be deleted as stale; empty if it is.

    :param with_pods: whether pods that are bound to it are no reason.
    """
    if node.foreign:
        return f"not a virtual node of this kind: {node.foreign}"
    if node.backing_pod is not None:
        state = "Terminating" if node.backing_pod.terminating else node.backing_pod.phase
        return f"backed by pod {node.backing_pod.namespace}/{node.backing_pod.name} ({state})"
    if node.awaited:
        return "its StatefulSet is about to make its pod again"
    if node.deleting:
        return "being deleted already"
    if node.pods and not with_pods:
        return f"{node.pods} pods are bound to it"
    return ""


def _owner(pod: Item) -> tuple[str, str, str]:
    """Namespace, kind and name of what people would change to change the pod."""
    metadata = pod["metadata"]
    namespace = str(metadata.get("namespace") or "")
    owners = metadata.get("ownerReferences") or []
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return namespace, "Pod", str(metadata["name"])
    digest = (metadata.get("labels") or {}).get(_HASH_LABEL)
    if owner["kind"] == "ReplicaSet" and digest and owner["name"].endswith(f"-{digest}"):
        return namespace, "Deployment", str(owner["name"]).removesuffix(f"-{digest}")
    return namespace, str(owner["kind"]), str(owner["name"])


def _workloads(counted: Counter[tuple[str, str, str]]) -> tuple[Workload, ...]:
    return tuple(Workload(*owner, pods=count) for owner, count in sorted(counted.items()))


def _natural(name: str) -> tuple[str, int]:
    """virtualnode-10 comes after virtualnode-9."""
    match = _POD_OF_STATEFUL_SET.fullmatch(name)
    return (match["name"], int(match["ordinal"])) if match else (name, -1)
