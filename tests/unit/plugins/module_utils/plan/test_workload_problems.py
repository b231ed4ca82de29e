# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before anything is written: each sentence names the field and the value, and has a way out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.quantities import amount
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workload_problems import problems
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workloads import Placement, workloads

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/files"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/cg"
KEY = {"vault_base_url": "https://kv.vault.azure.net", "key_name": "orders", "key_version": "1"}
RESOURCES = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
SCRATCH = {"name": "scratch", "emptyDir": {}}


def application(name="orders", **deployment):
    return {
        "name": name,
        "namespace": "shop",
        "deployment": {"image": "registry.example.com/orders:1", "resources": RESOURCES, **deployment},
    }


def told(*applications, **variables):
    return problems(workloads(applications, Placement.of(**variables)))


@pytest.mark.parametrize(
    "deployment",
    [
        {},
        {"replicas": None},
        {"replicas": 0},
        {"zone": ""},
        {"zone": "2"},
        {"subnet_id": SUBNET},
        {"subnet_id": SUBNET.replace("resourceGroups", "resourcegroups")},
        {"container_group_identity": IDENTITY},
        {"container_group_identity": IDENTITY, "customer_managed_key": {**KEY, "identity": IDENTITY.upper()}},
        {"customer_managed_key": KEY},
        {"tags": {"team": "shop", "cost center": "47/11", "env": ""}},
        {"cce_policy": "cG9saWN5"},
        {"cce_policy": "cG9saWN5", "inject_kube_proxy": False},
        {"inject_kube_proxy": True, "inject_dns": True, "dns_policy": "ClusterFirst"},
        {"dns_policy": "Default"},
        {"dns_policy": "None", "dns_config": {"nameservers": ["10.1.0.4"]}},
        {"volumes": [SCRATCH], "volume_mounts": [{"name": "scratch", "mountPath": "/tmp"}]},
        {"volumes": [{"name": "share", "csi": {"driver": "file.csi.azure.com"}}]},
        {"readiness_probe": {"exec": {"command": ["true"]}, "successThreshold": 2}},
        {"disruption_budget": {"min_available": "50%"}},
        {"strategy": {"max_surge": "100%", "max_unavailable": 0}},
        {"strategy": {"type": "Recreate"}},
        {"termination_grace_period_seconds": 0},
        {"labels": {"team": "shop", "example.com/tier": ""}},
        {"image_cache": True},
        {"pod": {"hostNetwork": False, "imagePullSecrets": [{"name": "registry"}]}},
    ],
)
def test_what_can_run_is_not_complained_about(deployment):
    assert told(application(**deployment)) == []


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        ({"zone": "1;2"}, ("deployment.zone", "'1;2'", "one zone")),
        ({"zone": "westeurope-1"}, ("deployment.zone", "'westeurope-1'", "numbered")),
        ({"subnet_id": "cg"}, ("deployment.subnet_id", "'cg'", "resource id")),
        ({"subnet_id": IDENTITY}, ("deployment.subnet_id", "no subnet")),
        ({"container_group_identity": "id-orders"}, ("container_group_identity", "'id-orders'", "resource id")),
        ({"inject_dns": True}, ("inject_dns without inject_kube_proxy", "cluster IP", "Leave inject_dns out")),
        ({"dns_policy": "ClusterFirst"}, ("deployment.dns_policy", "'ClusterFirst'", "Leave")),
        ({"dns_policy": "None"}, ("deployment.dns_policy", "nameservers", "at least one")),
        ({"cce_policy": "cG9saWN5", "inject_kube_proxy": True}, ("cce_policy", "never have kube-proxy", "Leave")),
        ({"cce_policy": "not base64!"}, ("deployment.cce_policy", "base64", "confcom")),
        ({"customer_managed_key": {**KEY, "key_version": ""}}, ("customer_managed_key", "key_version", "all three")),
        (
            {"customer_managed_key": {**KEY, "vault_base_url": "kv-apps"}},
            ("customer_managed_key.vault_base_url", "'kv-apps'", "https://"),
        ),
        (
            {"customer_managed_key": {**KEY, "identity": IDENTITY}},
            ("customer_managed_key.identity", IDENTITY, "same identity"),
        ),
        ({"tags": {"a;b": "c"}}, ("deployment.tags", "'a;b'", "Rename")),
        ({"tags": {"a/b": "c"}}, ("deployment.tags", "'a/b'", "Rename")),
        ({"tags": {"a": "b;c=d"}}, ("deployment.tags", "'b;c=d'", "separate")),
        ({"tags": {"a": "b" * 257}}, ("deployment.tags", "257", "256")),
        ({"tags": {"a" * 513: "b"}}, ("deployment.tags", "513", "512")),
        ({"tags": {"Team": "a", "team": "b"}}, ("deployment.tags", "'team'", "case")),
        ({"tags": {"microsoft.x": "a"}}, ("deployment.tags", "'microsoft.x'", "Azure's own")),
        ({"tags": {f"t{number}": "x" for number in range(51)}}, ("deployment.tags", "51", "50")),
        ({"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]}, ("deployment.volumes", "hostPath", "emptyDir")),
        ({"volumes": [{"name": "disk", "azureDisk": {}}]}, ("deployment.volumes", "azureDisk", "azureFile")),
        ({"volumes": [{"name": "x"}]}, ("deployment.volumes", "'x'", "nothing")),
        ({"volumes": [{**SCRATCH, "secret": {}}]}, ("deployment.volumes", "emptyDir, secret", "one thing")),
        ({"volumes": [SCRATCH, SCRATCH]}, ("deployment.volumes", "'scratch' 2 times", "Rename")),
        ({"volumes": [{"name": "My_Volume", "emptyDir": {}}]}, ("deployment.volumes", "'My_Volume'", "Rename")),
        (
            {"volumes": [{"name": "vault", "csi": {"driver": "secrets-store.csi.k8s.io"}}]},
            ("deployment.volumes", "secrets-store.csi.k8s.io", "file.csi.azure.com"),
        ),
        ({"volume_mounts": [{"name": "x", "mountPath": "/x"}]}, ("deployment.volume_mounts", "'x'", "Add it there")),
        (
            {"volumes": [SCRATCH], "volume_mounts": [{"name": "scratch", "mountPath": "tmp"}]},
            ("deployment.volume_mounts", "'tmp'", "begin with '/'"),
        ),
        (
            {"volumes": [SCRATCH], "volume_mounts": [{"name": "scratch", "mountPath": "/var/run/secrets/azure/wi"}]},
            ("deployment.volume_mounts", "/var/run/secrets/azure/wi", "another path"),
        ),
        (
            {"volumes": [SCRATCH], "volume_mounts": [{"name": "scratch", "mountPath": "/tmp"}] * 2},
            ("deployment.volume_mounts", "2 mounts", "/tmp"),
        ),
        ({"liveness_probe": {"periodSeconds": 1}}, ("deployment.liveness_probe", "none of", "exactly one")),
        (
            {"startup_probe": {"exec": {}, "tcpSocket": {"port": 1}}},
            ("deployment.startup_probe", "exec and tcpSocket", "exactly one"),
        ),
        (
            {"liveness_probe": {"exec": {}, "successThreshold": 2}},
            ("deployment.liveness_probe", "successThreshold 2", "readiness_probe"),
        ),
        ({"disruption_budget": {"max_surge": 1}}, ("deployment.disruption_budget", "neither", "Give one")),
        (
            {"disruption_budget": {"min_available": 1, "max_unavailable": 1}},
            ("deployment.disruption_budget", "min_available and max_unavailable", "Give one"),
        ),
        ({"disruption_budget": {"min_available": "half"}}, ("disruption_budget.min_available", "'half'", "25%")),
        ({"strategy": {"max_surge": "150%"}}, ("deployment.strategy.max_surge", "'150%'", "100%")),
        ({"strategy": {"type": "Recreate", "max_surge": 1}}, ("deployment.strategy", "max_surge", "Recreate")),
        ({"strategy": {"max_surge": "0%", "max_unavailable": 0}}, ("deployment.strategy", "0", "Raise")),
        ({"termination_grace_period_seconds": -1}, ("termination_grace_period_seconds", "-1", "0 or more")),
        ({"replicas": -1}, ("deployment.replicas", "-1", "null")),
        ({"topology_spread_constraints": [{"maxSkew": 1}]}, ("topology_spread_constraints", "topologyKey", "Add it")),
        ({"labels": {"team": "shop team"}}, ("deployment.labels", "'shop team'", "annotation")),
        ({"labels": {"a b": "x"}}, ("deployment.labels", "'a b'", "Rename")),
        ({"annotations": {"a/b/c": "x"}}, ("deployment.annotations", "'a/b/c'", "Rename")),
        ({"priority_class": "High"}, ("deployment.priority_class", "'High'")),
        ({"labels": {"azure.workload.identity/use": "false"}}, ("azure.workload.identity/use", "Leave it out")),
        (
            {"annotations": {"microsoft.containerinstance.virtualnode.zones": "1"}},
            ("microsoft.containerinstance.virtualnode.zones", "deployment.annotations", "zone"),
        ),
        ({"container": {"livenessProbe": {}}}, ("livenessProbe", "deployment.container", "deployment.liveness_probe")),
        ({"pod": {"volumes": []}}, ("volumes", "deployment.pod", "Use deployment.volumes")),
        ({"pod": {"nodeName": "vn-0"}}, ("nodeName", "deployment.pod", "Leave it out")),
        ({"pod": {"hostNetwork": True}}, ("hostNetwork", "deployment.pod", "no machine")),
        ({"container": {"ports": [{"containerPort": 1, "hostPort": 1}]}}, ("hostPort", "no machine")),
        (
            {"resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "1500m", "memory": "1Gi"}}},
            ("resources.requests.cpu", "1500m", "Raise the limit"),
        ),
        (
            {"resources": {"requests": {"cpu": "much", "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1Gi"}}},
            ("resources.requests.cpu", "'much'", "500m"),
        ),
        ({"image_cache": True, "disruption_budget": {"max_unavailable": 1}}, ("image_cache", "disruption_budget")),
    ],
)
def test_what_cannot_run_is_told_with_field_value_and_way_out(deployment, words):
    (sentence,) = told(application(**deployment))

    assert sentence.startswith("shop/orders (namespace/name)")
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence


def test_an_application_stands_in_the_list_once():
    (sentence,) = told(application(), application())

    assert "shop/orders" in sentence
    assert "2 times" in sentence


@pytest.mark.parametrize("name", ["Orders", "orders.v1", "a" * 64])
def test_a_name_that_no_container_can_have_is_refused(name):
    (sentence,) = told(application(name))

    assert name in sentence


def test_every_problem_of_every_application_is_told_at_once():
    sentences = told(application(zone="1;2", subnet_id="cg"), application("payments", inject_dns=True))

    assert [sentence.split(" ")[0] for sentence in sentences] == ["shop/orders", "shop/orders", "shop/payments"]


def test_kube_proxy_for_all_does_not_reach_confidential_pods():
    assert told(application(cce_policy="cG9saWN5"), inject_kube_proxy=True, inject_dns=True) == []


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("1", 1), ("500m", Decimal("0.5")), ("1.5Gi", Decimal("1.5") * 2**30), ("1e3", 1000), ("2k", 2000), ("x", None)],
)
def test_amounts_are_read_as_kubernetes_does(quantity, expected):
    assert amount(quantity) == expected
