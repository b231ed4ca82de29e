# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each option of an application."""

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workload_manifests import manifests
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workloads import Placement, workloads

VIRTUAL_NODE = "microsoft.containerinstance.virtualnode"
RESOURCES = {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def application(more=None, **deployment):
    required = {"image": "registry.example.com/orders:1", "resources": RESOURCES}
    return {"name": "orders", "namespace": "shop", **(more or {}), "deployment": {**required, **deployment}}


def made(given, **variables):
    placement = Placement.of(**variables)
    return [manifest for each in workloads([given], placement) for manifest in manifests(each, placement)]


def template(given, **variables):
    return made(given, **variables)[0]["spec"]["template"]


def annotations(given, **variables):
    return template(given, **variables)["metadata"]["annotations"]


def container(given):
    return template(given)["spec"]["containers"][0]


def test_a_plain_application_is_identity_enabled_on_virtual_nodes_and_without_kube_proxy():
    (deployment,) = made(application())

    assert deployment == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "orders"}},
            "template": {
                "metadata": {
                    "labels": {"app.kubernetes.io/name": "orders", "azure.workload.identity/use": "true"},
                    "annotations": {f"{VIRTUAL_NODE}.injectkubeproxy": "false", f"{VIRTUAL_NODE}.injectdns": "false"},
                },
                "spec": {
                    "serviceAccountName": "orders",
                    "nodeSelector": {"virtualization": "virtualnode2"},
                    "tolerations": [
                        {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}
                    ],
                    "containers": [
                        {
                            "name": "orders",
                            "image": "registry.example.com/orders:1",
                            "resources": {
                                "requests": {"cpu": "1", "memory": "1Gi"},
                                "limits": {"cpu": "1", "memory": "1Gi"},
                            },
                        }
                    ],
                },
            },
        },
    }


def test_an_application_without_a_deployment_makes_nothing():
    assert made({"name": "orders", "namespace": "shop"}) == []
    assert made({"name": "orders", "namespace": "shop", "deployment": None}) == []


@pytest.mark.parametrize(("given", "expected"), [({}, 1), ({"replicas": 0}, 0), ({"replicas": "3"}, 3)])
def test_replicas_are_a_number_whatever_they_came_as(given, expected):
    assert made(application(**given))[0]["spec"]["replicas"] == expected


@pytest.mark.parametrize("nothing", [None, ""])
def test_replicas_that_are_null_are_left_to_whoever_scales(nothing):
    assert "replicas" not in made(application(replicas=nothing))[0]["spec"]


@pytest.mark.parametrize(
    ("deployment", "variables", "kube_proxy", "dns"),
    [
        ({}, {}, "false", "false"),
        ({}, {"inject_kube_proxy": True, "inject_dns": True}, "true", "true"),
        ({}, {"inject_kube_proxy": "true", "inject_dns": "false"}, "true", "false"),
        ({"inject_kube_proxy": True}, {}, "true", "true"),
        ({"inject_kube_proxy": True, "inject_dns": False}, {}, "true", "false"),
        ({"inject_kube_proxy": "no"}, {"inject_kube_proxy": True, "inject_dns": True}, "false", "false"),
        ({"cce_policy": "cG9saWN5"}, {"inject_kube_proxy": True, "inject_dns": True}, "false", "false"),
    ],
)
def test_the_clusters_dns_follows_kube_proxy_and_the_application_wins(deployment, variables, kube_proxy, dns):
    found = annotations(application(**deployment), **variables)

    assert found[f"{VIRTUAL_NODE}.injectkubeproxy"] == kube_proxy
    assert found[f"{VIRTUAL_NODE}.injectdns"] == dns


