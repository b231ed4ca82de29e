# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's nodes: an ordinary one, whose pods have no process, and the virtual ones."""

from __future__ import annotations

import asyncio
import itertools

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.container import Container
from lab.kubernetes.errors import bad_request
from lab.kubernetes.kubelet import PodRunner
from lab.kubernetes.pods import is_over
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import NODE, POD
from lab.kubernetes.store import Event, Object, Store, now
from lab.kubernetes.tokens import TokenIssuer

ORDINARY = "aks-nodepool1-12345678-vmss000000"
PODS_PER_VIRTUAL_NODE = 200
VERSION = "v1.34.0"


class Nodes:
    def __init__(self, store: Store, settings: ClusterSettings, tokens: TokenIssuer, recorder: Recorder) -> None:
        self._store = store
        self._settings = settings
        self._tokens = tokens
        self._recorder = recorder
        self._runners: dict[str, PodRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._numbers = itertools.count(10)

    def start(self) -> None:
        virtual = [_virtual_node(number) for number in range(self._settings.virtual_nodes)]
        for node in (_ordinary_node(), *virtual):
            if not self._store.find(NODE, "", node["metadata"]["name"]):
                self._store.create(NODE, node)
        for pod in self._store.list(POD):
            self._see(pod)

    async def run(self) -> None:
        """Until it is cancelled; then all processes are killed."""
        try:
            await asyncio.Event().wait()
        finally:
            self._closing = True
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def follow(self, event: Event) -> None:
        if event.kind is not POD:
            return
        if event.type != "DELETED":
            self._see(event.object)
        elif runner := self._runners.get(event.object["metadata"]["uid"]):
            runner.stop()

    @property
    def api_server_listeners(self) -> int:
        return sum(runner.api_server_listeners for runner in self._runners.values())

    def pod_log(self, namespace: str, name: str, container: str | None) -> bytes:
        pod = self._store.get(POD, namespace, name)
        names = [each["name"] for each in pod["spec"]["containers"]]
        if container is None and len(names) > 1:
            raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
        chosen = container or names[0]
        if chosen not in names:
            raise bad_request(f"container {chosen} is not valid for pod {name}")
        runner = self._runners.get(pod["metadata"]["uid"])
        found = runner.container(chosen) if runner else None
        if found is None:
            raise bad_request(f'container "{chosen}" in pod "{name}" is waiting to start: no host assigned')
        return _log(found, name)

    def _see(self, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        runner = self._runners.get(pod["metadata"]["uid"])
        if runner is None and node and not self._closing and not _is_done(pod) and self._store.find(NODE, "", node):
            runner = self._take(pod, node)
        if runner is not None and "deletionTimestamp" in pod["metadata"]:
            runner.stop()

    def _take(self, pod: Object, node: str) -> PodRunner:
        virtual = node != ORDINARY
        number = next(self._numbers) % 65_000
        ip = f"10.{241 if virtual else 244}.{number // 256}.{number % 256}"
        host_ip = self._store.get(NODE, "", node)["status"]["addresses"][0]["address"]
        runner = PodRunner(
            self._store, self._settings, self._tokens, self._recorder, pod, (ip, host_ip), virtual=virtual
        )
        self._runners[runner.uid] = runner
        task = asyncio.create_task(runner.run())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(runner.uid, done))
        return runner

    def _forget(self, uid: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._runners.pop(uid, None)


def _is_done(pod: Object) -> bool:
    """Over, or ended and only held by a finalizer."""
    metadata = pod["metadata"]
    return is_over(pod) or ("deletionTimestamp" in metadata and not metadata.get("deletionGracePeriodSeconds"))


def _log(container: Container, pod_name: str) -> bytes:
    waiting = container.state.get("waiting")
    if waiting and not container.log():
        why = waiting["reason"]
        failing = "trying and failing to pull image" if "Image" in why else why
        raise bad_request(f'container "{container.spec["name"]}" in pod "{pod_name}" is waiting to start: {failing}')
    return container.log()


def _ordinary_node() -> Object:
    labels = {
        "agentpool": "nodepool1",
        "kubernetes.azure.com/agentpool": "nodepool1",
        "kubernetes.azure.com/mode": "system",
        "kubernetes.azure.com/role": "agent",
        "node.kubernetes.io/instance-type": "Standard_D4s_v5",
    }
    return _node(ORDINARY, labels, [], "10.224.0.4", {"cpu": "4", "memory": "16Gi", "pods": "110"}, VERSION)


def _virtual_node(number: int) -> Object:
    labels = {"virtualization": "virtualnode2", "type": "virtual-kubelet", "kubernetes.io/role": "agent"}
    taints = [{"key": "virtual-kubelet.io/provider", "value": "azure", "effect": "NoSchedule"}]
    capacity = {"cpu": "10000", "memory": "4Ti", "pods": str(PODS_PER_VIRTUAL_NODE)}
    return _node(f"virtualnode-{number}", labels, taints, f"10.224.1.{number + 4}", capacity, f"{VERSION}-vk-azure-aci")


def _node(
    name: str, labels: Object, taints: list[Object], address: str, capacity: dict[str, str], version: str
) -> Object:
    common = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**common, **labels}},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": _conditions(),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.0.0",
                "kernelVersion": "6.8.0-azure",
                "kubeProxyVersion": "",
                "kubeletVersion": version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Ubuntu 24.04 LTS",
                "systemUUID": "",
            },
        },
    }


def _conditions() -> list[Object]:
    wrong = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [(each, "False", f"KubeletHasNo{each}", f"kubelet has no {each}") for each in wrong]
    conditions.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    return [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        for type_, status, reason, message in conditions
    ]
