# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers, endpoints and what ServiceAccounts may do, by the Kubernetes client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import (
    ApiClient,
    AppsV1Api,
    AuthenticationV1TokenRequest,
    Configuration,
    CoreV1Api,
    DiscoveryV1Api,
    RbacAuthorizationV1Api,
    V1Service,
)
from kubernetes.client.exceptions import ApiException

from harness.laboratory import Lab, running_lab

LB = "service.beta.kubernetes.io/azure-load-balancer-"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(
        tmp_path_factory.mktemp("lab"), {"load_balancer_seconds": 0.3, "pod_start_seconds": 0.1}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What the condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
    return found


def make(core: CoreV1Api, name: str, port: int = 80, **annotations: str) -> V1Service:
    given = {f"{LB}{each.replace('_', '-')}": value for each, value in {"internal": "true", **annotations}.items()}
    body = {
        "metadata": {"name": name, "annotations": given},
        "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": port}]},
    }
    return core.create_namespaced_service("default", body)


def address(core: CoreV1Api, name: str) -> str:
    ingress = core.read_namespaced_service(name, "default").status.load_balancer.ingress
    return str(ingress[0].ip) if ingress else ""


def said(core: CoreV1Api, name: str, reason: str) -> list[str]:
    fields = f"involvedObject.kind=Service,involvedObject.name={name}"
    events = core.list_namespaced_event("default", field_selector=fields).items
    return [each.message for each in events if each.reason == reason]


def refused(core: CoreV1Api, name: str) -> str:
    return str(until(lambda: said(core, name, "SyncLoadBalancerFailed"))[0])


# Load balancers


def test_an_internal_load_balancer_has_a_free_address_of_the_nodes(core: CoreV1Api, name: str) -> None:
    make(core, name)
    assert address(core, name) == "", "Azure takes its time"
    given = until(lambda: address(core, name))
    assert given.startswith("10.224.")
    nodes = [each.address for node in core.list_node().items for each in node.status.addresses]
    assert given not in nodes
    assert core.read_namespaced_service(name, "default").metadata.finalizers == [FINALIZER]
    assert said(core, name, "EnsuringLoadBalancer")
    assert said(core, name, "EnsuredLoadBalancer")


def test_the_subnet_and_the_address_are_the_wished_for_ones(core: CoreV1Api, name: str) -> None:
    make(core, name, internal_subnet="cg", ipv4="10.241.255.9")
    assert until(lambda: address(core, name)) == "10.241.255.9"


def test_one_that_is_not_internal_has_an_address_of_the_internet(core: CoreV1Api, name: str) -> None:
    make(core, name, internal="false")
    assert until(lambda: address(core, name)).startswith("198.18.")


def test_a_subnet_that_is_not_there_is_told_and_tried_again(core: CoreV1Api, name: str) -> None:
    make(core, name, internal_subnet="missing")
    why = refused(core, name)
    assert why.startswith("Error syncing load balancer: failed to ensure load balancer: ")
    assert f"ensure(default/{name}): lb(kubernetes-internal) - failed to get subnet: vnet-lab/missing" in why
    core.patch_namespaced_service(name, "default", {"metadata": {"annotations": {f"{LB}internal-subnet": "aks"}}})
    assert until(lambda: address(core, name)).startswith("10.224.")


@pytest.mark.parametrize(
    ("ip", "code"),
    [
        ("10.224.0.4", "PrivateIPAddressIsAllocated"),
        ("10.225.0.4", "PrivateIPAddressNotInSubnet"),
        ("10.224.0.1", "PrivateIPAddressInReservedRange"),
    ],
)
def test_an_address_that_cannot_be_is_told(core: CoreV1Api, name: str, ip: str, code: str) -> None:
    make(core, name, ipv4=ip)
    assert f"ERROR CODE: {code}" in refused(core, name)


def test_two_services_may_share_an_address_but_not_a_port_of_it(core: CoreV1Api, name: str) -> None:
    make(core, name, ipv4="10.224.200.1")
    until(lambda: address(core, name))
    make(core, f"{name}-other", port=443, ipv4="10.224.200.1")
    assert until(lambda: address(core, f"{name}-other")) == "10.224.200.1"
    make(core, f"{name}-same", ipv4="10.224.200.1")
    assert "trying to consume the port 80" in refused(core, f"{name}-same")


