# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelets of the cluster's nodes: ordinary ones, whose pods have no process, and virtual ones."""

from __future__ import annotations

import asyncio
import itertools

from lab.kubernetes.chart import infrastructure_of, is_infrastructure
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.container import Container
from lab.kubernetes.errors import bad_request
from lab.kubernetes.index import Index
from lab.kubernetes.kubelet import PodRunner
from lab.kubernetes.node_objects import NODE_POOL, ordinary_node
from lab.kubernetes.pods import is_over, is_ready
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import NODE, POD
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.tokens import TokenIssuer


class Nodes:
    def __init__(
        self, store: Store, settings: ClusterSettings, tokens: TokenIssuer, index: Index, recorder: Recorder
    ) -> None:
        self._store = store
        self._index = index
        self._settings = settings
        self._tokens = tokens
        self._recorder = recorder
        self._runners: dict[str, PodRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._numbers = itertools.count(10)

    def start(self) -> None:
        for number in range(self._settings.ordinary_nodes):
            node = ordinary_node(number)
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
        if event.kind is NODE and event.type == "ADDED":
            self._see_all(event.object["metadata"]["name"])
        if event.kind is not POD:
            return
        if is_infrastructure(event.object):
            self._see_infrastructure(event)
        if event.type != "DELETED":
            self._see(event.object)
        elif runner := self._runners.get(event.object["metadata"]["uid"]):
            runner.stop()

    def _see_infrastructure(self, event: Event) -> None:
        """A virtual node lives and dies with the pod of its name."""
        name = event.object["metadata"]["name"]
        if event.type == "DELETED":
            for pod in self._index.on_node(name):
                if runner := self._runners.pop(pod["metadata"]["uid"], None):
                    runner.abandon()
        elif is_ready(event.object) and not (event.old and is_ready(event.old)):
            self._see_all(name)

    def _see_all(self, node: str) -> None:
        for pod in self._index.on_node(node):
            self._see(pod)

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
        if runner is None and node and not self._closing and not _is_done(pod) and self._has_kubelet(node):
            runner = self._take(pod, node)
        if runner is not None and "deletionTimestamp" in pod["metadata"]:
            runner.stop()

    def _has_kubelet(self, name: str) -> bool:
        """Whether anybody runs what is bound to a node. A Node that somebody made by hand has nobody."""
        node = self._store.find(NODE, "", name)
        if node is None:
            return False
        return name.startswith(NODE_POOL) or infrastructure_of(self._index, name) is not None

    def _take(self, pod: Object, node: str) -> PodRunner:
        virtual = not node.startswith(NODE_POOL)
        number = next(self._numbers) % 65_000
        ip = f"10.{241 if virtual else 244}.{number // 256}.{number % 256}"
        host_ip = self._store.get(NODE, "", node)["status"]["addresses"][0]["address"]
        start_seconds, failure = self._start_of(pod, virtual=virtual)
        runner = PodRunner(
            self._store,
            self._settings,
            self._tokens,
            self._recorder,
            pod,
            (ip, host_ip),
            virtual=virtual,
            start_seconds=start_seconds,
            failure=failure,
        )
        self._runners[runner.uid] = runner
        task = asyncio.create_task(runner.run())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(runner, done))
        return runner

    def _start_of(self, pod: Object, *, virtual: bool) -> tuple[float, str]:
        """How long the pod takes to start, and how it fails."""
        if is_infrastructure(pod):
            return self._settings.virtual_node_start_seconds, ""
        if is_ready(pod):
            # A kubelet that comes back finds what runs.
            return 0.0, ""
        return self._settings.pods.draw() if virtual else (self._settings.pods.start_seconds, "")

    def _forget(self, runner: PodRunner, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._runners.get(runner.uid) is runner:
            del self._runners[runner.uid]


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
