# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission policies of the API server, by the Kubernetes Python client: what is refused, by whom, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import (
    AdmissionregistrationV1Api,
    ApiClient,
    ApiException,
    AppsV1Api,
    CoreV1Api,
    CustomObjectsApi,
)

from harness.laboratory import Lab, running_lab

GROUP = "admissionregistration.k8s.io"
Install = Callable[..., None]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), {"mutating_admission_policies": True}) as running:
        yield running


@pytest.fixture(scope="module")
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


@pytest.fixture(scope="module")
def apps(kube: ApiClient) -> AppsV1Api:
    return AppsV1Api(kube)


@pytest.fixture(scope="module")
def policies(kube: ApiClient) -> AdmissionregistrationV1Api:
    return AdmissionregistrationV1Api(kube)


@pytest.fixture
def namespace(core: CoreV1Api, name: str) -> Iterator[str]:
    core.create_namespace({"metadata": {"name": name, "labels": {"team": "shop"}}})
    yield name
    core.delete_namespace(name)


@pytest.fixture
def install(policies: AdmissionregistrationV1Api, name: str, namespace: str) -> Iterator[Install]:
    """A policy for ConfigMaps and Deployments of the test's namespace, and its binding."""

    def make(
        *validations: dict[str, Any], actions: tuple[str, ...] = ("Deny",), match: Any = None, **spec: Any
    ) -> None:
        rules = [rule("", "configmaps"), rule("apps", "deployments")]
        policy = {"matchConstraints": {"resourceRules": rules}, "validations": list(validations), **spec}
        policies.create_validating_admission_policy({"metadata": {"name": name}, "spec": policy})
        own = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        binding = {"policyName": name, "validationActions": list(actions), "matchResources": match or own}
        policies.create_validating_admission_policy_binding({"metadata": {"name": name}, "spec": binding})

    yield make
    # Whatever of it a test has deleted already is gone.
    policies.delete_collection_validating_admission_policy_binding(field_selector=f"metadata.name={name}")
    policies.delete_collection_validating_admission_policy(field_selector=f"metadata.name={name}")


def rule(group: str, *resources: str, operations: tuple[str, ...] = ("CREATE", "UPDATE")) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
    }


def config_map(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def deployment(name: str = "orders", **annotations: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": name, "image": "registry.example.com/orders:1"}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {"containers": [container]},
            },
        },
    }


def refusal(call: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    with pytest.raises(ApiException) as caught:
        call(*arguments)
    status = json.loads(caught.value.body)
    assert status["code"] == caught.value.status
    return status


def test_what_breaks_a_rule_is_refused_in_the_api_servers_words(
    core: CoreV1Api, install: Install, namespace: str, name: str
) -> None:
    install({"expression": "'owner' in object.data", "message": "say who owns it"})
    core.create_namespaced_config_map(namespace, config_map("fine", owner="shop"))
    status = refusal(core.create_namespaced_config_map, namespace, config_map(other="x"))
    why = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: say who owns it"
    assert status["message"] == f'configmaps "settings" is forbidden: {why}'
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"] == {"name": "settings", "kind": "configmaps", "causes": [{"message": why}]}


def test_a_dry_run_is_judged_as_well(core: CoreV1Api, install: Install, namespace: str) -> None:
    install({"expression": "false", "message": "never"})
    with pytest.raises(ApiException, match="never"):
        core.create_namespaced_config_map(namespace, config_map(), dry_run="All")


def test_a_reason_has_its_code_and_a_message_may_be_worked_out(
    core: CoreV1Api, install: Install, namespace: str
) -> None:
    words = "'found ' + string(size(object.data)) + ' in ' + namespaceObject.metadata.labels['team']"
    install({"expression": "size(object.data) < 2", "messageExpression": words, "reason": "Forbidden"})
    status = refusal(core.create_namespaced_config_map, namespace, config_map(a="1", b="2"))
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert status["message"].endswith("denied request: found 2 in shop")


def test_without_a_message_the_expression_is_shown(core: CoreV1Api, install: Install, namespace: str) -> None:
    install({"expression": "size(object.data) > 5"})
    status = refusal(core.create_namespaced_config_map, namespace, config_map(a="1"))
    assert status["message"].endswith("denied request: failed expression: size(object.data) > 5")


def test_an_expression_that_fails_counts_unless_failures_are_ignored(
    core: CoreV1Api, policies: AdmissionregistrationV1Api, install: Install, namespace: str, name: str
) -> None:
    install({"expression": "object.data.missing == 'x'"})
    status = refusal(core.create_namespaced_config_map, namespace, config_map(a="1"))
    assert "expression 'object.data.missing == 'x'' resulted in error:" in status["message"]
    policies.patch_validating_admission_policy(name, {"spec": {"failurePolicy": "Ignore"}})
    core.create_namespaced_config_map(namespace, config_map(a="1"))


def test_variables_are_worked_out_when_they_are_needed(core: CoreV1Api, install: Install, namespace: str) -> None:
    variables = [
        {"name": "owner", "expression": "object.data.owner"},
        {"name": "team", "expression": "namespaceObject.metadata.labels.team"},
        {"name": "fits", "expression": "variables.owner == variables.team"},
    ]
    install({"expression": "!has(object.data.owner) || variables.fits", "message": "another team"}, variables=variables)
    core.create_namespaced_config_map(namespace, config_map("unowned", a="1"))
    core.create_namespaced_config_map(namespace, config_map("ours", owner="shop"))
    assert "another team" in refusal(core.create_namespaced_config_map, namespace, config_map(owner="ops"))["message"]


def test_an_update_knows_what_was_there_before(core: CoreV1Api, install: Install, namespace: str) -> None:
    install(
        {"expression": "request.operation == 'CREATE' || object.data == oldObject.data", "message": "keep the data"}
    )
    core.create_namespaced_config_map(namespace, config_map(a="1"))
    core.patch_namespaced_config_map("settings", namespace, {"metadata": {"labels": {"x": "y"}}})
    assert "keep" in refusal(core.patch_namespaced_config_map, "settings", namespace, {"data": {"a": "2"}})["message"]


def test_conditions_decide_whether_a_policy_is_asked(core: CoreV1Api, install: Install, namespace: str) -> None:
    condition = {"name": "guarded", "expression": "has(object.metadata.labels) && 'guarded' in object.metadata.labels"}
    install({"expression": "false", "message": "guarded"}, matchConditions=[condition])
    core.create_namespaced_config_map(namespace, config_map("free"))
    guarded = config_map()
    guarded["metadata"]["labels"] = {"guarded": "yes"}
    assert "guarded" in refusal(core.create_namespaced_config_map, namespace, guarded)["message"]


def test_optional_values_and_string_functions_are_known(core: CoreV1Api, install: Install, namespace: str) -> None:
    install({"expression": "object.?data.mode.orValue('Fast').lowerAscii() == 'fast'", "message": "slow"})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "no-data"}})
    assert "slow" in refusal(core.create_namespaced_config_map, namespace, config_map(mode="Slow"))["message"]


