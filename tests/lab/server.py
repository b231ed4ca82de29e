# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the services together, each on a free port of the loopback interface, and writes down how to reach them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import secrets
import signal
import ssl
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from lab.access_tokens import Principal, TokenMint
from lab.arm import authorization, virtual_networks
from lab.arm.app import ResourceManager
from lab.arm.cluster_body import cluster_body
from lab.arm.managed_clusters import ManagedClusters, features
from lab.arm.resource_groups import new_group
from lab.certificates import ADDRESS, Authority, write_private
from lab.cloud import Cloud
from lab.control import Control
from lab.dns_resolver import DnsResolver
from lab.entra import Entra
from lab.faults import Faults
from lab.federation import Federation
from lab.issuer import Issuer
from lab.key_vault import KeyVault
from lab.kubeconfig import kubeconfig
from lab.kubernetes import app as api_server
from lab.kubernetes.cluster import API_SERVICE, DNS_SERVICE, ClusterSettings
from lab.kubernetes.control import KubernetesControl
from lab.kubernetes.controllers import Controllers
from lab.kubernetes.listeners import ListenerCost
from lab.kubernetes.namespaces import ROOT_CA
from lab.kubernetes.pod_network import NETWORK_RESOLVER
from lab.kubernetes.pod_starts import PodStarts
from lab.kubernetes.registry import (
    CONFIG_MAP,
    NAMESPACE,
    NODE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    switch_on_mutating_policies,
)
from lab.kubernetes.store import Store
from lab.kubernetes.tokens import TokenIssuer
from lab.listener import Listener, listening_socket
from lab.merge_patch import merge
from lab.middleware import watched
from lab.requests_seen import RequestLog
from lab.scenario import Scenario

SERVICES = ("arm", "entra", "issuer", "keyvault", "kubernetes", "control")
APPLICATION = Path(__file__).resolve().parents[2] / "docs" / "examples" / "keyvault_reader" / "app.py"
PROGRAMS = Path(__file__).resolve().parent / "programs"
# What the lab's kubeconfig signs in as.
USER = "clusterUser_rg-lab_aks-lab"
_SETTLING_TIMEOUT_S = 60
# So many of them on a virtual machine at most.
_INFRASTRUCTURE_PODS = 80


@dataclass(frozen=True)
class Secrets:
    """Made anew at every start; they are in env.json and the kubeconfig, and nowhere else."""

    client_secret: str
    kubernetes_token: str

    @classmethod
    def generate(cls) -> Secrets:
        return cls(secrets.token_urlsafe(30), secrets.token_hex(32))


