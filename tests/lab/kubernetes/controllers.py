# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers of the cluster and its nodes, side by side."""

from __future__ import annotations

import asyncio

from lab.kubernetes.chart import Charts
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.deployments import Deployments
from lab.kubernetes.endpoint_slices import EndpointSlices
from lab.kubernetes.garbage import GarbageCollector
from lab.kubernetes.index import Index
from lab.kubernetes.listeners import Listeners
from lab.kubernetes.load_balancers import LoadBalancers
from lab.kubernetes.namespaces import Namespaces
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.replica_sets import ReplicaSets
from lab.kubernetes.scheduler import Scheduler
from lab.kubernetes.store import Event, Store
from lab.kubernetes.tokens import TokenIssuer
from lab.kubernetes.virtual_nodes import Nodes


class Controllers:
    def __init__(self, store: Store, settings: ClusterSettings, tokens: TokenIssuer) -> None:
        # The index hears of a change before the controllers do.
        index = Index(store)
        recorder = Recorder(store)
        self._running = False
        self._nodes = Nodes(store, settings, tokens, index, recorder)
        self._charts = Charts(store, settings, index)
        self.listeners = Listeners(store, settings.listeners)
        self._scheduler = Scheduler(store, index, recorder)
        self._garbage = GarbageCollector(store, index)
        self._controllers = (
            Namespaces(store, settings, index),
            Deployments(store, settings, index, recorder),
            ReplicaSets(store, settings, index, recorder),
            LoadBalancers(store, settings, recorder),
            EndpointSlices(store),
            self._charts,
        )
        store.listen(self._follow)

    async def run(self) -> None:
        """Until it is cancelled; no process is left then."""
        self._running = True
        try:
            for each in (self._nodes, self._scheduler, *self._controllers):
                each.start()
            queues = [each.queue for each in (self._garbage, *self._controllers)]
            queues += [*self._scheduler.queues(), self._charts.orphans]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._nodes.run())
                for queue in queues:
                    tasks.create_task(queue.run())
        finally:
            self._running = False

    def pod_log(self, namespace: str, name: str, container: str | None = None) -> bytes:
        return self._nodes.pod_log(namespace, name, container)

    def _follow(self, event: Event) -> None:
        if self._running:
            for each in (self.listeners, self._garbage, self._nodes, self._scheduler, *self._controllers):
                each.follow(event)
