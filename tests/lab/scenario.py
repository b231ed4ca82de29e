# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab holds at its start, and how slow its services are."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


def _guid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Scenario:
    """
    :ivar operator_client_id: the service principal that the lab's environment signs in as; it owns the subscription.
    :ivar cluster: a JSON merge patch of the cluster's body, C({"properties": {"powerState": {"code": "Stopped"}}}).
    :ivar credential_propagation_seconds: how long Entra keeps to what a federated credential said before a write.
    :ivar principal_replication_seconds: how long a new identity is unknown to role assignments.
    :ivar cluster_update_seconds: how long an update of the cluster takes.
    :ivar binding_write_seconds: how long a write or deletion of an identity binding takes.
    :ivar private_dns_write_seconds: how long a write or deletion of a private DNS zone or of its link to a network takes.
    :ivar load_balancer_seconds: how long a load balancer takes to have an address.
    :ivar subnets: of the cluster's network; the first is that of its nodes.
    :ivar container_subnet: the one that virtual nodes put pods into.
    :ivar credential_write_seconds: how long a write of a federated credential excludes others on its identity.
    :ivar latency_seconds: what every request to any of the services takes on top.
    :ivar throttling: whether ARM has its token buckets.
    :ivar page_size: how many items a list of ARM's holds on each page.
    :ivar ordinary_nodes: how many virtual machines there are; they carry the infrastructure pods of the virtual nodes.
    :ivar virtual_node_start_seconds: from an infrastructure pod to its Node.
    :ivar pod_start_seconds: how long a virtual node takes to start a pod; the median.
    :ivar pod_start_spread: how much that varies, as C(PodStarts.start_spread) tells.
    :ivar pod_failure_rate: the share of pods that fail, from 0 to 1.
    :ivar pod_failures: how, some of C(image), C(quota) and C(crash).
    :ivar pod_seed: of the sequence that starts and failures are drawn from.
    :ivar listener_cost: whether requests wait for what kube-proxies cost the API server, by the model of C(ListenerCost).
    :ivar bookmark_seconds: after so much silence a watch that wants bookmarks gets one.
    :ivar mutating_admission_policies: whether the API server has them, which AKS does not let anyone switch on before Kubernetes 1.36.
    """

    tenant_id: str = field(default_factory=_guid)
    subscription_id: str = field(default_factory=_guid)
    operator_client_id: str = field(default_factory=_guid)
    resource_group: str = "rg-lab"
    location: str = "westeurope"
    cluster_name: str = "aks-lab"
    vault_name: str = "kv-lab"
    secret_name: str = "greeting"
    secret_value: str = "Hello from the lab's vault"
    image: str = "registry.example.com/keyvault-reader:1"
    external_dns_image: str = "registry.k8s.io/external-dns/external-dns"
    probe_image: str = "registry.example.com/network-probe:1"
    cluster: dict[str, Any] = field(default_factory=dict)
    network_name: str = "vnet-lab"
    network_prefixes: tuple[str, ...] = ("10.224.0.0/11",)
    subnets: dict[str, str] = field(default_factory=lambda: {"aks": "10.224.0.0/16", "cg": "10.241.0.0/16"})
    container_subnet: str = "cg"
    credential_propagation_seconds: float = 1.0
    principal_replication_seconds: float = 1.0
    cluster_update_seconds: float = 2.0
    binding_write_seconds: float = 1.0
    private_dns_write_seconds: float = 0.5
    load_balancer_seconds: float = 1.0
    credential_write_seconds: float = 0.02
    latency_seconds: float = 0.0
    throttling: bool = True
    page_size: int = 20
    virtual_nodes: int = 2
    ordinary_nodes: int = 1
    virtual_node_start_seconds: float = 0.2
    pod_start_seconds: float = 1.0
    pod_start_spread: float = 0.0
    pod_failure_rate: float = 0.0
    pod_failures: tuple[str, ...] = ("image", "quota")
    pod_seed: int = 0
    listener_cost: bool = False
    bookmark_seconds: float = 60.0
    mutating_admission_policies: bool = False

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def vault_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.KeyVault/vaults/{self.vault_name}"

    @property
    def network_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.Network/virtualNetworks/{self.network_name}"

    @property
    def cluster_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.ContainerService/managedClusters/{self.cluster_name}"


def load(file: Path | None) -> Scenario:
    """
    :param file: a JSON object with some of the fields of C(Scenario).
    """
    given = json.loads(file.read_text(encoding="utf-8")) if file else {}
    unknown = set(given) - {each.name for each in fields(Scenario)}
    if unknown:
        raise SystemExit(f"{file}: a scenario has no {', '.join(sorted(unknown))}.")
    return Scenario(**given)
