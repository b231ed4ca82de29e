# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""external-dns in the lab: what it writes, what it leaves alone, and how it says what it lacks."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.mgmt.privatedns.models import PrivateZone, RecordSet
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api, RbacAuthorizationV1Api

from harness.azure_clients import AzureClients
from harness.laboratory import Lab, running_lab

FEATURES = {
    "properties": {
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
    }
}
CONTRIBUTOR, READER = "b12aa53e-6015-4669-85d0-8515ebb3ae7f", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ZONE = "shop.internal"
IMAGE = "registry.k8s.io/external-dns/external-dns:v0.21.0"
LB = "service.beta.kubernetes.io/azure-load-balancer-"
DNS = "external-dns.alpha.kubernetes.io/"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    scenario = {
        "cluster": FEATURES,
        "load_balancer_seconds": 0.2,
        "pod_start_seconds": 0.1,
        "private_dns_write_seconds": 0.1,
        "principal_replication_seconds": 0,
        "credential_propagation_seconds": 0,
    }
    with running_lab(tmp_path_factory.mktemp("lab"), scenario) as running:
        yield running


@pytest.fixture(scope="module")
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


@pytest.fixture(scope="module", autouse=True)
def zone(azure: AzureClients) -> None:
    azure.private_dns.private_zones.begin_create_or_update(azure.group, ZONE, PrivateZone(location="global")).result()


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)
    return found


class ExternalDns:
    """One external-dns, in a namespace and with an identity of its own."""

    def __init__(self, azure: AzureClients, kube: ApiClient, name: str) -> None:
        self._azure, self._kube, self._core = azure, kube, CoreV1Api(kube)
        self.name = name
        self._core.create_namespace({"metadata": {"name": name}})
        self.principal_id, client_id = self._identity()
        annotations = {"azure.workload.identity/client-id": client_id}
        self._core.create_namespaced_service_account(name, {"metadata": {"name": name, "annotations": annotations}})
        config = {"subscriptionId": azure.group_id.split("/")[2], "resourceGroup": azure.group}
        data = {"azure.json": json.dumps({**config, "useWorkloadIdentityExtension": True})}
        self._core.create_namespaced_config_map(name, {"metadata": {"name": name}, "data": data})

    def _identity(self) -> tuple[str, str]:
        azure = self._azure
        made = azure.put(azure.identity_id(self.name), "2024-11-30", {"location": "westeurope"})["properties"]
        cluster = azure.get(azure.cluster_id, "2026-08-01")
        trust = {
            "issuer": cluster["properties"]["oidcIssuerProfile"]["issuerURL"],
            "subject": f"system:serviceaccount:{self.name}:{self.name}",
            "audiences": ["api://AzureADTokenExchange"],
        }
        azure.put(azure.credential_id(self.name, "aks"), "2024-11-30", {"properties": trust})
        return made["principalId"], made["clientId"]

    def may_write(self) -> None:
        zone_id = f"{self._azure.group_id}/providers/Microsoft.Network/privateDnsZones/{ZONE}"
        for scope, role in ((self._azure.group_id, READER), (zone_id, CONTRIBUTOR)):
            properties = {
                "roleDefinitionId": self._azure.role_id(role),
                "principalId": self.principal_id,
                "principalType": "ServicePrincipal",
            }
            path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
            self._azure.put(path, "2022-04-01", {"properties": properties})

    def may_read_services(self) -> None:
        rbac = RbacAuthorizationV1Api(self._kube)
        rules = [{"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch"]}]
        rbac.create_cluster_role({"metadata": {"name": self.name}, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.name}
        subjects = [{"kind": "ServiceAccount", "name": self.name, "namespace": self.name}]
        rbac.create_cluster_role_binding({"metadata": {"name": self.name}, "roleRef": reference, "subjects": subjects})

    def run(self, *arguments: str, labels: dict[str, str] | None = None, **pod: Any) -> None:
        given = [
            "--provider=azure-private-dns",
            "--source=service",
            f"--domain-filter={ZONE}",
            f"--azure-resource-group={self._azure.group}",
            f"--txt-owner-id={self.name}",
            "--events",
            "--interval=10s",
            *arguments,
        ]
        mounts = [{"name": "config", "mountPath": "/etc/kubernetes", "readOnly": True}]
        labels = {"app": self.name, **({"azure.workload.identity/use": "true"} if labels is None else labels)}
        annotations = pod.pop("annotations", {})
        spec = {
            "serviceAccountName": self.name,
            "containers": [{"name": "external-dns", "image": IMAGE, "args": given, "volumeMounts": mounts}],
            "volumes": [{"name": "config", "configMap": {"name": self.name}}],
            **pod,
        }
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
        deployment = {"selector": {"matchLabels": {"app": self.name}}, "template": template}
        AppsV1Api(self._kube).create_namespaced_deployment(
            self.name, {"metadata": {"name": self.name}, "spec": deployment}
        )

    def log(self) -> str:
        pods = self._core.list_namespaced_pod(self.name).items
        started = [
            pod for pod in pods if pod.status.container_statuses and pod.status.container_statuses[0].container_id
        ]
        return self._core.read_namespaced_pod_log(started[0].metadata.name, self.name) if started else ""

    def says(self, text: str) -> str:
        """The line with the text, once it is in the log."""
        return str(until(lambda: next((line for line in self.log().splitlines() if text in line), "")))

    def stop(self) -> None:
        self._core.delete_namespace(self.name)


@pytest.fixture
def external_dns(azure: AzureClients, kube: ApiClient, name: str) -> Iterator[ExternalDns]:
    made = ExternalDns(azure, kube, name)
    yield made
    made.stop()


def publish(core: CoreV1Api, name: str, hostname: str, **annotations: str) -> None:
    given = {f"{LB}internal": "true", f"{DNS}hostname": hostname} | {
        f"{DNS}{each}": value for each, value in annotations.items()
    }
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}]}
    core.create_namespaced_service("default", {"metadata": {"name": name, "annotations": given}, "spec": spec})


