# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of the roles against the OpenAPI schemas of the Kubernetes versions, strictly: a field that one does not know is refused."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jinja2
import kubernetes_validate
import pytest
import yaml
from ansible_collections.aks.virtual_nodes.plugins.filter.opt_out_policy_manifests import opt_out_policy_manifests
from ansible_collections.aks.virtual_nodes.plugins.filter.service_discovery_services import service_discovery_services
from ansible_collections.aks.virtual_nodes.plugins.filter.workload_identity_manifests import (
    workload_identity_manifests,
)
from ansible_collections.aks.virtual_nodes.plugins.filter.workload_manifests import workload_manifests
from ansible_collections.aks.virtual_nodes.plugins.filter.workload_problems import workload_problems
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes_validate import utils

VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
COLLECTION = Path(__file__).parents[4]
EXAMPLE = COLLECTION / "docs" / "examples" / "workload_options.yml"

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/files"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/cg"
KEY = {"vault_base_url": "https://kv.vault.azure.net", "key_name": "orders", "key_version": "1"}
PROBES = st.sampled_from(
    [
        {"httpGet": {"path": "/", "port": 8080}},
        {"httpGet": {"port": "http", "httpHeaders": [{"name": "Host", "value": "x"}]}, "periodSeconds": 5},
        {"tcpSocket": {"port": 8080}, "initialDelaySeconds": 1},
        {"exec": {"command": ["true"]}, "timeoutSeconds": 2, "failureThreshold": 3},
        {"grpc": {"port": 50051}},
    ]
)
BOUNDS = st.sampled_from([1, "1", "25%", "100%"])
SOURCES = st.sampled_from(
    [
        {"emptyDir": {}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        {"configMap": {"name": "orders", "items": [{"key": "a", "path": "b"}], "optional": True}},
        {"secret": {"secretName": "orders", "defaultMode": 0o400}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"azureFile": {"shareName": "orders", "secretName": "share", "readOnly": True}},
        {"csi": {"driver": "file.csi.azure.com", "volumeAttributes": {"shareName": "orders"}}},
        {"persistentVolumeClaim": {"claimName": "orders"}},
    ]
)
VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.text(st.characters(codec="ascii", categories=["L", "N"])),
    st.just({"secretKeyRef": {"name": "orders", "key": "password"}}),
    st.just({"fieldRef": {"fieldPath": "status.podIP"}}),
)
# Each option beside values that the role takes.
OPTIONS = {
    "replicas": st.one_of(st.none(), st.integers(0, 5000)),
    "command": st.lists(st.just("run"), max_size=2),
    "args": st.lists(st.sampled_from(["--verbose", "1"]), max_size=2),
    "env": st.dictionaries(st.sampled_from(["A", "B", "C"]), VALUES),
    "labels": st.dictionaries(st.sampled_from(["team", "example.com/tier"]), st.sampled_from(["shop", 1, True, ""])),
    "annotations": st.dictionaries(st.sampled_from(["owner", "example.com/note"]), st.sampled_from(["a b", 1, True])),
    "liveness_probe": PROBES,
    "readiness_probe": PROBES,
    "startup_probe": PROBES,
    "zone": st.sampled_from(["", "1", 2]),
    "subnet_id": st.just(SUBNET),
    "container_group_identity": st.just(IDENTITY),
    "tags": st.dictionaries(st.sampled_from(["team", "cost"]), st.sampled_from(["shop", 4711, False])),
    "cce_policy": st.just("cG9saWN5"),
    "customer_managed_key": st.just(KEY),
    "image_cache": st.booleans(),
    "set_kube_service_host_fqdn": st.booleans(),
    "dns_policy": st.just("None"),
    "dns_config": st.just({"nameservers": ["10.1.0.4"], "options": [{"name": "ndots", "value": "1"}]}),
    "disruption_budget": BOUNDS.flatmap(
        lambda bound: st.sampled_from([{"min_available": bound}, {"max_unavailable": bound}])
    ),
    "priority_class": st.just("high"),
    "topology_spread_constraints": st.just(
        [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}]
    ),
    "strategy": st.one_of(
        st.just({"type": "Recreate"}),
        st.fixed_dictionaries({}, optional={"max_surge": BOUNDS, "max_unavailable": BOUNDS}),
    ),
    "termination_grace_period_seconds": st.integers(0, 3600),
    "container": st.just({"ports": [{"containerPort": 8080, "name": "http"}], "imagePullPolicy": "Always"}),
    "pod": st.just({"imagePullSecrets": [{"name": "registry"}]}),
}


