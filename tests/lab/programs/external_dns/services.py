# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source: Services of type LoadBalancer, read with the pod's own token."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab.programs import pod_environment
from lab.programs.external_dns import log
from lab.programs.external_dns.plan import RESOURCE, Endpoint
from lab.programs.external_dns.settings import Settings, duration

PREFIX = "external-dns.alpha.kubernetes.io/"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
WATCH_S = 300


class Services:
    def __init__(self, settings: Settings) -> None:
        from kubernetes import client

        self._settings = settings
        log.info("Instantiating new Kubernetes client")
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
        token = pod_environment.file(f"{ACCOUNT}/token")
        if not host or not token.exists():
            raise log.Fatal("unable to load in-cluster configuration, no token of a ServiceAccount is mounted")
        log.info("Using inCluster-config based on serviceaccount-token")
        configuration = client.Configuration()
        try:
            configuration.host = pod_environment.cluster_ip(f"{host}:{port}")
        except TimeoutError as error:
            raise log.Fatal(f'Get "https://{host}:{port}/version": {error}') from None
        configuration.ssl_ca_cert = str(pod_environment.file(f"{ACCOUNT}/ca.crt"))
        # Read for each request, since the kubelet renews it.
        configuration.refresh_api_key_hook = lambda each: each.api_key.update(
            {"authorization": f"Bearer {token.read_text(encoding='utf-8')}"}
        )
        configuration.refresh_api_key_hook(configuration)
        self._core = client.CoreV1Api(client.ApiClient(configuration))
        log.info(f"Created Kubernetes client https://{host}:{port}")

    def endpoints(self) -> list[Endpoint]:
        """What the Services ask for.

        :raises Fatal: when they cannot be read.
        """
        from kubernetes.client.exceptions import ApiException

        try:
            services = self._read()
        except ApiException as error:
            raise log.Fatal(f"failed to list *v1.Service: {_message(error)}") from None
        return [each for service in services for each in _endpoints(service, self._settings)]

    def notify(self, changed: Callable[[], None], stop: threading.Event) -> None:
        """Call this whenever a Service changes, from a thread of its own."""
        threading.Thread(target=self._watch, args=(changed, stop), daemon=True).start()

    def _read(self) -> list[dict[str, Any]]:
        if self._settings.namespace:
            found = self._core.list_namespaced_service(self._settings.namespace)
        else:
            found = self._core.list_service_for_all_namespaces()
        plain: list[dict[str, Any]] = self._core.api_client.sanitize_for_serialization(found)["items"]
        return plain

    def _watch(self, changed: Callable[[], None], stop: threading.Event) -> None:
        from kubernetes import watch
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        while not stop.is_set():
            try:
                for _event in watch.Watch().stream(self._core.list_service_for_all_namespaces, timeout_seconds=WATCH_S):
                    changed()
            except (ApiException, HTTPError) as error:
                log.debug(f"watch of *v1.Service ended: {error}")
                stop.wait(1)


def _endpoints(service: Mapping[str, Any], settings: Settings) -> Iterator[Endpoint]:
    metadata, spec = service["metadata"], service["spec"]
    annotations = metadata.get("annotations") or {}
    kinds = settings.service_type_filter
    if (kinds and spec.get("type") not in kinds) or spec.get("type") != "LoadBalancer":
        return
    controller = annotations.get(f"{PREFIX}controller", "dns-controller")
    if controller != "dns-controller":
        log.debug(
            f"Skipping service {metadata['namespace']}/{metadata['name']} because controller value does not match"
        )
        return
    resource = f"service/{metadata['namespace']}/{metadata['name']}"
    targets = list(_targets(service, annotations, settings))
    for hostname in annotations.get(f"{PREFIX}hostname", "").replace(" ", "").split(","):
        name = hostname.rstrip(".").lower()
        if name and _within(name, settings.domain_filter):
            for kind in ("A", "CNAME"):
                of_kind = tuple(each for each in targets if _kind(each) == kind)
                if of_kind:
                    yield Endpoint(name, kind, of_kind, _ttl(annotations), {RESOURCE: resource})


def _targets(service: Mapping[str, Any], annotations: Mapping[str, str], settings: Settings) -> Iterator[str]:
    given = annotations.get(f"{PREFIX}target", "")
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    found = [each for each in given.replace(" ", "").split(",") if each] or [
        each.get("ip") or each.get("hostname") for each in ingress
    ]
    for target in found:
        if _kind(target) == "A":
            address = ipaddress.ip_address(target)
            if settings.target_net_filter and not _in_networks(address, settings.target_net_filter):
                continue
            if _in_networks(address, settings.exclude_target_net):
                continue
        yield target


def _in_networks(address: Any, networks: tuple[str, ...]) -> bool:
    return any(address in ipaddress.ip_network(each) for each in networks)


def _kind(target: str) -> str:
    try:
        ipaddress.IPv4Address(target)
    except ValueError:
        return "CNAME"
    return "A"


def _ttl(annotations: Mapping[str, str]) -> int:
    text = annotations.get(f"{PREFIX}ttl", "")
    try:
        return int(text) if text.isdigit() else int(duration(text)) if text else 0
    except ValueError:
        return 0


def _within(name: str, domains: tuple[str, ...]) -> bool:
    return not domains or any(name == each.strip(".") or name.endswith(f".{each.strip('.')}") for each in domains)


def _message(error: Any) -> str:
    import json

    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