def records(azure: AzureClients) -> dict[tuple[str, str], list[str]]:
    found = {}
    for each in azure.private_dns.record_sets.list(azure.group, ZONE):
        kind = str(each.type).rsplit("/", 1)[-1]
        values = [str(one.ipv4_address) for one in each.a_records or []]
        found[str(each.name), kind] = values + ["".join(one.value or []) for one in each.txt_records or []]
    return found


def test_it_writes_and_takes_back_the_records_of_services(
    azure: AzureClients, core: CoreV1Api, external_dns: ExternalDns, name: str
) -> None:
    external_dns.may_write()
    external_dns.may_read_services()
    publish(core, name, f"{name}.{ZONE}, also-{name}.{ZONE}", ttl="1m")
    publish(core, f"{name}-else", "www.example.com")
    external_dns.run()
    external_dns.says("All records are already up to date")
    given = core.read_namespaced_service(name, "default").status.load_balancer.ingress[0].ip
    found = records(azure)
    assert found[name, "A"] == found[f"also-{name}", "A"] == [given]
    mark = f'"heritage=external-dns,external-dns/owner={name},external-dns/resource=service/default/{name}"'
    assert found[f"a-{name}", "TXT"] == [mark]
    assert azure.private_dns.record_sets.get(azure.group, ZONE, "A", name).ttl == 60
    assert f"Updating A record named '{name}' to '{given}' for Azure Private DNS zone '{ZONE}'." in external_dns.log()
    assert "www" not in external_dns.log()
    # By hand, and put right again.
    wrong = RecordSet({"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.9.9.9"}]}})
    azure.private_dns.record_sets.create_or_update(azure.group, ZONE, "A", name, wrong)
    until(lambda: records(azure)[name, "A"] == [given])
    core.delete_namespaced_service(name, "default")
    until(lambda: not any(name in each for each, _kind in records(azure)))


def test_it_leaves_alone_what_is_not_its_own_and_deletes_nothing_if_so_told(
    azure: AzureClients, core: CoreV1Api, external_dns: ExternalDns, name: str
) -> None:
    external_dns.may_write()
    external_dns.may_read_services()
    by_hand = RecordSet({"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.9.9.9"}]}})
    azure.private_dns.record_sets.create_or_update(azure.group, ZONE, "A", f"held-{name}", by_hand)
    publish(core, f"held-{name}", f"held-{name}.{ZONE}")
    publish(core, name, f"{name}.{ZONE}")
    external_dns.run("--policy=upsert-only")
    external_dns.says("All records are already up to date")
    assert records(azure)[f"held-{name}", "A"] == ["10.9.9.9"]
    core.delete_namespaced_service(name, "default")
    until(lambda: name not in [each.metadata.name for each in core.list_namespaced_service("default").items])
    before = external_dns.log().count("already up to date")
    until(lambda: external_dns.log().count("already up to date") > before)
    assert (name, "A") in records(azure)


def test_without_a_role_it_is_refused_by_azure_and_says_so(external_dns: ExternalDns, core: CoreV1Api) -> None:
    external_dns.may_read_services()
    external_dns.run()
    line = external_dns.says("level=fatal")
    assert "RESPONSE 403" in line
    assert "Microsoft.Network/privateDnsZones/read" in line
    waiting = until(
        lambda: [
            pod.status.container_statuses[0].state.waiting
            for pod in core.list_namespaced_pod(external_dns.name).items
            if pod.status.container_statuses[0].state.waiting
        ]
    )
    assert waiting[0].reason == "CrashLoopBackOff"


def test_without_a_cluster_role_it_cannot_read_services(external_dns: ExternalDns) -> None:
    external_dns.may_write()
    external_dns.run()
    assert 'services is forbidden: User \\"system:serviceaccount:' in external_dns.says("level=fatal")


def test_without_the_label_on_its_pod_it_has_no_identity(external_dns: ExternalDns) -> None:
    external_dns.run(labels={})
    assert "no client ID specified" in external_dns.says("level=fatal")


def test_without_kube_proxy_it_does_not_reach_the_api_server(external_dns: ExternalDns) -> None:
    external_dns.may_write()
    external_dns.may_read_services()
    external_dns.run(
        nodeSelector={"virtualization": "virtualnode2"},
        tolerations=[{"key": "virtual-kubelet.io/provider", "operator": "Exists"}],
        annotations={"microsoft.containerinstance.virtualnode.injectkubeproxy": "false"},
    )
    assert "dial tcp 10.0.0.1:443: i/o timeout" in external_dns.says("level=fatal")


def test_a_flag_that_it_does_not_have_ends_it(external_dns: ExternalDns) -> None:
    external_dns.run("--txt-owner=shop")
    assert "flag parsing error" in external_dns.says("level=fatal")