@pytest.fixture(scope="module", autouse=True)
def schemas_read_once():
    """A few megabytes, which would be read anew for each object otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@st.composite
def applications(draw):
    amounts = {"cpu": draw(st.sampled_from([1, "500m", 0.5])), "memory": draw(st.sampled_from(["1Gi", "512M"]))}
    sources = draw(st.lists(SOURCES, max_size=4))
    volumes = [{"name": f"volume-{number}", **source} for number, source in enumerate(sources)]
    mounts = [{"name": each["name"], "mountPath": f"/mnt/{each['name']}"} for each in volumes]
    deployment = {
        "image": "registry.example.com/orders:1",
        "resources": {"requests": amounts, "limits": amounts},
        "volumes": volumes,
        "volume_mounts": mounts,
        **draw(st.fixed_dictionaries({}, optional=OPTIONS)),
    }
    kube_proxy = (
        draw(st.sampled_from([None, False]))
        if "cce_policy" in deployment
        else draw(st.sampled_from([None, True, False]))
    )
    federation = draw(st.sampled_from(["credential", "binding"]))
    named = {"name": "orders", "namespace": "shop", "identity": {"federation": federation}}
    return {**named, "deployment": {**deployment, "inject_kube_proxy": kube_proxy}}


def example():
    """The applications of the example, its variables filled in."""
    variables = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    given = variables.pop("applications")
    for _depth in range(3):
        variables = json.loads(jinja2.Template(json.dumps(variables)).render(variables))
    return json.loads(jinja2.Template(json.dumps(given)).render(variables))


def service_accounts():
    """What the role workload_identity makes for an account with everything, a plain one, and one by an identity binding."""
    applications = [
        {"name": "orders", "namespace": "shop", "token_expiration_seconds": 7200},
        {"name": "plain", "namespace": "shop"},
        {"name": "bound", "namespace": "shop", "identity": {"federation": "binding"}},
    ]
    accounts = {
        f"shop/{each['name']}": {"identity": each["name"], "client_id": "client", "tenant_id": "tenant"}
        for each in applications
    }
    return workload_identity_manifests(applications, accounts, resource_group="rg-apps", annotate_tenant=True)


def external_dns():
    """What the role service_discovery makes for external-dns, from its template and its defaults."""
    role = COLLECTION / "roles" / "service_discovery"
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"to_json": json.dumps, "combine": lambda first, second: {**first, **second}}
    variables = {
        **yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")),
        "service_discovery_resource_group": "rg-shop",
        "service_discovery_zone": "shop.internal",
        "__service_discovery_own_identity": {"client_id": "client"},
        "__service_discovery_azure_json": {"tenantId": "tenant", "useWorkloadIdentityExtension": True},
        "__service_discovery_zone_id": "/subscriptions/s/resourceGroups/rg-shop/providers/Microsoft.Network/privateDnsZones/z",
    }
    template = (role / "templates" / "external_dns.yaml.j2").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(environment.from_string(template).render(variables)))


def of_every_application(given):
    return [*workload_manifests(given), *workload_manifests(given, image_caches=True)]


def check(manifests, version):
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_validator_refuses_what_a_version_does_not_know():
    (deployment,) = workload_manifests([{**example()[1]}])
    deployment["spec"]["template"]["spec"]["dnsPolice"] = "Default"

    with pytest.raises(kubernetes_validate.ValidationError, match="dnsPolice"):
        check([deployment], "1.34")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_example_with_every_option_fits_the_schemas(version):
    manifests = of_every_application(example())

    assert workload_problems(example()) == []
    assert {each["kind"] for each in manifests} == {"Deployment", "PodDisruptionBudget"}
    check(manifests, version)


def test_the_example_has_every_option():
    specification = yaml.safe_load((COLLECTION / "roles/workload/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]["workload_applications"]["options"]["deployment"][
        "options"
    ]
    shown = {option for application in example() for option in application["deployment"]}

    # A PriorityClass has to exist, so the example has none.
    assert set(options) - shown == {"priority_class"}
    assert set(options) <= {
        *OPTIONS,
        "image",
        "resources",
        "volumes",
        "volume_mounts",
        "inject_kube_proxy",
        "inject_dns",
    }


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=60, deadline=None)
@given(application=applications())
def test_any_combination_of_options_that_is_not_refused_fits_the_schemas(version, application):
    if not workload_problems([application]):
        check(of_every_application([application]), version)


@settings(max_examples=200, deadline=None)
@given(application=applications())
def test_combinations_are_refused_for_a_reason_only(application):
    allowed = ("max_unavailable", "image_cache", "inject_dns", "dns_policy", "nameservers")

    assert all(any(word in sentence for word in allowed) for sentence in workload_problems([application]))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_role_workload_identity_makes_fits_the_schemas(version):
    manifests = service_accounts()

    kinds = ["Namespace", *["ServiceAccount"] * 3, "ClusterRole", "ClusterRoleBinding"]
    assert [each["kind"] for each in manifests] == kinds
    check(manifests, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_role_service_discovery_makes_of_applications_fits_the_schemas(version):
    plain = {"ports": [{"port": 80}]}
    full = {
        "ports": [{"port": 53, "protocol": "UDP", "name": "dns", "target_port": "dns"}, {"port": 443}],
        "subnet": "lb",
        "ip": "10.1.0.4",
        "ttl": 30,
        "annotations": {"note": 1},
    }
    applications = [
        {"name": f"app-{number}", "namespace": "shop", "service": each} for number, each in enumerate((plain, full))
    ]

    check(service_discovery_services(applications, "shop.internal"), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_external_dns_fits_the_schemas(version):
    manifests = external_dns()

    kinds = ["Namespace", "ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding", "Deployment"]
    assert [each["kind"] for each in manifests] == kinds
    check(manifests, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_opt_out_policy_fits_the_schemas(version):
    check(opt_out_policy_manifests("virtual-nodes-opt-out", node_names=["virtualnode"]), version)


@pytest.mark.parametrize(
    ("api_version", "version"),
    [
        ("v1alpha1", "1.32"),
        ("v1alpha1", "1.33"),
        ("v1beta1", "1.34"),
        ("v1beta1", "1.35"),
        ("v1", "1.36"),
        ("v1", "1.37"),
    ],
)
def test_the_completing_policy_fits_the_schemas_of_the_versions_that_have_it(api_version, version):
    manifests = opt_out_policy_manifests(
        "virtual-nodes-opt-out", completing=f"admissionregistration.k8s.io/{api_version}"
    )

    assert sum(each["kind"].startswith("Mutating") for each in manifests) == 2
    check(manifests, version)
