# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of type LoadBalancer get an address."""

from __future__ import annotations

import itertools

from lab.kubernetes.registry import SERVICE
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

PROVISIONING_SECONDS = 1.0


class LoadBalancers:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._hosts = itertools.count(10)
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for service in self._store.list(SERVICE):
            self.queue.add((service["metadata"]["namespace"], service["metadata"]["name"]))

    def follow(self, event: Event) -> None:
        if event.kind is SERVICE and event.type != "DELETED":
            self.queue.add_after((event.namespace, event.object["metadata"]["name"]), PROVISIONING_SECONDS)

    def _reconcile(self, key: tuple[str, str]) -> None:
        with self._store.changing_if_any(SERVICE, *key) as service:
            if service is None or "deletionTimestamp" in service["metadata"]:
                return
            wanted = (service.get("spec") or {}).get("type") == "LoadBalancer"
            given = _ingress(service)
            if wanted and not given:
                number = next(self._hosts) % 65_000
                address = {"ip": f"10.240.{number // 256}.{number % 256}", "ipMode": "VIP"}
                service["status"] = {**(service.get("status") or {}), "loadBalancer": {"ingress": [address]}}
            elif given and not wanted:
                service["status"] = {**(service.get("status") or {}), "loadBalancer": {}}


def _ingress(service: Object) -> list[Object]:
    return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
