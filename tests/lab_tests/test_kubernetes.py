# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server, its controllers, the webhook and the virtual nodes, by the Kubernetes Python client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from kubernetes import config, watch
from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    AuthenticationV1TokenRequest,
    CoreV1Api,
    V1TokenRequestSpec,
)
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError

from harness.laboratory import Lab, running_lab
from lab_tests.waiting import eventually

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
AUDIENCE = "api://AzureADTokenExchange"
CLIENT_ID = "00000000-0000-0000-0000-00000000c11d"
FEATURES = {
    "properties": {
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
    }
}
ON_VIRTUAL_NODES = {
    "nodeSelector": {"virtualization": "virtualnode2"},
    "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster with the webhook, whose pods start at once."""
    with running_lab(tmp_path_factory.mktemp("lab"), {"cluster": FEATURES, "pod_start_seconds": 0.1}) as running:
        yield running


@pytest.fixture(scope="module")
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


@pytest.fixture(scope="module")
def apps(kube: ApiClient) -> AppsV1Api:
    return AppsV1Api(kube)


@pytest.fixture
def namespace(core: CoreV1Api, name: str) -> str:
    """A new namespace, furnished with its ServiceAccount."""
    core.create_namespace({"metadata": {"name": name}})
    eventually(lambda: core.list_namespaced_service_account(name).items)
    return name


def refusal(caught: pytest.ExceptionInfo[Any]) -> tuple[int, str, str]:
    """The code, the reason and the message of a Status object."""
    status = json.loads(caught.value.body)
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", caught.value.status)
    return status["code"], status.get("reason", ""), status["message"]


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


def names(found: Any) -> list[str]:
    return [item.metadata.name for item in found.items]


# Reading and writing


def test_a_missing_object_is_not_found(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_config_map("missing", namespace)
    assert refusal(caught) == (404, "NotFound", 'configmaps "missing" not found')


def test_an_object_is_created_once(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first"))
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(namespace, config_map("first"))
    assert refusal(caught) == (409, "AlreadyExists", 'configmaps "first" already exists')


def test_a_missing_namespace_is_told(core: CoreV1Api, name: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(name, config_map("first"))
    assert refusal(caught) == (404, "NotFound", f'namespaces "{name}" not found')


def test_a_generated_name_begins_as_given(core: CoreV1Api, namespace: str) -> None:
    created = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "first-"}})
    assert created.metadata.name.startswith("first-")
    assert len(created.metadata.name) == len("first-") + 5


def test_a_pod_without_an_image_is_invalid(core: CoreV1Api, namespace: str) -> None:
    body = {"metadata": {"name": "first"}, "spec": {"containers": [{"name": "app"}]}}
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, body)
    code, reason, message = refusal(caught)
    assert (code, reason) == (422, "Invalid")
    assert "spec.containers[0].image: Required value" in message


def test_an_unknown_field_is_refused_when_asked_to(kube: ApiClient, namespace: str) -> None:
    # The typed client refuses it by itself.
    config_maps = DynamicClient(kube).resources.get(api_version="v1", kind="ConfigMap")
    body = {**config_map("first"), "dta": {}}
    with pytest.raises(DynamicApiError) as caught:
        config_maps.create(body=body, namespace=namespace, query_params=[("fieldValidation", "Strict")])
    code, reason, message = refusal(caught)
    assert (code, reason) == (400, "BadRequest")
    assert 'unknown field "dta"' in message


def test_a_caller_without_a_token_is_unauthorized(lab: Lab) -> None:
    api = config.new_client_from_config(config_file=lab.environment["KUBECONFIG"])
    api.configuration.api_key = {}
    api.configuration.refresh_api_key_hook = None
    with pytest.raises(ApiException) as caught:
        CoreV1Api(api).list_namespace()
    assert refusal(caught)[:2] == (401, "Unauthorized")


