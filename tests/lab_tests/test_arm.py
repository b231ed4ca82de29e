# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Resource Manager and the resource providers behind it, by the Azure SDKs and by plain requests."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError

from harness.azure_clients import AzureClients
from harness.laboratory import Lab, running_lab

IDENTITIES, CLUSTERS, ASSIGNMENTS, GROUPS = "2024-11-30", "2026-08-01", "2022-04-01", "2022-09-01"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
LOCATION = "westeurope"
REPLICATION_SECONDS = 1.5
ISSUER_ON = {"properties": {"oidcIssuerProfile": {"enabled": True}}}
STOPPED = {"properties": {"powerState": {"code": "Stopped"}}}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Pages of two, a cluster with an issuer, and services that are quick."""
    scenario = {
        "page_size": 2,
        "cluster": ISSUER_ON,
        "cluster_update_seconds": 0.5,
        "principal_replication_seconds": 0,
    }
    with running_lab(tmp_path_factory.mktemp("quick"), scenario) as running:
        yield running


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureClients]:
    """Services that take their time, and a cluster without an issuer."""
    scenario = {"credential_write_seconds": 0.5, "principal_replication_seconds": REPLICATION_SECONDS}
    with running_lab(tmp_path_factory.mktemp("slow"), scenario) as running:
        yield AzureClients(running)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureClients]:
    with running_lab(tmp_path_factory.mktemp("stopped"), {"cluster": STOPPED}) as running:
        yield AzureClients(running)


def code(answer: requests.Response) -> str:
    """The code of an error in ARM's form, whose message is not empty."""
    error = answer.json()["error"]
    assert error["message"], answer.text
    return str(error["code"])


def refusal(caught: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str]:
    error = caught.value.error
    assert error is not None
    return caught.value.status_code, str(error.code)


# The front door


def test_an_api_version_is_required(azure: AzureClients) -> None:
    answer = azure.send("GET", azure.group_id)
    assert (answer.status_code, code(answer)) == (400, "MissingApiVersionParameter")


@pytest.mark.parametrize("version", ["tomorrow", "1999-01-01"])
def test_an_api_version_that_is_none_is_refused(azure: AzureClients, version: str) -> None:
    answer = azure.send("GET", f"{azure.group_id}?api-version={version}")
    assert (answer.status_code, code(answer)) == (400, "InvalidApiVersionParameter")


def test_an_api_version_that_a_provider_does_not_have_is_refused(azure: AzureClients) -> None:
    answer = azure.send("GET", f"{azure.identity_id('any')}?api-version=2022-09-01")
    assert (answer.status_code, code(answer)) == (400, "NoRegisteredProviderFound")
    assert IDENTITIES in answer.json()["error"]["message"]