def test_a_binding_says_for_which_namespaces(core: CoreV1Api, install: Install, namespace: str, name: str) -> None:
    not_ours = [
        {"key": "team", "operator": "NotIn", "values": ["shop"]},
        {"key": "test", "operator": "In", "values": [name]},
    ]
    install({"expression": "false", "message": "never"}, match={"namespaceSelector": {"matchExpressions": not_ours}})
    core.create_namespaced_config_map(namespace, config_map())
    other = f"{name}-other"
    core.create_namespace({"metadata": {"name": other, "labels": {"test": name}}})
    assert "never" in refusal(core.create_namespaced_config_map, other, config_map())["message"]


def test_rules_and_object_selectors_narrow_it_further(core: CoreV1Api, install: Install, namespace: str) -> None:
    match = {
        "resourceRules": [rule("", "configmaps", operations=("UPDATE",))],
        "objectSelector": {"matchLabels": {"guarded": "yes"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    install({"expression": "false", "message": "never"}, match=match)
    guarded = config_map("guarded")
    guarded["metadata"]["labels"] = {"guarded": "yes"}
    core.create_namespaced_config_map(namespace, guarded)
    core.create_namespaced_config_map(namespace, config_map())
    core.patch_namespaced_config_map("settings", namespace, {"data": {"a": "1"}})
    assert "never" in refusal(core.patch_namespaced_config_map, "guarded", namespace, {"data": {"a": "1"}})["message"]


def test_a_policy_without_a_binding_does_nothing(
    core: CoreV1Api, policies: AdmissionregistrationV1Api, install: Install, namespace: str, name: str
) -> None:
    install({"expression": "false"})
    policies.delete_validating_admission_policy_binding(name)
    core.create_namespaced_config_map(namespace, config_map())


def test_a_binding_may_warn_instead(core: CoreV1Api, install: Install, namespace: str, name: str) -> None:
    install({"expression": "false", "message": "mind it"}, actions=("Warn", "Audit"))
    _map, _status, headers = core.create_namespaced_config_map_with_http_info(namespace, config_map())
    said = f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': mind it"
    assert f'299 - "{said}"' in headers["Warning"]
    core.delete_namespaced_config_map("settings", namespace)
    _namespaces, _status, headers = core.list_namespace_with_http_info()
    assert "Warning" not in headers


def test_server_side_apply_and_controllers_are_judged_too(
    apps: AppsV1Api, core: CoreV1Api, policies: AdmissionregistrationV1Api, install: Install, namespace: str, name: str
) -> None:
    install({"expression": "object.spec.replicas < 3", "message": "too many"}, matchConditions=[
        {"name": "deployments", "expression": "request.kind.kind == 'Deployment'"}
    ])  # fmt: skip
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment()}
    applied["spec"]["replicas"] = 3
    status = refusal(
        lambda: apps.patch_namespaced_deployment(
            "orders", namespace, applied, field_manager="me", _content_type="application/apply-patch+yaml"
        )
    )
    assert "too many" in status["message"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"validations": [{"expression": "1 + 'a' == 2"}]}, "no matching overload"),
        ({"validations": [{"expression": "object.metadata.("}]}, "Syntax error"),
        ({"validations": [{"expression": "nobody.name == ''"}]}, "undeclared reference"),
        ({"validations": [{"expression": "'a'"}]}, "must evaluate to bool"),
        ({"validations": [{"expression": "true", "messageExpression": "1"}]}, "must evaluate to string"),
        (
            {"variables": [{"name": "n", "expression": "1"}], "validations": [{"expression": "variables.n == 'a'"}]},
            "no matching overload",
        ),
    ],
)
def test_an_expression_that_cannot_be_compiled_refuses_the_policy(
    policies: AdmissionregistrationV1Api, name: str, spec: dict[str, Any], words: str
) -> None:
    given = {"matchConstraints": {"resourceRules": [rule("", "configmaps")]}, **spec}
    body = {"metadata": {"name": name}, "spec": given}
    status = refusal(policies.create_validating_admission_policy, body)
    assert status["reason"] == "Invalid"
    assert f'ValidatingAdmissionPolicy.{GROUP} "{name}" is invalid: spec.' in status["message"]
    assert words in status["message"]


