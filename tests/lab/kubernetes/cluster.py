# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Kubernetes side has to know of the cluster and of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lab.kubernetes.listeners import ListenerCost
from lab.kubernetes.pod_starts import PodStarts

# The cluster IPs that every cluster has: of the API server, and of its own DNS.
API_SERVICE = "10.0.0.1"
DNS_SERVICE = "10.0.0.10"


@dataclass
class ClusterSettings:
    """
    :ivar oidc_issuer: whether tokens name the public issuer; AKS switches it on and never off.
    :ivar workload_identity: whether the webhook is installed.
    :ivar issuer_url: the public issuer, with its trailing slash.
    :ivar authority_host: Entra's base URL, which the webhook gives to pods.
    :ivar api_server_url: the API server, which is the issuer until the public one is switched on.
    :ivar pod_environment: what a process on a virtual node is given beside the environment of its container.
    :ivar applications: image name to the Python file, or directory with a C(__main__.py), that is run for it. A name without a tag
        stands for all tags.
    :ivar cluster_ip_environment: what leads a process to where kube-proxy would, given to those that have one.
    :ivar network_name: the virtual network.
    :ivar subnets: of that network, name to prefix; the first is that of the nodes.
    :ivar python: the interpreter for those files.
    :ivar directory: where the processes' private directories are made.
    :ivar region: Azure's name of the region, for messages.
    :ivar pods: how pods start on virtual nodes; changed while the lab runs.
    :ivar virtual_node_start_seconds: from the infrastructure pod to the Node that it registers.
    :ivar listeners: what kube-proxies cost the API server; None if nothing.
    :ivar bookmark_seconds: after so much silence a watch that wants bookmarks gets one.
    :ivar refuse_expired_watches: whether a watch that is too far behind is answered 410, and not 200 with 410 in an event.
    """

    issuer_url: str
    tenant_id: str
    authority_host: str
    api_server_url: str
    ca_pem: str
    directory: Path
    python: str
    oidc_issuer: bool = False
    workload_identity: bool = False
    service_host: str = API_SERVICE
    dns_service: str = DNS_SERVICE
    cluster_ip_environment: dict[str, str] = field(default_factory=dict)
    network_name: str = "vnet"
    subnets: dict[str, str] = field(default_factory=lambda: {"aks": "10.224.0.0/16"})
    load_balancer_seconds: float = 1.0
    pod_environment: dict[str, str] = field(default_factory=dict)
    applications: dict[str, Path] = field(default_factory=dict)
    region: str = "westeurope"
    virtual_nodes: int = 1
    ordinary_nodes: int = 1
    virtual_node_start_seconds: float = 0.5
    pods: PodStarts = field(default_factory=PodStarts)
    listeners: ListenerCost | None = None
    bookmark_seconds: float = 60.0
    refuse_expired_watches: bool = False

    def application(self, image: str) -> Path | None:
        """What is run for an image; None if it only looks as if it ran."""
        repository = image.split("@")[0]
        repository = repository[: repository.rindex(":")] if ":" in repository.rsplit("/", 1)[-1] else repository
        return self.applications.get(image) or self.applications.get(repository)

    @property
    def token_issuer(self) -> str:
        """The issuer that tokens name."""
        return self.issuer_url if self.oidc_issuer else self.api_server_url