class Lab:
    """
    :param directory: private to the lab; its files and the pods' processes live there.
    """

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self._scenario = scenario
        self._directory = directory
        self._authority = Authority()
        self._sockets = {service: listening_socket() for service in SERVICES}
        self._urls = {name: f"https://{ADDRESS}:{each.getsockname()[1]}" for name, each in self._sockets.items()}
        self._secrets = Secrets.generate()
        self._listeners: dict[str, Listener] = {}
        self._log, self._faults, self._cloud, self._store = RequestLog(), Faults(), Cloud(), Store()
        self._operator = Principal(scenario.operator_client_id, str(uuid.uuid4()))
        self._mint = TokenMint(scenario.tenant_id, self._urls["entra"])
        self._vault_resource = f"https://{ADDRESS.partition('.')[2]}:{self._sockets['keyvault'].getsockname()[1]}"
        self._audiences = (f"{self._urls['arm']}/", self._urls["arm"])
        if scenario.mutating_admission_policies:
            switch_on_mutating_policies()
        self._resolver = DnsResolver(self._cloud, scenario.network_id)
        self._settings = self._cluster_settings()
        self._tokens = TokenIssuer(self._settings)
        self._controllers = Controllers(self._store, self._settings, self._tokens)
        self._fill()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        controllers = asyncio.create_task(self._controllers.run())
        connector = aiohttp.TCPConnector(ssl=self._authority.client_context())
        async with aiohttp.ClientSession(connector=connector) as client, self._serving(client):
            await self._settled()
            self._write_down()
            await stop.wait()
            (self._directory / "lab.json").unlink(missing_ok=True)
            controllers.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await controllers

    @contextlib.asynccontextmanager
    async def _serving(self, client: aiohttp.ClientSession) -> AsyncIterator[None]:
        tls = self._authority.server_context()
        async with self._resolver.serving(), self._serving_http(client, tls):
            yield

    @contextlib.asynccontextmanager
    async def _serving_http(self, client: aiohttp.ClientSession, tls: ssl.SSLContext) -> AsyncIterator[None]:
        runners = [
            await self._serve(name, application, tls) for name, application in self._applications(client).items()
        ]
        try:
            yield
        finally:
            await asyncio.gather(*(runner.cleanup() for runner in runners))

    async def _serve(self, name: str, application: web.Application, tls: ssl.SSLContext) -> web.AppRunner:
        if name != "control":
            application.middlewares.insert(
                0, watched(name, self._log, self._faults, self._cloud, self._scenario.latency_seconds)
            )
        # A watch whose client has gone ends at once.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=1.0, handler_cancellation=name == "kubernetes"
        )
        await runner.setup()
        listener = Listener(runner, self._sockets[name], tls)
        await listener.open()
        self._listeners[name] = listener
        return runner

    def _applications(self, client: aiohttp.ClientSession) -> dict[str, web.Application]:
        scenario, urls, cloud = self._scenario, self._urls, self._cloud
        clusters = ManagedClusters(self._settings.issuer_url, self._kubeconfig, self._switch_features)
        federation = Federation(cloud, scenario, client)
        resources = (*self._audiences, self._vault_resource)
        entra = Entra(
            scenario, urls["entra"], self._mint, federation, self._operator, self._secrets.client_secret, resources
        )
        manager = ResourceManager(urls["arm"], urls["entra"], self._audiences, self._mint, cloud, scenario, clusters)
        vault = KeyVault(urls["keyvault"], self._vault_resource, urls["entra"], self._mint, cloud, scenario)
        return {
            "arm": manager.application(),
            "entra": entra.application(),
            "issuer": Issuer(self._settings, self._tokens).application(),
            "keyvault": vault.application(),
            "kubernetes": api_server.build(
                self._store, self._settings, self._tokens, self._controllers, {self._secrets.kubernetes_token: USER}
            ),
            "control": Control(
                cloud, self._store, self._log, self._faults, self._tokens, self._kubernetes_control()
            ).application(),
        }

    def _kubernetes_control(self) -> KubernetesControl:
        async def restart(seconds: float) -> None:
            await self._listeners["kubernetes"].restart(seconds)

        return KubernetesControl(self._store, self._settings, self._controllers, restart)

    def _cluster_settings(self) -> ClusterSettings:
        scenario, authority_file = self._scenario, str(self._directory / "ca.pem")
        return ClusterSettings(
            issuer_url=f"{self._urls['issuer']}/{scenario.tenant_id}/{uuid.uuid4()}/",
            tenant_id=scenario.tenant_id,
            authority_host=f"{self._urls['entra']}/",
            api_server_url=self._urls["kubernetes"],
            ca_pem=self._authority.pem,
            directory=self._directory,
            python=sys.executable,
            pod_environment={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "REQUESTS_CA_BUNDLE": authority_file,
                "SSL_CERT_FILE": authority_file,
                "NO_PROXY": ADDRESS,
                "LAB_RESOURCE_MANAGER": self._urls["arm"],
                "LAB_RESOLVERS": json.dumps({NETWORK_RESOLVER: self._resolver.address}),
            },
            cluster_ip_environment={
                "LAB_CLUSTER_IPS": json.dumps(
                    # The cluster's own server asks the network's for what is not of the cluster.
                    {f"{API_SERVICE}:443": self._urls["kubernetes"], DNS_SERVICE: self._resolver.address}
                )
            },
            applications={
                scenario.image: APPLICATION,
                scenario.external_dns_image: PROGRAMS / "external_dns",
                scenario.probe_image: PROGRAMS / "network_probe.py",
            },
            network_name=scenario.network_name,
            subnets=scenario.subnets,
            load_balancer_seconds=scenario.load_balancer_seconds,
            region=scenario.location,
            virtual_nodes=scenario.virtual_nodes,
            # The infrastructure pods must have room.
            ordinary_nodes=max(scenario.ordinary_nodes, math.ceil(scenario.virtual_nodes / _INFRASTRUCTURE_PODS)),
            virtual_node_start_seconds=scenario.virtual_node_start_seconds,
            pods=PodStarts(
                start_seconds=scenario.pod_start_seconds,
                start_spread=scenario.pod_start_spread,
                failure_rate=scenario.pod_failure_rate,
                failures=scenario.pod_failures,
                seed=scenario.pod_seed,
            ),
            listeners=ListenerCost() if scenario.listener_cost else None,
            bookmark_seconds=scenario.bookmark_seconds,
        )

    def _fill(self) -> None:
        scenario, cloud = self._scenario, self._cloud
        subscription = f"/subscriptions/{scenario.subscription_id}"
        cloud.put(scenario.group_id, new_group(scenario.subscription_id, scenario.resource_group, scenario.location))
        vault = {"id": scenario.vault_id, "name": scenario.vault_name, "type": "Microsoft.KeyVault/vaults"}
        cloud.put(
            scenario.vault_id,
            {**vault, "location": scenario.location, "properties": {"vaultUri": self._urls["keyvault"]}},
        )
        virtual_networks.furnish(cloud, scenario)
        cluster = merge(cluster_body(scenario, uuid.uuid4().hex[:24]), scenario.cluster)
        if features(cluster)[0]:
            cluster["properties"]["oidcIssuerProfile"]["issuerURL"] = self._settings.issuer_url
        cloud.put(scenario.cluster_id, cluster)
        self._switch_features(*features(cluster))
        owner = authorization.OWNER
        authorization.assign(cloud, subscription, owner, self._operator.object_id, scenario.subscription_id)

    def _switch_features(self, oidc_issuer: bool, workload_identity: bool) -> None:
        self._settings.oidc_issuer = oidc_issuer
        self._settings.workload_identity = workload_identity

    async def _settled(self) -> None:
        """Until the controllers have furnished the cluster, so that nothing changes by itself afterwards."""
        async with asyncio.timeout(_SETTLING_TIMEOUT_S):
            while not self._is_furnished():
                await asyncio.sleep(0.02)

    def _is_furnished(self) -> bool:
        namespaces = [each["metadata"]["name"] for each in self._store.list(NAMESPACE)]
        ready = [(each.get("status") or {}).get("readyReplicas", 0) for each in self._store.list(STATEFUL_SET)]
        return (
            self._store.count(NODE) == self._settings.ordinary_nodes + self._scenario.virtual_nodes
            and sum(ready) == self._scenario.virtual_nodes
            and bool(namespaces)
            and all(self._store.find(SERVICE_ACCOUNT, name, "default") for name in namespaces)
            and all(self._store.find(CONFIG_MAP, name, ROOT_CA) for name in namespaces)
        )

    def _kubeconfig(self) -> str:
        return kubeconfig(
            self._scenario.cluster_name,
            self._urls["kubernetes"],
            self._authority.pem,
            USER,
            self._secrets.kubernetes_token,
        )

    def _write_down(self) -> None:
        directory = self._directory
        write_private(directory / "ca.pem", self._authority.pem)
        write_private(directory / "kubeconfig", self._kubeconfig())
        environment = self._environment()
        write_private(directory / "env.json", json.dumps(environment, indent=2))
        exports = "".join(f"export {name}='{value}'\n" for name, value in environment.items())
        write_private(directory / "env.sh", f"# . {directory}/env.sh\n{exports}")
        # Last: its being there says that the lab answers.
        write_private(directory / "lab.json", json.dumps({"pid": os.getpid(), "urls": self._urls}, indent=2))

    def _environment(self) -> dict[str, str]:
        """The names that AWX's credentials and the clients have."""
        scenario, directory = self._scenario, self._directory
        return {
            "AZURE_CLOUD_ENVIRONMENT": self._urls["arm"],
            "AZURE_SUBSCRIPTION_ID": scenario.subscription_id,
            "AZURE_TENANT": scenario.tenant_id,
            "AZURE_CLIENT_ID": scenario.operator_client_id,
            "AZURE_SECRET": self._secrets.client_secret,
            "REQUESTS_CA_BUNDLE": str(directory / "ca.pem"),
            "SSL_CERT_FILE": str(directory / "ca.pem"),
            "KUBECONFIG": str(directory / "kubeconfig"),
            "K8S_AUTH_KUBECONFIG": str(directory / "kubeconfig"),
            "LAB_DIRECTORY": str(directory),
            "LAB_CONTROL_URL": self._urls["control"],
            "LAB_AUTHORITY_URL": self._urls["entra"],
            "LAB_RESOURCE_GROUP": scenario.resource_group,
            "LAB_CLUSTER": scenario.cluster_name,
            "LAB_VAULT_URL": self._urls["keyvault"],
            "LAB_VAULT_ID": scenario.vault_id,
            "LAB_IMAGE": scenario.image,
            "LAB_NETWORK_ID": scenario.network_id,
            "LAB_DNS": self._resolver.address,
            "LAB_PROBE_IMAGE": scenario.probe_image,
        }
