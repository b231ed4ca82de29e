# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod sees of the network: whether it has a kube-proxy, whom it asks for names, and the addresses of Services.

Annotations: virtualnodesOnAzureContainerInstances, Docs/PodCustomizations.md (without injected DNS, the default of Container Instances is
used, which in a virtual network is that of the network). The rest: Kubernetes, pkg/kubelet (dns, envvars).
"""

from __future__ import annotations

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.listeners import CONFIDENTIAL, INJECT_KUBE_PROXY
from lab.kubernetes.registry import SERVICE
from lab.kubernetes.store import Object, Store

INJECT_DNS = "microsoft.containerinstance.virtualnode.injectdns"
# The address at which every virtual network has its resolver.
NETWORK_RESOLVER = "168.63.129.16"
CLUSTER_DOMAIN = "cluster.local"


def has_kube_proxy(pod: Object) -> bool:
    """Whether a virtual node gives it the sidecar."""
    annotations = pod["metadata"].get("annotations") or {}
    return annotations.get(INJECT_KUBE_PROXY) != "false" and CONFIDENTIAL not in annotations


def resolv_conf(pod: Object, settings: ClusterSettings, *, virtual: bool) -> str:
    spec, annotations = pod["spec"], pod["metadata"].get("annotations") or {}
    policy = spec.get("dnsPolicy", "ClusterFirst")
    given = spec.get("dnsConfig") or {}
    domains: list[str] = []
    options: list[str] = []
    if virtual and annotations.get(INJECT_DNS) == "false":
        return _file([NETWORK_RESOLVER], [], [])
    if policy == "None":
        servers = []
    elif policy == "Default" or (policy == "ClusterFirst" and spec.get("hostNetwork")):
        servers = [NETWORK_RESOLVER]
    else:
        servers = [settings.dns_service]
        domains = [f"{pod['metadata']['namespace']}.svc.{CLUSTER_DOMAIN}", f"svc.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN]
        options = ["ndots:5"]
    added = [
        f"{each['name']}:{each['value']}" if each.get("value") else each["name"] for each in given.get("options") or []
    ]
    return _file(
        [*servers, *(given.get("nameservers") or [])], [*domains, *(given.get("searches") or [])], [*options, *added]
    )


def service_variables(pod: Object, store: Store, settings: ClusterSettings) -> dict[str, str]:
    """Cluster IPs, as the kubelet puts them into the environment of each container."""
    variables = _of_service("KUBERNETES", settings.service_host, [{"name": "https", "port": 443, "protocol": "TCP"}])
    if pod["spec"].get("enableServiceLinks", True):
        for service in store.list(SERVICE, pod["metadata"]["namespace"]):
            address = service["spec"].get("clusterIP")
            if address and address != "None":
                name = service["metadata"]["name"].upper().replace("-", "_")
                variables |= _of_service(name, address, service["spec"].get("ports") or [])
    return variables


def _of_service(name: str, address: str, ports: list[Object]) -> dict[str, str]:
    if not ports:
        return {f"{name}_SERVICE_HOST": address}
    first = ports[0]
    variables = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(first["port"]),
        f"{name}_PORT": f"{first.get('protocol', 'TCP').lower()}://{address}:{first['port']}",
    }
    for port in ports:
        protocol = port.get("protocol", "TCP")
        prefix = f"{name}_PORT_{port['port']}_{protocol}"
        if port.get("name"):
            variables[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
        variables |= {
            prefix: f"{protocol.lower()}://{address}:{port['port']}",
            f"{prefix}_PROTO": protocol.lower(),
            f"{prefix}_PORT": str(port["port"]),
            f"{prefix}_ADDR": address,
        }
    return variables


def _file(servers: list[str], domains: list[str], options: list[str]) -> str:
    lines = [f"search {' '.join(domains)}"] if domains else []
    lines += [f"nameserver {each}" for each in servers]
    lines += [f"options {' '.join(options)}"] if options else []
    return "".join(f"{line}\n" for line in lines)
