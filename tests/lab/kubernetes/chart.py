# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart of virtual nodes: a StatefulSet of infrastructure pods, each of which registers a Node of its own name.

When the StatefulSet is scaled down, the pods go, the highest first, and their Nodes stay as they are.
"""

from __future__ import annotations

from lab.kubernetes import admission
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.garbage import delete
from lab.kubernetes.index import Index, Reference, controller_of
from lab.kubernetes.namespaces import new_namespace
from lab.kubernetes.node_objects import conditions, virtual_node
from lab.kubernetes.pods import is_active, is_ready, owner_reference
from lab.kubernetes.registry import NAMESPACE, NODE, POD, SERVICE_ACCOUNT, STATEFUL_SET
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

NAMESPACE_NAME, RELEASE = "vn2", "virtualnode"
CHART_VERSION = "1.3409.26080501"
INFRASTRUCTURE = "virtualnodeInfraHealthCheckEligible"
MANAGER = "kube-controller-manager"
_ACCOUNT = "virtual-node2-helm"
_ORDINAL_LABEL = "apps.kubernetes.io/pod-index"
_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
# How long the API server keeps pods whose node is gone: a minute and more in a real cluster.
ORPHANED_SECONDS = 1.0


def is_infrastructure(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(INFRASTRUCTURE) == "true"


def infrastructure_of(index: Index, node: str) -> Object | None:
    """The infrastructure pod of a virtual node, while it runs."""
    for pod in index.named(node):
        if is_infrastructure(pod) and is_ready(pod) and "deletionTimestamp" not in pod["metadata"]:
            return pod
    return None


class Charts:
    """The StatefulSet controller, as far as releases of the chart need it, and the kubelets that register Nodes."""

    def __init__(self, store: Store, settings: ClusterSettings, index: Index) -> None:
        self._store = store
        self._settings = settings
        self._index = index
        self._registered: set[str] = set()
        # Until then, the lab's own release starts all its pods at once.
        self._installed = False
        self.queue = WorkQueue(self._reconcile)
        self.orphans = WorkQueue(self._remove_orphans)

    def start(self) -> None:
        """Install the release of the lab; its nodes are there at once."""
        if not self._settings.virtual_nodes or self._store.find(STATEFUL_SET, NAMESPACE_NAME, RELEASE):
            return
        if not self._store.find(NAMESPACE, "", NAMESPACE_NAME):
            self._store.create(NAMESPACE, new_namespace(NAMESPACE_NAME))
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        metadata = {"name": _ACCOUNT, "namespace": NAMESPACE_NAME}
        self._store.create(SERVICE_ACCOUNT, {**account, "metadata": metadata})
        stateful_set = _stateful_set(self._settings.virtual_nodes)
        admission.create(self._store, self._settings, STATEFUL_SET, stateful_set, "helm")

    def follow(self, event: Event) -> None:
        if event.kind is STATEFUL_SET and event.type != "DELETED":
            self.queue.add((event.namespace, event.object["metadata"]["name"]))
        elif event.kind is POD and is_infrastructure(event.object):
            owner = controller_of(event.object)
            if owner and owner["kind"] == STATEFUL_SET.kind:
                self.queue.add((event.namespace, owner["name"]))
        elif event.kind is NODE and event.type == "DELETED":
            self.orphans.add_after(event.object["metadata"]["name"], ORPHANED_SECONDS)

    def _reconcile(self, key: tuple[str, str]) -> None:
        stateful_set = self._store.find(STATEFUL_SET, *key)
        if stateful_set is None or "deletionTimestamp" in stateful_set["metadata"]:
            return
        labels = (stateful_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        if labels.get(INFRASTRUCTURE) != "true":
            return
        pods = {_ordinal(pod): pod for pod in self._index.owned_objects(POD, stateful_set["metadata"]["uid"])}
        self._scale(stateful_set, pods)
        for pod in pods.values():
            if is_ready(pod) and pod["metadata"]["uid"] not in self._registered:
                self._register(pod)
        self._write_status(stateful_set)

    def _scale(self, stateful_set: Object, pods: dict[int, Object]) -> None:
        spec = stateful_set["spec"]
        first = (spec.get("ordinals") or {}).get("start", 0)
        wanted = range(first, first + spec.get("replicas", 1))
        if any(not is_active(pod) for pod in pods.values()):
            # One at a time, and only while all is well.
            return
        surplus = sorted(set(pods) - set(wanted))
        if surplus:
            delete(self._store, Reference.to(POD, pods[surplus[-1]]))
            return
        for ordinal in wanted:
            pod = pods.get(ordinal)
            if pod is None:
                self._create(stateful_set, ordinal)
            in_order = self._installed and spec.get("podManagementPolicy") != "Parallel"
            if in_order and not (pod and is_ready(pod)):
                return
        self._installed = self._installed or all(is_ready(pod) for pod in pods.values())

    def _create(self, stateful_set: Object, ordinal: int) -> None:
        metadata, template = stateful_set["metadata"], stateful_set["spec"]["template"]
        name = f"{metadata['name']}-{ordinal}"
        labels = {**template["metadata"]["labels"], _NAME_LABEL: name, _ORDINAL_LABEL: str(ordinal)}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **template["metadata"],
                "name": name,
                "namespace": metadata["namespace"],
                "labels": labels,
                "ownerReferences": [owner_reference(STATEFUL_SET, stateful_set)],
            },
            "spec": {**template["spec"], "hostname": name},
        }
        admission.create(self._store, self._settings, POD, pod, MANAGER)

    def _register(self, pod: Object) -> None:
        self._registered.add(pod["metadata"]["uid"])
        name = pod["metadata"]["name"]
        found = self._store.find(NODE, "", name)
        if found is None:
            self._store.create(NODE, virtual_node(name, pod["status"]["podIP"]))
        else:
            self._store.set_status(NODE, found, {**found["status"], "conditions": conditions()})

    def _write_status(self, stateful_set: Object) -> None:
        counts = self._index.counts(stateful_set["metadata"]["uid"])
        revision = f"{stateful_set['metadata']['name']}-{CHART_VERSION.rpartition('.')[2]}"
        status = {
            "observedGeneration": stateful_set["metadata"].get("generation", 1),
            "replicas": counts.active,
            "readyReplicas": counts.ready,
            "availableReplicas": counts.ready,
            "currentReplicas": counts.active,
            "updatedReplicas": counts.active,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        present = self._store.get(STATEFUL_SET, stateful_set["metadata"]["namespace"], stateful_set["metadata"]["name"])
        self._store.set_status(STATEFUL_SET, present, status)

    def _remove_orphans(self, node: str) -> None:
        """Pods whose Node is gone are deleted (the pod garbage collector)."""
        if self._store.find(NODE, "", node) is None:
            for pod in self._index.on_node(node):
                self._store.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _stateful_set(replicas: int) -> Object:
    """What the chart's template comes to with its default values."""
    selector = {"app.kubernetes.io/name": "virtualnode", "app.kubernetes.io/instance": RELEASE}
    labels = {
        **selector,
        "helm.sh/chart": f"virtualnode-{CHART_VERSION}",
        "app.kubernetes.io/version": CHART_VERSION,
        "app.kubernetes.io/managed-by": "Helm",
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "serviceAccountName": _ACCOUNT,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [_container(name, *requests) for name, requests in _CONTAINERS.items()],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": RELEASE, "namespace": NAMESPACE_NAME, "labels": labels},
        "spec": {
            "replicas": replicas,
            "serviceName": "",
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": {**selector, INFRASTRUCTURE: "true"}}, "spec": spec},
        },
    }


# Name to requests of cpu and memory.
_CONTAINERS = {
    "kubelet": ("1", "3G"),
    "virtualcsi": ("0", "0"),
    "crisocketotcpadapter": ("0", "0"),
    "spdycompat": ("0", "0"),
    "proxycri": ("1800m", "6G"),
    "node-driver-registrar": ("0", "0"),
}


def _container(name: str, cpu: str, memory: str) -> Object:
    image = f"mcr.microsoft.com/aci/virtual-node-2-{name}:main"
    environment = [{"name": "VirtualNode_KubeProxyEnabled", "value": "true"}] if name == "proxycri" else []
    return {
        "name": name,
        "image": image,
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
        **({"env": environment} if environment else {}),
    }