@pytest.mark.parametrize(
    ("deployment", "name", "value"),
    [
        ({"zone": 1}, f"{VIRTUAL_NODE}.zones", "1"),
        ({"zone": ""}, f"{VIRTUAL_NODE}.zones", ""),
        ({"subnet_id": "/subscriptions/s"}, f"{VIRTUAL_NODE}.subnets.primary", "/subscriptions/s"),
        ({"container_group_identity": "/subscriptions/s"}, f"{VIRTUAL_NODE}.identity", "/subscriptions/s"),
        ({"tags": {"team": "shop", "active": True}}, f"{VIRTUAL_NODE}.customtags", "team=shop;active=true"),
        ({"cce_policy": "cG9saWN5"}, f"{VIRTUAL_NODE}.ccepolicy", "cG9saWN5"),
        ({"image_cache": True}, f"{VIRTUAL_NODE}.imagecachepod", "true"),
        ({"set_kube_service_host_fqdn": True}, "kubernetes.azure.com/set-kube-service-host-fqdn", "true"),
        ({"annotations": {"example.com/a": True}}, "example.com/a", "true"),
    ],
)
def test_options_become_annotations_of_the_template(deployment, name, value):
    assert annotations(application(**deployment))[name] == value
    assert name not in annotations(application())


def test_a_key_of_the_customer_becomes_its_annotations():
    key = {"vault_base_url": "https://kv.vault.azure.net", "key_name": "orders", "key_version": "1"}
    found = annotations(application(customer_managed_key={**key, "identity": "/subscriptions/s"}))

    assert {name: value for name, value in found.items() if ".cmk." in name} == {
        f"{VIRTUAL_NODE}.cmk.vaultbaseurl": "https://kv.vault.azure.net",
        f"{VIRTUAL_NODE}.cmk.keyname": "orders",
        f"{VIRTUAL_NODE}.cmk.keyversion": "1",
        f"{VIRTUAL_NODE}.cmk.identity": "/subscriptions/s",
    }
    assert f"{VIRTUAL_NODE}.cmk.identity" not in annotations(application(customer_managed_key=key))


def test_an_identity_binding_is_asked_for_on_the_template():
    bound = application({"identity": {"federation": "binding"}})

    assert annotations(bound)["azure.workload.identity/use-identity-binding"] == "true"
    assert "azure.workload.identity/use-identity-binding" not in annotations(application({"identity": {"name": "x"}}))


def test_labels_and_variables_are_texts():
    given = application(
        labels={"tier": 1, "live": False}, env={"N": 1, "ON": True, "POD": {"fieldRef": {"fieldPath": "x"}}}
    )

    assert template(given)["metadata"]["labels"]["tier"] == "1"
    assert template(given)["metadata"]["labels"]["live"] == "false"
    assert container(given)["env"] == [
        {"name": "N", "value": "1"},
        {"name": "ON", "value": "true"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
    ]


def test_volumes_and_probes_are_passed_on_as_they_are():
    probe = {"httpGet": {"path": "/", "port": 8080}}
    mount = {"name": "scratch", "mountPath": "/tmp"}
    given = application(
        volumes=[{"name": "scratch", "emptyDir": {}}],
        volume_mounts=[mount],
        liveness_probe=probe,
        readiness_probe=probe,
    )

    assert template(given)["spec"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]
    assert container(given)["volumeMounts"] == [mount]
    assert container(given)["livenessProbe"] == container(given)["readinessProbe"] == probe
    assert "startupProbe" not in container(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "Recreate"}, {"type": "Recreate"}),
        ({"max_surge": "25%"}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}),
        (
            {"max_surge": "1", "max_unavailable": 0},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        ),
    ],
)
def test_bounds_of_a_strategy_are_numbers_or_percentages(given, expected):
    assert made(application(strategy=given))[0]["spec"]["strategy"] == expected


def test_a_disruption_budget_is_a_second_manifest_for_the_same_pods():
    deployment, budget = made(application(disruption_budget={"min_available": "2"}))

    assert budget["kind"] == "PodDisruptionBudget"
    assert budget["metadata"] == deployment["metadata"]
    assert budget["spec"] == {"minAvailable": 2, "selector": deployment["spec"]["selector"]}


def test_pods_are_spread_among_their_own_unless_something_else_is_said():
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    other = {**constraint, "labelSelector": {"matchLabels": {"team": "shop"}}}
    ours, theirs = template(application(topology_spread_constraints=[constraint, other]))["spec"][
        "topologySpreadConstraints"
    ]

    assert ours == {**constraint, "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "orders"}}}
    assert theirs == other