def test_a_token_is_required(azure: AzureClients) -> None:
    answer = azure.send("GET", f"{azure.group_id}?api-version={GROUPS}", token="")
    assert (answer.status_code, code(answer)) == (401, "AuthenticationFailed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_that_is_none_is_refused(azure: AzureClients) -> None:
    answer = azure.send("GET", f"{azure.group_id}?api-version={GROUPS}", token="no-token")
    assert (answer.status_code, code(answer)) == (401, "InvalidAuthenticationToken")


def test_a_token_for_the_vault_is_refused(azure: AzureClients) -> None:
    vault = azure.send("GET", f"{azure.lab.environment['LAB_VAULT_URL']}/secrets/greeting?api-version=7.6", token="")
    resource = vault.headers["WWW-Authenticate"].split('resource="')[1].rstrip('"')
    token = azure.credential.get_token(f"{resource}/.default").token
    answer = azure.send("GET", f"{azure.group_id}?api-version={GROUPS}", token=token)
    assert (answer.status_code, code(answer)) == (401, "InvalidAuthenticationTokenAudience")


def test_a_missing_group_is_told(azure: AzureClients) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.identities.user_assigned_identities.get("rg-missing", "any")
    assert refusal(caught) == (404, "ResourceGroupNotFound")


def test_a_missing_resource_is_told(azure: AzureClients, name: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.identities.user_assigned_identities.get(azure.group, name)
    assert refusal(caught) == (404, "ResourceNotFound")


def test_a_missing_cluster_is_told(azure: AzureClients) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.clusters.managed_clusters.get(azure.group, "aks-missing")
    assert refusal(caught) == (404, "ResourceNotFound")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_missing_parent_is_told(azure: AzureClients, name: str, method: str) -> None:
    path = f"{azure.identity_id(name)}/federatedIdentityCredentials/any"
    answer = azure.send(method, f"{path}?api-version={IDENTITIES}", json=federation("any"))
    assert (answer.status_code, code(answer)) == (404, "ParentResourceNotFound")


def test_a_foreign_subscription_is_not_found(azure: AzureClients) -> None:
    answer = azure.send("GET", f"/subscriptions/{uuid.uuid4()}/resourceGroups/any?api-version={GROUPS}")
    assert (answer.status_code, code(answer)) == (404, "SubscriptionNotFound")


def test_every_answer_can_be_traced(azure: AzureClients) -> None:
    good = azure.send("GET", f"{azure.group_id}?api-version={GROUPS}")
    bad = azure.send("GET", azure.group_id)
    assert uuid.UUID(good.headers["x-ms-request-id"]) != uuid.UUID(bad.headers["x-ms-request-id"])
    assert good.headers["x-ms-correlation-request-id"]


def test_the_callers_correlation_id_is_kept(azure: AzureClients) -> None:
    given = str(uuid.uuid4())
    answer = azure.send("GET", f"{azure.group_id}?api-version={GROUPS}", headers={"x-ms-correlation-request-id": given})
    assert answer.headers["x-ms-correlation-request-id"] == given


def test_a_body_that_is_no_json_is_refused(azure: AzureClients, name: str) -> None:
    answer = azure.send("PUT", f"{azure.identity_id(name)}?api-version={IDENTITIES}", data="{")
    assert (answer.status_code, code(answer)) == (400, "InvalidRequestContent")


# Identities


def put_identity(azure: AzureClients, name: str, **changes: Any) -> requests.Response:
    body = {"location": LOCATION, **changes}
    return azure.send("PUT", f"{azure.identity_id(name)}?api-version={IDENTITIES}", json=body)


def make_identity(azure: AzureClients, name: str) -> Any:
    return azure.identities.user_assigned_identities.create_or_update(azure.group, name, {"location": LOCATION})


def test_an_identity_is_created_once(azure: AzureClients, name: str) -> None:
    assert put_identity(azure, name).status_code == 201
    assert put_identity(azure, name).status_code == 200


def test_an_identity_keeps_its_ids(azure: AzureClients, name: str) -> None:
    first, second = make_identity(azure, name), make_identity(azure, name)
    assert uuid.UUID(first.client_id) != uuid.UUID(first.principal_id)
    assert (first.client_id, first.principal_id) == (second.client_id, second.principal_id)
    assert first.tenant_id == azure.lab.environment["AZURE_TENANT"]


def test_a_location_is_required(azure: AzureClients, name: str) -> None:
    answer = put_identity(azure, name, location=None)
    assert (answer.status_code, code(answer)) == (400, "LocationRequired")


def test_an_identity_does_not_move(azure: AzureClients, name: str) -> None:
    put_identity(azure, name)
    answer = put_identity(azure, name, location="eastus")
    assert (answer.status_code, code(answer)) == (409, "InvalidResourceLocation")


def test_ids_have_no_case(azure: AzureClients, name: str) -> None:
    identity = make_identity(azure, name)
    assert "/resourcegroups/" in identity.id
    answer = azure.send("GET", f"{azure.identity_id(name).upper()}?api-version={IDENTITIES}")
    assert answer.json()["id"] == identity.id


def test_a_list_comes_in_pages(azure: AzureClients) -> None:
    names = [f"page-{number}" for number in range(3)]
    for each in names:
        make_identity(azure, each)
    listed = [each.name for each in azure.identities.user_assigned_identities.list_by_resource_group(azure.group)]
    assert [each for each in listed if each in names] == names
    assert len(set(listed)) == len(listed)


def test_a_page_leads_to_the_next(azure: AzureClients, name: str) -> None:
    for number in range(3):
        make_identity(azure, f"{name}-{number}")
    collection = azure.identity_id("").rstrip("/")
    page = azure.send("GET", f"{collection}?api-version={IDENTITIES}").json()
    assert len(page["value"]) == 2
    following = azure.send("GET", page["nextLink"]).json()
    assert page["value"][-1]["name"] not in [each["name"] for each in following["value"]]


def test_an_identity_is_deleted_once(azure: AzureClients, name: str) -> None:
    put_identity(azure, name)
    path = f"{azure.identity_id(name)}?api-version={IDENTITIES}"
    assert [azure.send("DELETE", path).status_code for _time in range(2)] == [200, 204]


# Federated credentials


def federation(subject: str, issuer: str = "https://issuer.example.com/") -> dict[str, Any]:
    return {"properties": {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}}


def put_credential(azure: AzureClients, identity: str, name: str, body: dict[str, Any]) -> requests.Response:
    path = f"{azure.identity_id(identity)}/federatedIdentityCredentials/{name}"
    return azure.send("PUT", f"{path}?api-version={IDENTITIES}", json=body)


def test_a_credential_is_created_once(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    answers = [put_credential(azure, name, "first", federation("a")) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]


def test_the_sdk_reads_what_it_wrote(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    operations = azure.identities.federated_identity_credentials
    operations.create_or_update(azure.group, name, "first", federation("a"))
    found = operations.get(azure.group, name, "first")
    assert (found.issuer, found.subject, found.audiences) == tuple(federation("a")["properties"].values())


def test_issuer_and_subject_stand_once(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    put_credential(azure, name, "first", federation("a"))
    answer = put_credential(azure, name, "second", federation("a"))
    assert (answer.status_code, code(answer)) == (400, "BadRequest")
    assert "Issuer and subject combination already exists" in answer.json()["error"]["message"]


def test_another_identity_may_have_the_same_issuer_and_subject(azure: AzureClients, name: str) -> None:
    for identity in (name, f"{name}-other"):
        make_identity(azure, identity)
        assert put_credential(azure, identity, "first", federation("a")).status_code == 201


def test_a_subject_may_be_changed(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    put_credential(azure, name, "first", federation("a"))
    assert put_credential(azure, name, "first", federation("b")).json()["properties"]["subject"] == "b"


def test_an_identity_has_twenty_credentials_at_most(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    answers = [put_credential(azure, name, f"number-{each}", federation(str(each))) for each in range(21)]
    assert [answer.status_code for answer in answers] == [201] * 20 + [400]
    assert len(list(azure.identities.federated_identity_credentials.list(azure.group, name))) == 20
    assert put_credential(azure, name, "number-0", federation("again")).status_code == 200


@pytest.mark.parametrize("audiences", [[], ["a", "b"]])
def test_a_credential_has_exactly_one_audience(azure: AzureClients, name: str, audiences: list[str]) -> None:
    make_identity(azure, name)
    body = {"properties": {**federation("a")["properties"], "audiences": audiences}}
    assert put_credential(azure, name, "first", body).status_code == 400


@pytest.mark.parametrize("bad", ["ab", "-ab", "a.b"])
def test_a_credential_has_a_proper_name(azure: AzureClients, name: str, bad: str) -> None:
    make_identity(azure, name)
    assert put_credential(azure, name, bad, federation("a")).status_code == 400


def test_a_wrong_subject_is_stored_without_complaint(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    assert put_credential(azure, name, "first", federation(" nobody ")).json()["properties"]["subject"] == " nobody "


def at_once(*calls: Any) -> list[requests.Response]:
    barrier = threading.Barrier(len(calls))

    def run(call: Any) -> requests.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_concurrent_writes_of_credentials_are_refused(slow: AzureClients, name: str) -> None:
    make_identity(slow, name)
    answers = at_once(
        lambda: put_credential(slow, name, "first", federation("a")),
        lambda: put_credential(slow, name, "second", federation("b")),
    )
    good, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert (good.status_code, refused.status_code) == (201, 409)
    assert code(refused) == "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"


def test_credentials_of_two_identities_are_written_at_once(slow: AzureClients, name: str) -> None:
    for identity in (name, f"{name}-other"):
        make_identity(slow, identity)
    answers = at_once(
        lambda: put_credential(slow, name, "first", federation("a")),
        lambda: put_credential(slow, f"{name}-other", "first", federation("a")),
    )
    assert [answer.status_code for answer in answers] == [201, 201]


def test_a_credential_is_deleted_once(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    put_credential(azure, name, "first", federation("a"))
    path = f"{azure.identity_id(name)}/federatedIdentityCredentials/first?api-version={IDENTITIES}"
    assert [azure.send("DELETE", path).status_code for _time in range(2)] == [200, 204]


def test_credentials_go_with_their_identity(azure: AzureClients, name: str) -> None:
    make_identity(azure, name)
    put_credential(azure, name, "first", federation("a"))
    azure.identities.user_assigned_identities.delete(azure.group, name)
    make_identity(azure, name)
    assert list(azure.identities.federated_identity_credentials.list(azure.group, name)) == []


# The cluster


def read_cluster(azure: AzureClients) -> dict[str, Any]:
    body: dict[str, Any] = azure.send("GET", f"{azure.cluster_id}?api-version={CLUSTERS}").json()
    return body


def put_cluster(azure: AzureClients, body: dict[str, Any], **headers: str) -> requests.Response:
    return azure.send("PUT", f"{azure.cluster_id}?api-version={CLUSTERS}", json=body, headers=headers)


def settled(azure: AzureClients) -> dict[str, Any]:
    """The cluster, once no operation is in progress."""
    for _time in range(100):
        body = read_cluster(azure)
        if body["properties"]["provisioningState"] == "Succeeded":
            return body
        time.sleep(0.1)
    raise AssertionError("the update of the cluster does not end")


@pytest.fixture
def cluster(azure: AzureClients) -> Iterator[dict[str, Any]]:
    """The cluster without an operation in progress, before the test and after it."""
    yield settled(azure)
    settled(azure)


def test_the_sdk_waits_for_an_update(azure: AzureClients, cluster: dict[str, Any]) -> None:
    operations = azure.clusters.managed_clusters
    found = operations.get(azure.group, cluster["name"])
    found.tags["changed"] = uuid.uuid4().hex
    poller = operations.begin_create_or_update(azure.group, cluster["name"], found, polling_interval=0.2)
    assert poller.result().provisioning_state == "Succeeded"
    assert read_cluster(azure)["tags"] == found.tags


def test_an_update_says_where_to_ask(azure: AzureClients, cluster: dict[str, Any]) -> None:
    answer = put_cluster(azure, cluster)
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    assert int(answer.headers["Retry-After"]) >= 1
    link = answer.headers["Azure-AsyncOperation"]
    operation = azure.send("GET", link).json()
    assert operation["status"] == "InProgress"
    assert "endTime" not in operation
    settled(azure)
    operation = azure.send("GET", link).json()
    assert operation["status"] == "Succeeded"
    assert operation["endTime"] > operation["startTime"]


def test_a_busy_cluster_refuses_another_update(azure: AzureClients, cluster: dict[str, Any]) -> None:
    put_cluster(azure, cluster)
    answer = put_cluster(azure, cluster)
    assert (answer.status_code, code(answer)) == (409, "OperationNotAllowed")
    assert "in progress" in answer.json()["error"]["message"]


def test_an_update_changes_the_etag(azure: AzureClients, cluster: dict[str, Any]) -> None:
    put_cluster(azure, cluster)
    assert settled(azure)["eTag"] != cluster["eTag"]


def test_the_sdk_is_refused_with_a_stale_etag(azure: AzureClients, cluster: dict[str, Any]) -> None:
    operations = azure.clusters.managed_clusters
    found = operations.get(azure.group, cluster["name"])
    with pytest.raises(HttpResponseError) as caught:
        operations.begin_create_or_update(
            azure.group, cluster["name"], found, etag="stale", match_condition=MatchConditions.IfNotModified
        )
    assert caught.value.status_code == 412
    assert read_cluster(azure)["eTag"] == cluster["eTag"]


def test_the_right_etag_is_accepted(azure: AzureClients, cluster: dict[str, Any]) -> None:
    assert put_cluster(azure, cluster, **{"If-Match": cluster["eTag"]}).status_code == 200


def test_a_stopped_cluster_is_not_updated(stopped: AzureClients) -> None:
    answer = put_cluster(stopped, read_cluster(stopped))
    assert (answer.status_code, code(answer)) == (409, "OperationNotAllowed")
    assert "Stopped" in answer.json()["error"]["message"]


def with_features(cluster: dict[str, Any], issuer: bool, workload_identity: bool) -> dict[str, Any]:
    properties = {
        **cluster["properties"],
        "oidcIssuerProfile": {"enabled": issuer},
        "securityProfile": {"workloadIdentity": {"enabled": workload_identity}},
    }
    return {**cluster, "properties": properties}


def test_the_issuer_cannot_be_switched_off(azure: AzureClients, cluster: dict[str, Any]) -> None:
    answer = put_cluster(azure, with_features(cluster, issuer=False, workload_identity=False))
    assert answer.status_code == 400
    assert "cannot be disabled" in answer.json()["error"]["message"]


def test_workload_identity_needs_the_issuer(slow: AzureClients) -> None:
    answer = put_cluster(slow, with_features(read_cluster(slow), issuer=False, workload_identity=True))
    assert answer.status_code == 400
    assert "OIDC issuer" in answer.json()["error"]["message"]


def test_workload_identity_can_be_switched_on_and_off(azure: AzureClients, cluster: dict[str, Any]) -> None:
    for wanted in (True, False):
        put_cluster(azure, with_features(settled(azure), issuer=True, workload_identity=wanted))
        profile = settled(azure)["properties"]["securityProfile"]
        assert profile["workloadIdentity"]["enabled"] is wanted


def test_the_issuer_has_a_url_with_an_end_slash(azure: AzureClients, cluster: dict[str, Any]) -> None:
    found = azure.clusters.managed_clusters.get(azure.group, cluster["name"])
    assert found.oidc_issuer_profile.issuer_url.endswith("/")


def test_the_sdk_keeps_what_it_does_not_know(azure: AzureClients, cluster: dict[str, Any]) -> None:
    operations = azure.clusters.managed_clusters
    found = operations.get(azure.group, cluster["name"])
    operations.begin_create_or_update(azure.group, cluster["name"], found, polling_interval=0.2).result()
    after = settled(azure)
    assert after["properties"]["futureProfile"] == cluster["properties"]["futureProfile"]
    assert {**after, "eTag": ""} == {**cluster, "eTag": ""}


def test_what_is_not_sent_is_gone(azure: AzureClients, cluster: dict[str, Any]) -> None:
    kept = {name: value for name, value in cluster["properties"].items() if name != "metricsProfile"}
    put_cluster(azure, {**cluster, "properties": kept})
    assert "metricsProfile" not in settled(azure)["properties"]


def test_what_only_the_service_writes_is_kept(azure: AzureClients, cluster: dict[str, Any]) -> None:
    forged = {**cluster["properties"], "fqdn": "elsewhere.example.com", "powerState": {"code": "Stopped"}}
    put_cluster(azure, {**cluster, "properties": forged})
    after = settled(azure)["properties"]
    assert (after["fqdn"], after["powerState"]) == (cluster["properties"]["fqdn"], {"code": "Running"})


# Role assignments


def assign(azure: AzureClients, scope: str, principal_id: str, name: str = "") -> requests.Response:
    properties = {
        "roleDefinitionId": azure.role_id(READER),
        "principalId": principal_id,
        "principalType": "ServicePrincipal",
    }
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name or uuid.uuid4()}"
    return azure.send("PUT", f"{path}?api-version={ASSIGNMENTS}", json={"properties": properties})


def test_a_new_principal_is_unknown_for_a_while(slow: AzureClients, name: str) -> None:
    principal = make_identity(slow, name).principal_id
    answer = assign(slow, slow.group_id, principal)
    assert (answer.status_code, code(answer)) == (400, "PrincipalNotFound")
    time.sleep(REPLICATION_SECONDS)
    assert assign(slow, slow.group_id, principal).status_code == 201


def test_a_principal_that_does_not_exist_stays_unknown(azure: AzureClients) -> None:
    assert code(assign(azure, azure.group_id, str(uuid.uuid4()))) == "PrincipalNotFound"


def test_the_same_assignment_again_is_no_change(azure: AzureClients, name: str) -> None:
    principal, guid = make_identity(azure, name).principal_id, str(uuid.uuid4())
    answers = [assign(azure, azure.group_id, principal, guid) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]


def test_the_same_assignment_by_another_name_exists(azure: AzureClients, name: str) -> None:
    principal = make_identity(azure, name).principal_id
    assign(azure, azure.group_id, principal)
    answer = assign(azure, azure.group_id, principal)
    assert (answer.status_code, code(answer)) == (409, "RoleAssignmentExists")


def test_an_assignment_is_not_changed(azure: AzureClients, name: str) -> None:
    guid = str(uuid.uuid4())
    assign(azure, azure.group_id, make_identity(azure, name).principal_id, guid)
    answer = assign(azure, azure.group_id, make_identity(azure, f"{name}-other").principal_id, guid)
    assert code(answer) == "RoleAssignmentUpdateNotPermitted"


def test_an_assignment_is_named_by_a_guid(azure: AzureClients, name: str) -> None:
    answer = assign(azure, azure.group_id, make_identity(azure, name).principal_id, "first")
    assert (answer.status_code, code(answer)) == (400, "InvalidRoleAssignmentId")


def scopes(azure: AzureClients, scope: str, condition: str | None) -> list[str]:
    found = azure.authorization.role_assignments.list_for_scope(scope, filter=condition)
    return [each.scope for each in found]


@pytest.fixture(scope="module")
def assigned(azure: AzureClients) -> dict[str, str]:
    """A principal with a role at the subscription, the group, and the vault in it: its scopes, and itself."""
    principal = make_identity(azure, "assigned").principal_id
    vault = azure.lab.environment["LAB_VAULT_ID"]
    found = {"subscription": azure.group_id.split("/resourceGroups/")[0], "group": azure.group_id, "vault": vault}
    for scope in found.values():
        answer = assign(azure, scope, principal)
        assert answer.status_code == 201, answer.text
    return found | {"principal": principal}


def test_the_principal_filter_lists_what_is_above_and_below(azure: AzureClients, assigned: dict[str, str]) -> None:
    listed = scopes(azure, azure.group_id, f"principalId eq '{assigned['principal']}'")
    assert sorted(listed) == sorted(assigned[each] for each in ("subscription", "group", "vault"))


def test_at_scope_leaves_out_what_is_below(azure: AzureClients, assigned: dict[str, str]) -> None:
    listed = scopes(azure, azure.group_id, "atScope()")
    assert {assigned["subscription"], assigned["group"]} <= set(listed)
    assert assigned["vault"] not in listed


def test_a_role_is_found_by_its_name(azure: AzureClients) -> None:
    (found,) = azure.authorization.role_definitions.list(azure.group_id, filter="roleName eq 'Reader'")
    assert found.id == azure.role_id(READER)


def test_an_assignment_is_deleted_once(azure: AzureClients, name: str) -> None:
    guid = str(uuid.uuid4())
    assign(azure, azure.group_id, make_identity(azure, name).principal_id, guid)
    path = f"{azure.group_id}/providers/Microsoft.Authorization/roleAssignments/{guid}?api-version={ASSIGNMENTS}"
    assert [azure.send("DELETE", path).status_code for _time in range(2)] == [200, 204]