def test_a_service_goes_once_its_load_balancer_is_gone(core: CoreV1Api, name: str) -> None:
    make(core, name)
    until(lambda: address(core, name))
    core.delete_namespaced_service(name, "default")
    assert core.read_namespaced_service(name, "default").metadata.deletion_timestamp is not None
    until(lambda: name not in [each.metadata.name for each in core.list_namespaced_service("default").items])
    assert said(core, name, "DeletedLoadBalancer")


def test_a_service_that_wants_none_any_more_loses_its_address(core: CoreV1Api, name: str) -> None:
    make(core, name)
    until(lambda: address(core, name))
    core.patch_namespaced_service(name, "default", {"spec": {"type": "ClusterIP"}})
    until(lambda: not address(core, name))
    assert not core.read_namespaced_service(name, "default").metadata.finalizers


# Endpoints


def test_the_pods_behind_a_service_are_in_its_slices(kube: ApiClient, core: CoreV1Api, name: str) -> None:
    discovery, labels = DiscoveryV1Api(kube), {"app": name}
    container = {
        "name": "idle",
        "image": "registry.example.com/idle:1",
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    AppsV1Api(kube).create_namespaced_deployment("default", {"metadata": {"name": name}, "spec": spec})
    ports = [{"port": 80, "targetPort": "http"}]
    core.create_namespaced_service(
        "default", {"metadata": {"name": name}, "spec": {"selector": labels, "ports": ports}}
    )

    def ready() -> list[str]:
        selector = f"kubernetes.io/service-name={name}"
        slices = discovery.list_namespaced_endpoint_slice("default", label_selector=selector).items
        assert all([port.port for port in each.ports] == [8080] for each in slices if each.endpoints)
        return [end.addresses[0] for each in slices for end in each.endpoints or [] if end.conditions.ready]

    until(lambda: len(ready()) == 2)
    pods = core.list_namespaced_pod("default", label_selector=f"app={name}").items
    assert sorted(ready()) == sorted(pod.status.pod_ip for pod in pods)
    AppsV1Api(kube).patch_namespaced_deployment(name, "default", {"spec": {"replicas": 1}})
    until(lambda: len(ready()) == 1)
    core.delete_namespaced_service(name, "default")
    until(lambda: not ready())


# ServiceAccounts


@pytest.fixture
def account(lab: Lab, kube: ApiClient, core: CoreV1Api, name: str) -> CoreV1Api:
    """The API server, signed in to as a ServiceAccount."""
    core.create_namespaced_service_account("default", {"metadata": {"name": name}})
    asked = AuthenticationV1TokenRequest(spec={"audiences": [], "expirationSeconds": 3600})
    token = core.create_namespaced_service_account_token(name, "default", asked).status.token
    configuration = Configuration()
    configuration.host, configuration.ssl_ca_cert = kube.configuration.host, kube.configuration.ssl_ca_cert
    configuration.api_key = {"authorization": f"Bearer {token}"}
    return CoreV1Api(ApiClient(configuration))


def test_a_service_account_may_do_what_its_roles_say_and_nothing_else(
    account: CoreV1Api, kube: ApiClient, name: str
) -> None:
    with pytest.raises(ApiException) as caught:
        account.list_service_for_all_namespaces()
    user = f"system:serviceaccount:default:{name}"
    assert caught.value.status == 403
    assert (
        f'User \\"{user}\\" cannot list resource \\"services\\" in API group \\"\\" at the cluster scope'
        in caught.value.body
    )
    rbac = RbacAuthorizationV1Api(kube)
    rules = [{"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch"]}]
    rbac.create_cluster_role({"metadata": {"name": name}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]
    rbac.create_cluster_role_binding({"metadata": {"name": name}, "roleRef": reference, "subjects": subjects})
    assert account.list_service_for_all_namespaces().items is not None
    for forbidden in (
        account.list_pod_for_all_namespaces,
        lambda: account.delete_namespaced_service("any", "default"),
    ):
        with pytest.raises(ApiException) as caught:
            forbidden()
        assert caught.value.status == 403


def test_a_token_goes_with_its_service_account(account: CoreV1Api, core: CoreV1Api, name: str) -> None:
    core.delete_namespaced_service_account(name, "default")
    core.create_namespaced_service_account("default", {"metadata": {"name": name}})
    with pytest.raises(ApiException) as caught:
        account.list_service_for_all_namespaces()
    assert caught.value.status == 401
