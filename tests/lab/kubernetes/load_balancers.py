# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of type LoadBalancer: what the service controller does with Azure's cloud provider.

The finalizer and the Events: k8s.io/cloud-provider. Annotations, and the failure for a subnet that is not there:
kubernetes-sigs/cloud-provider-azure; how it passes on an answer of ARM's: MicrosoftDocs' troubleshooting of AKS.
"""

from __future__ import annotations

import ipaddress
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import NODE, POD, SERVICE
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

COMPONENT = "service-controller"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
PREFIX = "service.beta.kubernetes.io/azure-load-balancer-"
# Azure keeps the first four addresses of a subnet, and the last.
RESERVED = 4
# Of nobody (RFC 2544): where an address of the internet stands.
PUBLIC = ipaddress.IPv4Network("198.18.0.0/15")
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 10.0

Address = ipaddress.IPv4Address


class Failed(Exception):
    """In the words of the cloud provider."""


@dataclass(frozen=True)
class Wish:
    """What of a Service decides its address.

    :ivar subnet: empty for that of the nodes.
    :ivar address: empty for any.
    """

    internal: bool
    subnet: str
    address: str
    ports: frozenset[tuple[str, int]]

    @classmethod
    def of(cls, service: Object) -> Wish:
        annotations, spec = service["metadata"].get("annotations") or {}, service["spec"]
        return cls(
            annotations.get(f"{PREFIX}internal") == "true",
            annotations.get(f"{PREFIX}internal-subnet", ""),
            annotations.get(f"{PREFIX}ipv4") or spec.get("loadBalancerIP") or "",
            frozenset((port.get("protocol", "TCP"), port["port"]) for port in spec.get("ports") or []),
        )


@dataclass
class _Work:
    """What is being done for a Service: the wish that it is done for (None: removal), and until when."""

    wish: Wish | None
    due: float
    retry: float = FIRST_RETRY_SECONDS


class LoadBalancers:
    def __init__(self, store: Store, settings: ClusterSettings, recorder: Recorder) -> None:
        self._store = store
        self._settings = settings
        self._recorder = recorder
        self._public = itertools.count(RESERVED)
        self._work: dict[tuple[str, str], _Work] = {}
        # What each Service was given its address for.
        self._given: dict[tuple[str, str], Wish] = {}
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for service in self._store.list(SERVICE):
            self.queue.add((service["metadata"]["namespace"], service["metadata"]["name"]))

    def follow(self, event: Event) -> None:
        if event.kind is SERVICE:
            self.queue.add((event.namespace, event.object["metadata"]["name"]))

    def _reconcile(self, key: tuple[str, str]) -> None:
        service = self._store.find(SERVICE, *key)
        if service is None:
            self._work.pop(key, None)
            self._given.pop(key, None)
            return
        leaving = "deletionTimestamp" in service["metadata"]
        wanted = service["spec"].get("type") == "LoadBalancer" and not leaving
        held = FINALIZER in (service["metadata"].get("finalizers") or [])
        if not wanted and not held:
            return
        wish = Wish.of(service) if wanted else None
        if wish is not None and wish == self._given.get(key) and _ingress(service):
            return
        work = self._work.get(key)
        if work is None or work.wish != wish:
            self._begin(key, service, wish)
        elif time.monotonic() < work.due:
            self.queue.add_after(key, work.due - time.monotonic())
        elif wish is None:
            self._remove(key, service)
        else:
            self._ensure(key, service, wish, work)

    def _begin(self, key: tuple[str, str], service: Object, wish: Wish | None) -> None:
        seconds = self._settings.load_balancer_seconds
        self._work[key] = _Work(wish, time.monotonic() + seconds)
        self.queue.add_after(key, seconds)
        if wish is None:
            self._say(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
            return
        self._say(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        if FINALIZER not in (service["metadata"].get("finalizers") or []):
            with self._store.changing(SERVICE, *key) as changed:
                changed["metadata"]["finalizers"] = [*(changed["metadata"].get("finalizers") or []), FINALIZER]

    def _ensure(self, key: tuple[str, str], service: Object, wish: Wish, work: _Work) -> None:
        try:
            address = self._address(key, service, wish)
        except Failed as failure:
            why = f"Error syncing load balancer: failed to ensure load balancer: {failure}"
            self._say(service, "Warning", "SyncLoadBalancerFailed", why)
            work.due = time.monotonic() + work.retry
            self.queue.add_after(key, work.retry)
            work.retry = min(2 * work.retry, LONGEST_RETRY_SECONDS)
            return
        self._work.pop(key)
        self._given[key] = wish
        with self._store.changing(SERVICE, *key) as changed:
            ingress = [{"ip": str(address), "ipMode": "VIP"}]
            changed["status"] = {**(changed.get("status") or {}), "loadBalancer": {"ingress": ingress}}
        self._say(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    def _remove(self, key: tuple[str, str], service: Object) -> None:
        self._work.pop(key)
        self._given.pop(key, None)
        self._say(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")
        with self._store.changing(SERVICE, *key) as changed:
            changed["metadata"]["finalizers"] = [
                each for each in changed["metadata"]["finalizers"] if each != FINALIZER
            ]
            changed["status"] = {**(changed.get("status") or {}), "loadBalancer": {}}

    def _say(self, service: Object, type_: str, reason: str, message: str) -> None:
        self._recorder.record(SERVICE, service, type_, reason, message, COMPONENT)

    # Addresses

    def _address(self, key: tuple[str, str], service: Object, wish: Wish) -> Address:
        if not wish.internal:
            return PUBLIC[next(self._public) % PUBLIC.num_addresses]
        name = wish.subnet or next(iter(self._settings.subnets))
        prefix = self._settings.subnets.get(name)
        if prefix is None:
            network = self._settings.network_name
            raise Failed(f"ensure({'/'.join(key)}): lb(kubernetes-internal) - failed to get subnet: {network}/{name}")
        subnet = ipaddress.IPv4Network(prefix)
        if wish.address:
            return self._fixed(key, service, wish, subnet)
        held = [Address(each["ip"]) for each in _ingress(service)]
        if held and held[0] in subnet:
            return held[0]
        taken = {*self._taken(), *(Address(each) for each in self._of_services(key))}
        for number in range(RESERVED, subnet.num_addresses - 1):
            if subnet[number] not in taken:
                return subnet[number]
        raise Failed(
            _refusal(
                "SubnetIsFull",
                f"Subnet {name} with address prefix {subnet} does not have enough capacity for 1 IP addresses.",
            )
        )

    def _fixed(self, key: tuple[str, str], service: Object, wish: Wish, subnet: ipaddress.IPv4Network) -> Address:
        try:
            address = Address(wish.address)
        except ValueError:
            raise Failed(_refusal("InvalidIPAddress", f"The IP address {wish.address} is invalid.")) from None
        if address not in subnet:
            raise Failed(
                _refusal(
                    "PrivateIPAddressNotInSubnet",
                    f"Private static IP address {address} does not belong to the range of subnet prefix {subnet}.",
                )
            )
        first, last = subnet[RESERVED], subnet[-2]
        if not first <= address <= last:
            why = f"Private static IP address {address} falls within reserved IP range of subnet prefix {subnet}."
            raise Failed(_refusal("PrivateIPAddressInReservedRange", why))
        if address in self._taken():
            raise Failed(
                _refusal(
                    "PrivateIPAddressIsAllocated",
                    f"IP configuration {service['metadata']['uid']} is using the private IP address {address} which is already "
                    "allocated to a network interface.",
                )
            )
        self._refuse_shared_ports(key, wish, str(address))
        return address

    def _refuse_shared_ports(self, key: tuple[str, str], wish: Wish, address: str) -> None:
        """Services may share an address, but no port of it."""
        for other, given in self._given.items():
            if other == key or address not in {each["ip"] for each in _ingress(self._store.get(SERVICE, *other))}:
                continue
            for protocol, port in sorted(wish.ports & given.ports):
                raise Failed(
                    f"checkLoadBalancerResourcesConflicts: service port {'/'.join(key)} is trying to consume the port {port} which is "
                    f"being referenced by an existing loadBalancing rule of service {'/'.join(other)} with the same protocol {protocol} "
                    f"and frontend IP {address}"
                )

    def _taken(self) -> set[Address]:
        """By nodes and pods."""
        nodes = (each["address"] for node in self._store.list(NODE) for each in node["status"]["addresses"])
        pods = ((pod.get("status") or {}).get("podIP", "") for pod in self._store.list(POD))
        return set(_addresses(itertools.chain(nodes, pods)))

    def _of_services(self, but: tuple[str, str]) -> Iterator[str]:
        for service in self._store.list(SERVICE):
            if (service["metadata"]["namespace"], service["metadata"]["name"]) != but:
                yield from (each["ip"] for each in _ingress(service))


def _ingress(service: Object) -> list[Object]:
    return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []


def _addresses(texts: Iterator[str]) -> Iterator[Address]:
    for text in texts:
        try:
            yield Address(text)
        except ValueError:  # a host name, or none yet
            continue


def _refusal(code: str, message: str) -> str:
    """As the cloud provider passes on what ARM said."""
    return f'RESPONSE 400: 400 Bad Request ERROR CODE: {code} {{"error": {{"code": "{code}", "message": "{message}", "details": []}}}}'