def test_a_stale_resource_version_is_a_conflict(core: CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    first.data["a"] = "2"
    core.replace_namespaced_config_map("first", namespace, first)
    first.data["a"] = "3"
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("first", namespace, first)
    code, reason, message = refusal(caught)
    assert (code, reason) == (409, "Conflict")
    assert "the object has been modified" in message
    assert core.read_namespaced_config_map("first", namespace).data == {"a": "2"}


def test_a_write_without_a_change_keeps_the_resource_version(core: CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    again = core.replace_namespaced_config_map("first", namespace, first)
    assert again.metadata.resource_version == first.metadata.resource_version


def test_the_dynamic_client_finds_its_way(kube: ApiClient, namespace: str) -> None:
    deployments = DynamicClient(kube).resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(body=deployment("first", replicas=0), namespace=namespace)
    assert deployments.get(name="first", namespace=namespace).spec.replicas == 0


# Patches


def test_a_strategic_patch_merges_containers_by_name(apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", replicas=0))
    added = {"name": "side", "image": "registry.example.com/side:1"}
    patch = {"spec": {"template": {"spec": {"containers": [added]}}}}
    patched = apps.patch_namespaced_deployment("first", namespace, patch, _content_type=STRATEGIC)
    assert {each.name for each in patched.spec.template.spec.containers} == {"app", "side"}


def test_a_strategic_patch_deletes_by_directive(apps: AppsV1Api, namespace: str) -> None:
    body = deployment("first", replicas=0)
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "registry.example.com/side:1"})
    apps.create_namespaced_deployment(namespace, body)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    patched = apps.patch_namespaced_deployment("first", namespace, patch, _content_type=STRATEGIC)
    assert [each.name for each in patched.spec.template.spec.containers] == ["app"]


def test_a_merge_patch_replaces_lists(apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", replicas=0))
    other = {"name": "other", "image": "registry.example.com/other:1"}
    patch = {"spec": {"template": {"spec": {"containers": [other]}}}}
    patched = apps.patch_namespaced_deployment("first", namespace, patch, _content_type=MERGE)
    assert [each.name for each in patched.spec.template.spec.containers] == ["other"]


def test_a_merge_patch_removes_by_null(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", a="1", b="2"))
    patched = core.patch_namespaced_config_map("first", namespace, {"data": {"a": None}}, _content_type=MERGE)
    assert patched.data == {"b": "2"}


def test_a_json_patch_is_applied_in_order(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    patch = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "move", "from": "/data/a", "path": "/data/b"},
        {"op": "add", "path": "/data/c", "value": "3"},
    ]
    patched = core.patch_namespaced_config_map("first", namespace, patch, _content_type=JSON_PATCH)
    assert patched.data == {"b": "1", "c": "3"}


def test_a_json_patch_whose_test_fails_changes_nothing(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    patch = [
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "test", "path": "/data/a", "value": "other"},
    ]
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_config_map("first", namespace, patch, _content_type=JSON_PATCH)
    assert refusal(caught)[:2] == (422, "Invalid")
    assert core.read_namespaced_config_map("first", namespace).data == {"a": "1"}


def test_a_patch_with_a_stale_resource_version_is_a_conflict(core: CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    core.patch_namespaced_config_map("first", namespace, {"data": {"a": "2"}}, _content_type=MERGE)
    patch = {"metadata": {"resourceVersion": first.metadata.resource_version}, "data": {"a": "3"}}
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_config_map("first", namespace, patch, _content_type=MERGE)
    assert refusal(caught)[:2] == (409, "Conflict")


def test_an_applied_field_belongs_to_who_applied_it(core: CoreV1Api, namespace: str) -> None:
    def apply(manager: str, value: str, force: bool = False) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("first", a=value)}
        return core.patch_namespaced_config_map(
            "first", namespace, body, field_manager=manager, force=force, _content_type=APPLY
        )

    apply("one", "1")
    with pytest.raises(ApiException) as caught:
        apply("other", "2")
    code, reason, message = refusal(caught)
    assert (code, reason) == (409, "Conflict")
    assert 'conflict with "one"' in message
    assert apply("other", "2", force=True).data == {"a": "2"}


# Dry runs


def test_a_dry_run_creates_nothing(core: CoreV1Api, namespace: str) -> None:
    shown = core.create_namespaced_config_map(namespace, config_map("first", a="1"), dry_run="All")
    assert (shown.data, bool(shown.metadata.uid)) == ({"a": "1"}, True)
    assert "first" not in names(core.list_namespaced_config_map(namespace))


def test_a_dry_run_changes_nothing(core: CoreV1Api, namespace: str) -> None:
    created = core.create_namespaced_config_map(namespace, config_map("first", a="1"))
    patch = {"data": {"a": "2"}}
    shown = core.patch_namespaced_config_map("first", namespace, patch, dry_run="All", _content_type=MERGE)
    assert shown.data == {"a": "2"}
    assert core.read_namespaced_config_map("first", namespace).to_dict() == created.to_dict()


def test_a_dry_run_deletes_nothing(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first"))
    core.delete_namespaced_config_map("first", namespace, dry_run="All")
    assert "first" in names(core.list_namespaced_config_map(namespace))


def test_a_dry_run_refuses_what_is_invalid(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(namespace, config_map("No_Name"), dry_run="All")
    assert refusal(caught)[:2] == (422, "Invalid")


# Lists


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=web", ["one", "two"]),
        ("tier==web,stage=test", ["two"]),
        ("tier!=web", ["four", "three"]),
        ("stage in (live, test)", ["one", "two"]),
        ("tier,stage notin (test)", ["one", "three"]),
        ("!tier", ["four"]),
    ],
)
def test_label_selectors_choose(core: CoreV1Api, labelled: str, selector: str, expected: list[str]) -> None:
    assert names(core.list_namespaced_secret(labelled, label_selector=selector)) == expected


@pytest.fixture(scope="module")
def labelled(core: CoreV1Api) -> str:
    """A namespace with four Secrets, whose names come in order as four, one, three, two."""
    core.create_namespace({"metadata": {"name": "labelled"}})
    for name, labels in {
        "one": {"tier": "web", "stage": "live"},
        "two": {"tier": "web", "stage": "test"},
        "three": {"tier": "data"},
        "four": {},
    }.items():
        core.create_namespaced_secret("labelled", {"metadata": {"name": name, "labels": labels}})
    return "labelled"


def test_a_field_selector_chooses(core: CoreV1Api, labelled: str) -> None:
    assert names(core.list_namespaced_secret(labelled, field_selector="metadata.name=two")) == ["two"]


def test_a_field_that_cannot_be_selected_is_told(core: CoreV1Api, labelled: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_secret(labelled, field_selector="metadata.uid=1")
    code, reason, message = refusal(caught)
    assert (code, reason) == (400, "BadRequest")
    assert "field label not supported: metadata.uid" in message


def test_a_list_comes_in_pages(core: CoreV1Api, labelled: str) -> None:
    first = core.list_namespaced_secret(labelled, limit=3)
    assert (names(first), first.metadata.remaining_item_count) == (["four", "one", "three"], 1)
    second = core.list_namespaced_secret(labelled, limit=3, _continue=first.metadata._continue)
    assert (names(second), second.metadata._continue) == (["two"], None)
    assert second.metadata.resource_version == first.metadata.resource_version


def test_a_selected_list_does_not_tell_how_much_remains(core: CoreV1Api, labelled: str) -> None:
    page = core.list_namespaced_secret(labelled, limit=1, label_selector="tier=web")
    assert (names(page), page.metadata.remaining_item_count) == (["one"], None)


def test_a_continue_token_that_is_none_is_refused(core: CoreV1Api, labelled: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_secret(labelled, limit=1, _continue="nonsense")
    assert refusal(caught)[:2] == (400, "BadRequest")


# Watches


def seen(core: CoreV1Api, namespace: str, count: int, **options: Any) -> list[tuple[str, str]]:
    """The first events on ConfigMaps: their types and the names."""
    events: list[tuple[str, str]] = []
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_config_map, namespace, timeout_seconds=5, **options):
        events.append((event["type"], event["object"].metadata.name))
        if len(events) == count:
            break
    watching.stop()
    return events


def test_a_watch_resumes_from_a_resource_version(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("before"))
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("after"))
    core.patch_namespaced_config_map("before", namespace, {"data": {"a": "1"}}, _content_type=MERGE)
    core.delete_namespaced_config_map("after", namespace)
    options = {"resource_version": version, "field_selector": "metadata.name!=kube-root-ca.crt"}
    expected = [("ADDED", "after"), ("MODIFIED", "before"), ("DELETED", "after")]
    assert seen(core, namespace, 3, **options) == expected


def test_a_watch_begins_with_what_is_there(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", {"chosen": "yes"}))
    assert seen(core, namespace, 1, label_selector="chosen=yes") == [("ADDED", "first")]


def test_a_watch_forgets_what_leaves_its_selection(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", {"chosen": "yes"}))
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    patch = {"metadata": {"labels": {"chosen": "no"}}}
    core.patch_namespaced_config_map("first", namespace, patch, _content_type=MERGE)
    options = {"resource_version": version, "label_selector": "chosen=yes"}
    assert seen(core, namespace, 1, **options) == [("DELETED", "first")]


def test_a_watch_ends_in_its_time(core: CoreV1Api, namespace: str) -> None:
    started = time.monotonic()
    options = {"timeout_seconds": 1, "label_selector": "chosen=yes"}
    assert list(watch.Watch().stream(core.list_namespaced_config_map, namespace, **options)) == []
    assert 0.5 < time.monotonic() - started < 4


def test_a_watch_from_too_long_ago_has_expired(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        seen(core, namespace, 1, resource_version="1")
    assert caught.value.status == 410
    assert caught.value.reason.startswith("Expired: too old resource version: 1")


# Deletion


def is_gone(core: CoreV1Api, namespace: str) -> bool:
    return namespace not in names(core.list_namespace())


def test_a_namespace_goes_with_what_is_in_it(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first"))
    core.delete_namespace(namespace)
    eventually(lambda: is_gone(core, namespace))
    assert core.list_namespaced_config_map(namespace).items == []


def test_a_namespace_waits_for_what_a_finalizer_holds(core: CoreV1Api, namespace: str) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    core.create_namespaced_config_map(namespace, held)
    core.delete_namespace(namespace)
    eventually(lambda: core.read_namespaced_config_map("held", namespace).metadata.deletion_timestamp)
    assert core.read_namespace(namespace).status.phase == "Terminating"
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(namespace, config_map("late"))
    code, reason, message = refusal(caught)
    assert (code, reason) == (403, "Forbidden")
    assert "because it is being terminated" in message
    patch = {"metadata": {"finalizers": None}}
    core.patch_namespaced_config_map("held", namespace, patch, _content_type=MERGE)
    eventually(lambda: is_gone(core, namespace))


def test_the_default_namespace_is_kept(core: CoreV1Api) -> None:
    with pytest.raises(ApiException) as caught:
        core.delete_namespace("default")
    assert refusal(caught)[:2] == (403, "Forbidden")


def test_a_deletion_of_another_object_of_that_name_is_a_conflict(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first"))
    with pytest.raises(ApiException) as caught:
        core.delete_namespaced_config_map("first", namespace, body={"preconditions": {"uid": "another"}})
    assert refusal(caught)[:2] == (409, "Conflict")


# The webhook


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": "registry.example.com/idle:1"}]
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": containers, **spec}}


LABELLED = {"azure.workload.identity/use": "true"}


@pytest.fixture
def account(core: CoreV1Api, namespace: str) -> str:
    """A ServiceAccount of an identity."""
    metadata = {"name": "app", "annotations": {"azure.workload.identity/client-id": CLIENT_ID}}
    core.create_namespaced_service_account(namespace, {"metadata": metadata})
    return "app"


def variables(created: Any) -> dict[str, str]:
    return {each.name: each.value for each in created.spec.containers[0].env or []}


def token_volumes(created: Any) -> list[Any]:
    """Those volumes that the webhook adds."""
    return [each for each in created.spec.volumes or [] if each.name.startswith("azure-workload-identity")]


def test_a_labelled_pod_gets_its_variables(lab: Lab, core: CoreV1Api, namespace: str, account: str) -> None:
    created = core.create_namespaced_pod(namespace, pod("first", LABELLED, serviceAccountName=account))
    assert variables(created) == {
        "AZURE_CLIENT_ID": CLIENT_ID,
        "AZURE_TENANT_ID": lab.environment["AZURE_TENANT"],
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/wi/token/azure-identity-token",
        "AZURE_AUTHORITY_HOST": f"{lab.environment['LAB_AUTHORITY_URL']}/",
    }


def test_a_labelled_pod_gets_its_token(core: CoreV1Api, namespace: str, account: str) -> None:
    created = core.create_namespaced_pod(namespace, pod("first", LABELLED, serviceAccountName=account))
    (volume,) = token_volumes(created)
    (source,) = volume.projected.sources
    token = source.service_account_token
    assert (token.audience, token.expiration_seconds) == (AUDIENCE, 3600)
    mounts = [each.mount_path for each in created.spec.containers[0].volume_mounts if each.name == volume.name]
    assert mounts == ["/var/run/secrets/azure/wi"]


@pytest.mark.parametrize("labels", [{}, {"azure.workload.identity/use": "yes"}])
def test_another_pod_gets_nothing(core: CoreV1Api, namespace: str, account: str, labels: dict[str, str]) -> None:
    created = core.create_namespaced_pod(namespace, pod("first", labels, serviceAccountName=account))
    assert (variables(created), token_volumes(created)) == ({}, [])


def test_a_variable_of_the_pod_is_kept(core: CoreV1Api, namespace: str, account: str) -> None:
    body = pod("first", LABELLED, serviceAccountName=account)
    body["spec"]["containers"][0]["env"] = [{"name": "AZURE_CLIENT_ID", "value": "own"}]
    assert variables(core.create_namespaced_pod(namespace, body))["AZURE_CLIENT_ID"] == "own"


def test_a_pod_of_a_missing_account_is_refused(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, pod("first", serviceAccountName="missing"))
    code, reason, message = refusal(caught)
    assert (code, reason) == (403, "Forbidden")
    assert 'serviceaccount "missing" not found' in message


# Tokens


def request_token(core: CoreV1Api, namespace: str, account: str = "default", seconds: int | None = None) -> Any:
    spec = V1TokenRequestSpec(audiences=[AUDIENCE], expiration_seconds=seconds)
    body = AuthenticationV1TokenRequest(spec=spec)
    return core.create_namespaced_service_account_token(account, namespace, body)


def test_a_token_says_who_it_speaks_for(core: CoreV1Api, namespace: str) -> None:
    answer = request_token(core, namespace, seconds=7200)
    claims = jwt.decode(answer.status.token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == (f"system:serviceaccount:{namespace}:default", [AUDIENCE])
    assert claims["exp"] - claims["iat"] == 7200
    assert claims["iss"].endswith("/")


def test_a_token_for_a_minute_is_refused(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        request_token(core, namespace, seconds=60)
    code, reason, message = refusal(caught)
    assert (code, reason) == (422, "Invalid")
    assert "may not specify a duration less than 10 minutes" in message


def test_a_token_of_a_missing_account_is_not_found(core: CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        request_token(core, namespace, account="missing")
    assert refusal(caught) == (404, "NotFound", 'serviceaccounts "missing" not found')


# Deployments and nodes


def deployment(name: str, replicas: int = 2, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = pod(name, labels, **spec)
    del template["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def rolled_out(apps: AppsV1Api, namespace: str, name: str) -> Any:
    """The Deployment, once all of its pods are new and available."""

    def probe() -> Any:
        found = apps.read_namespaced_deployment(name, namespace)
        wanted, status = found.spec.replicas, found.status
        counts = {status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0}
        return found if counts == {wanted} and status.observed_generation == found.metadata.generation else None

    return eventually(probe)


def nodes_of(core: CoreV1Api, namespace: str) -> set[str]:
    found = core.list_namespaced_pod(namespace, field_selector="status.phase=Running")
    return {each.spec.node_name for each in found.items if not each.metadata.deletion_timestamp}


def test_a_deployment_rolls_out_on_virtual_nodes(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", **ON_VIRTUAL_NODES))
    conditions = {each.type: each.status for each in rolled_out(apps, namespace, "first").status.conditions}
    assert conditions == {"Available": "True", "Progressing": "True"}
    nodes = nodes_of(core, namespace)
    assert nodes
    assert all(core.read_node(each).metadata.labels["virtualization"] == "virtualnode2" for each in nodes)


def test_a_pod_without_a_toleration_keeps_off_virtual_nodes(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first"))
    rolled_out(apps, namespace, "first")
    (node,) = nodes_of(core, namespace)
    assert "virtualization" not in core.read_node(node).metadata.labels


def test_a_pod_that_no_node_takes_stays_pending(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_pod(namespace, pod("first", nodeSelector=ON_VIRTUAL_NODES["nodeSelector"]))
    condition = eventually(lambda: core.read_namespaced_pod("first", namespace).status.conditions)[0]
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert "untolerated taint" in condition.message


def test_a_changed_template_replaces_the_pods(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", **ON_VIRTUAL_NODES))
    rolled_out(apps, namespace, "first")
    containers = [{"name": "app", "image": "registry.example.com/idle:2"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    apps.patch_namespaced_deployment("first", namespace, patch, _content_type=STRATEGIC)
    rolled_out(apps, namespace, "first")
    running = [each for each in core.list_namespaced_pod(namespace).items if not each.metadata.deletion_timestamp]
    assert {each.spec.containers[0].image for each in running} == {"registry.example.com/idle:2"}
    assert len(apps.list_namespaced_replica_set(namespace).items) == 2


def test_a_deployment_is_scaled(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", replicas=1, **ON_VIRTUAL_NODES))
    patch = {"spec": {"replicas": 3}}
    scale = apps.patch_namespaced_deployment_scale("first", namespace, patch, _content_type=MERGE)
    assert scale.spec.replicas == 3
    assert rolled_out(apps, namespace, "first").status.available_replicas == 3


def test_pods_go_with_their_deployment(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", **ON_VIRTUAL_NODES))
    rolled_out(apps, namespace, "first")
    apps.delete_namespaced_deployment("first", namespace)
    eventually(lambda: not apps.list_namespaced_replica_set(namespace).items)
    eventually(lambda: not core.list_namespaced_pod(namespace).items)


def test_a_missing_account_is_told_by_an_event(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", replicas=1, serviceAccountName="missing"))
    selector = "involvedObject.kind=ReplicaSet,reason=FailedCreate"
    event = eventually(lambda: core.list_namespaced_event(namespace, field_selector=selector).items)[0]
    assert event.type == "Warning"
    assert event.message.endswith('serviceaccount "missing" not found')
    assert core.list_namespaced_pod(namespace).items == []


def test_a_missing_account_may_come_later(core: CoreV1Api, apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("first", replicas=1, serviceAccountName="late"))
    selector = "reason=FailedCreate"
    eventually(lambda: core.list_namespaced_event(namespace, field_selector=selector).items)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "late"}})
    rolled_out(apps, namespace, "first")