def test_a_binding_does_not_deny_and_warn(policies: AdmissionregistrationV1Api, name: str) -> None:
    body = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny", "Warn"]}}
    assert "both Deny and Warn" in refusal(policies.create_validating_admission_policy_binding, body)["message"]


# Mutating policies


@pytest.fixture
def complete(kube: ApiClient, name: str, namespace: str) -> Iterator[Callable[..., None]]:
    custom = CustomObjectsApi(kube)

    def make(expression: str, *resources: dict[str, Any], **spec: Any) -> None:
        policy = {
            "matchConstraints": {"resourceRules": list(resources) or [rule("apps", "deployments")]},
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
            **spec,
        }
        match = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        for kind, given in (
            ("MutatingAdmissionPolicy", policy),
            ("MutatingAdmissionPolicyBinding", {"policyName": name, "matchResources": match}),
        ):
            plural = "mutatingadmissionpolicies" if kind.endswith("Policy") else "mutatingadmissionpolicybindings"
            body = {"apiVersion": f"{GROUP}/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": given}
            custom.create_cluster_custom_object(GROUP, "v1beta1", plural, body)

    yield make
    for plural in ("mutatingadmissionpolicybindings", "mutatingadmissionpolicies"):
        custom.delete_cluster_custom_object(GROUP, "v1beta1", plural, name)


def test_a_mutating_policy_adds_what_is_missing(apps: AppsV1Api, complete: Callable[..., None], namespace: str) -> None:
    path = "'/spec/template/metadata/annotations/' + jsonpatch.escapeKey('example.com/owner')"
    complete(
        "'example.com/owner' in object.spec.template.metadata.annotations ? [] : "
        f"[JSONPatch{{op: 'add', path: {path}, value: 'shop'}}]"
    )
    made = apps.create_namespaced_deployment(namespace, deployment(note="x"))
    assert made.spec.template.metadata.annotations == {"note": "x", "example.com/owner": "shop"}
    owned = apps.create_namespaced_deployment(namespace, deployment("owned", **{"example.com/owner": "ops"}))
    assert owned.spec.template.metadata.annotations == {"example.com/owner": "ops"}


def test_a_mutating_policy_that_fails_refuses_unless_failures_are_ignored(
    core: CoreV1Api, complete: Callable[..., None], namespace: str
) -> None:
    complete("[JSONPatch{op: 'add', path: '/data/' + object.data.missing, value: 'x'}]", rule("", "configmaps"))
    assert "failed" in refusal(core.create_namespaced_config_map, namespace, config_map(a="1"))["message"]


def test_validation_sees_what_the_mutation_left(
    core: CoreV1Api, install: Install, complete: Callable[..., None], namespace: str
) -> None:
    complete("[JSONPatch{op: 'add', path: '/data/owner', value: 'shop'}]", rule("", "configmaps"))
    install({"expression": "'owner' in object.data", "message": "say who owns it"})
    made = core.create_namespaced_config_map(namespace, config_map(a="1"))
    assert made.data == {"a": "1", "owner": "shop"}


def test_mutating_policies_are_off_unless_asked_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_lab(tmp_path_factory.mktemp("plain")) as plain:
        client = config.new_client_from_config(config_file=plain.environment["KUBECONFIG"])
        with pytest.raises(ApiException) as caught:
            CustomObjectsApi(client).list_cluster_custom_object(GROUP, "v1beta1", "mutatingadmissionpolicies")
    assert caught.value.status == 404
