# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications of the role C(service_discovery) into internal load balancers with a name, and what is wrong with them; pure.

The options are those of the role's argument specification, which has checked them for being there and for their types. Ansible hands on
the values as they were written, so numbers are read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from ..kube.objects import Manifest
from ..resources.dns_names import are_labels, relative_name
from .listing import doubled
from .workload_manifests import NAME_LABEL

# Annotations of the cloud provider for Azure (cloud-provider-azure, "LoadBalancer" in its documentation) and of external-dns.
_AZURE = "service.beta.kubernetes.io/azure-load-balancer-"
INTERNAL, SUBNET, IPV4 = f"{_AZURE}internal", f"{_AZURE}internal-subnet", f"{_AZURE}ipv4"
_EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/"
HOSTNAME, TTL = f"{_EXTERNAL_DNS}hostname", f"{_EXTERNAL_DNS}ttl"
OWNED_ANNOTATIONS = (INTERNAL, SUBNET, IPV4, HOSTNAME, TTL)


@dataclass(frozen=True)
class Port:
    """
    :ivar target: number or name of the pods' port.
    """

    name: str
    port: int
    protocol: str
    target: int | str

    def manifest(self) -> Manifest:
        return {"name": self.name, "port": self.port, "protocol": self.protocol, "targetPort": self.target}


@dataclass(frozen=True)
class PublishedService:
    """
    :ivar hostname: in lower case.
    :ivar subnet: name; empty for that of the nodes.
    :ivar ip: empty for any.
    :ivar ttl: seconds; None for external-dns' default.
    """

    name: str
    namespace: str
    hostname: str
    ports: Sequence[Port]
    subnet: str
    ip: str
    ttl: int | None
    annotations: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.label} (namespace/name)"


def published_services(applications: Sequence[Mapping[str, Any]], zone: str) -> list[PublishedService]:
    """One for each application that has a C(service), every default filled in."""
    return [_published(each, each["service"], zone) for each in applications if each.get("service") is not None]


def _published(application: Mapping[str, Any], given: Mapping[str, Any], zone: str) -> PublishedService:
    ttl = given.get("ttl")
    return PublishedService(
        name=application["name"],
        namespace=application["namespace"],
        hostname=str(given.get("hostname") or f"{application['name']}.{zone}").lower(),
        ports=[_port(each) for each in given["ports"]],
        subnet=given.get("subnet") or "",
        ip=str(given.get("ip") or ""),
        ttl=None if ttl in (None, "") else int(ttl),
        annotations={name: str(value) for name, value in (given.get("annotations") or {}).items()},
    )


def _port(given: Mapping[str, Any]) -> Port:
    port, protocol = int(given["port"]), given.get("protocol") or "TCP"
    target = given.get("target_port")
    if target in (None, ""):
        target = port
    number_or_name = str(target)
    return Port(
        name=given.get("name") or f"{protocol.lower()}-{port}",
        port=port,
        protocol=protocol,
        target=int(number_or_name) if number_or_name.isdecimal() else number_or_name,
    )


def hosts(services: Sequence[PublishedService]) -> list[dict[str, str]]:
    """What C(service_discovery_check) takes."""
    return [{"namespace": each.namespace, "service": each.name, "hostname": each.hostname} for each in services]


def manifest(service: PublishedService) -> Manifest:
    annotations = {**service.annotations, INTERNAL: "true", HOSTNAME: service.hostname}
    if service.subnet:
        annotations[SUBNET] = service.subnet
    if service.ip:
        annotations[IPV4] = service.ip
    if service.ttl is not None:
        annotations[TTL] = str(service.ttl)
    labels = {NAME_LABEL: service.name}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "namespace": service.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "type": "LoadBalancer",
            # The load balancer leads to the nodes of the pools, whose kube-proxy sends it on to the pods, wherever they are.
            "externalTrafficPolicy": "Cluster",
            "selector": labels,
            "ports": [each.manifest() for each in service.ports],
        },
    }


def problems(services: Sequence[PublishedService], zone: str) -> list[str]:
    """What no argument specification can show to be wrong, as sentences: field, value, rule, way out."""
    return [
        *doubled(each.label for each in services),
        *_shared_hostnames(services),
        *(problem for each in services for problem in _of_one(each, zone.lower())),
    ]


def _shared_hostnames(services: Sequence[PublishedService]) -> Iterator[str]:
    holders: dict[str, dict[str, None]] = defaultdict(dict)  # each once, in order
    for each in services:
        holders[each.hostname][str(each)] = None
    for hostname, names in holders.items():
        if len(names) > 1:
            yield (
                f"{' and '.join(names)} are to have the same hostname {hostname}, and external-dns would mix their addresses. "
                "Give each a hostname of its own."
            )


def _of_one(service: PublishedService, zone: str) -> Iterator[str]:
    yield from _hostname_problems(service, zone)
    yield from _port_problems(service)
    if service.ip and not _is_ipv4(service.ip):
        yield f"service.ip of {service} is {service.ip}, which is not an IPv4 address."
    if service.ttl is not None and service.ttl < 1:
        yield f"service.ttl of {service} is {service.ttl}; it must be one second at least."
    if owned := [name for name in OWNED_ANNOTATIONS if name in service.annotations]:
        yield (
            f"{service} sets {', '.join(owned)} in service.annotations, which the role sets itself. "
            "Use the option of service that stands for it."
        )


def _hostname_problems(service: PublishedService, zone: str) -> Iterator[str]:
    if relative_name(service.hostname, zone) is None:
        yield (
            f"hostname {service.hostname} of {service} is not in the zone {zone}, the only one that external-dns writes to."
        )
    elif not are_labels(service.hostname.removeprefix("*.")):
        yield (
            f"hostname {service.hostname} of {service} is no name that DNS knows: labels of letters, digits and hyphens, "
            "63 characters at most, with dots between them."
        )


def _port_problems(service: PublishedService) -> Iterator[str]:
    if not service.ports:
        yield f"service.ports of {service} is empty. A load balancer needs one port at least."
    for each in service.ports:
        for field, number in (("port", each.port), ("target_port", each.target)):
            if isinstance(number, int) and not 1 <= number <= 65535:
                yield f"service.ports of {service} has the {field} {number}; it must be from 1 to 65535."
    names = [each.name for each in service.ports]
    ends = [(each.port, each.protocol) for each in service.ports]
    if len(set(names)) < len(names) or len(set(ends)) < len(ends):
        yield f"service.ports of {service} has a port or a name twice."


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
