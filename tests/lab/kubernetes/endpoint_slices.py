# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EndpointSlice controller: which pods are behind a Service (Kubernetes: pkg/controller/endpointslice)."""

from __future__ import annotations

import secrets
from collections import defaultdict

from lab.kubernetes.admission import ALPHABET
from lab.kubernetes.pods import is_over, is_ready, owner_reference
from lab.kubernetes.registry import POD, SERVICE, known
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

ENDPOINT_SLICE = known("discovery.k8s.io/v1", "EndpointSlice")
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
LARGEST_SLICE = 100
# What happens to many pods at once is written once, as --endpointslice-updates-batch-period does.
BATCH_SECONDS = 0.5


class EndpointSlices:
    def __init__(self, store: Store) -> None:
        self._store = store
        # Namespace to Service to selector: looked at for each change of a pod.
        self._selectors: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for service in self._store.list(SERVICE):
            self._see(service)

    def follow(self, event: Event) -> None:
        if event.kind is SERVICE:
            if event.type == "DELETED":
                self._selectors[event.namespace].pop(event.object["metadata"]["name"], None)
            else:
                self._see(event.object)
        elif event.kind is POD and self._selectors.get(event.namespace):
            labels = event.object["metadata"].get("labels") or {}
            for name, selector in self._selectors[event.namespace].items():
                if selector.items() <= labels.items():
                    self.queue.add_after((event.namespace, name), BATCH_SECONDS)

    def _see(self, service: Object) -> None:
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        selector = service["spec"].get("selector")
        if selector and service["spec"].get("type") != "ExternalName":
            self._selectors[namespace][name] = selector
            self.queue.add_after((namespace, name), BATCH_SECONDS)
        else:
            self._selectors[namespace].pop(name, None)

    def _reconcile(self, key: tuple[str, str]) -> None:
        service = self._store.find(SERVICE, *key)
        selector = self._selectors[key[0]].get(key[1])
        if service is None or not selector or "deletionTimestamp" in service["metadata"]:
            return
        pods = [
            pod
            for pod in self._store.list(POD, key[0])
            if selector.items() <= (pod["metadata"].get("labels") or {}).items()
            and (pod.get("status") or {}).get("podIP")
            and not is_over(pod)
        ]
        endpoints = [_endpoint(pod) for pod in pods]
        wanted = [endpoints[start : start + LARGEST_SLICE] for start in range(0, len(endpoints), LARGEST_SLICE)] or [[]]
        standing = [
            each
            for each in self._store.list(ENDPOINT_SLICE, key[0])
            if (each["metadata"].get("labels") or {}).get(SERVICE_NAME) == key[1]
        ]
        for number, group in enumerate(wanted):
            self._write(service, standing[number] if number < len(standing) else None, group, pods)
        for surplus in standing[len(wanted) :]:
            self._store.delete(ENDPOINT_SLICE, key[0], surplus["metadata"]["name"])

    def _write(self, service: Object, old: Object | None, endpoints: list[Object], pods: list[Object]) -> None:
        ports = _ports(service, pods[0] if pods else None)
        if old is None:
            self._store.create(ENDPOINT_SLICE, _slice(service, endpoints, ports))
            return
        with self._store.changing(ENDPOINT_SLICE, old["metadata"]["namespace"], old["metadata"]["name"]) as changed:
            changed |= {"endpoints": endpoints, "ports": ports}


def _slice(service: Object, endpoints: list[Object], ports: list[Object]) -> Object:
    name = service["metadata"]["name"]
    suffix = "".join(secrets.choice(ALPHABET) for _number in range(5))
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{suffix}",
            "generateName": f"{name}-",
            "namespace": service["metadata"]["namespace"],
            "labels": {SERVICE_NAME: name, MANAGED_BY: MANAGER},
            "ownerReferences": [owner_reference(SERVICE, service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def _endpoint(pod: Object) -> Object:
    metadata, leaving = pod["metadata"], "deletionTimestamp" in pod["metadata"]
    ready = is_ready(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": {
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }


def _ports(service: Object, pod: Object | None) -> list[Object]:
    named = {
        port["name"]: port["containerPort"]
        for container in (pod["spec"]["containers"] if pod else [])
        for port in container.get("ports") or []
        if port.get("name")
    }
    ports = []
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port["port"])
        number = named.get(target) if isinstance(target, str) else target
        if number is not None:
            ports.append({"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")})
    return ports
