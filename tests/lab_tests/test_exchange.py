# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token of Kubernetes for one of Entra, and that for a secret: by azure-identity, azure-keyvault-secrets and kubernetes."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import config
from kubernetes.client import ApiClient, AuthenticationV1TokenRequest, CoreV1Api, V1TokenRequestSpec

from harness.azure_clients import AzureClients
from harness.laboratory import Lab, running_lab

NAMESPACE, ACCOUNT = "default", "default"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
AUDIENCE = "api://AzureADTokenExchange"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRET = "What the vault keeps"
PROPAGATION_SECONDS = 2
FEATURES = {
    "properties": {
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
    }
}
PROMPT = {
    "cluster": FEATURES,
    "credential_propagation_seconds": 0,
    "principal_replication_seconds": 0,
    "secret_value": SECRET,
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster with both features, and an Entra that hears of everything at once."""
    with running_lab(tmp_path_factory.mktemp("prompt"), PROMPT) as running:
        yield running


@pytest.fixture(scope="module")
def hesitant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureClients]:
    """An Entra that hears of credentials only after a while."""
    scenario = {**PROMPT, "credential_propagation_seconds": PROPAGATION_SECONDS}
    with running_lab(tmp_path_factory.mktemp("hesitant"), scenario) as running:
        yield AzureClients(running)


def issuer_of(azure: AzureClients) -> str:
    cluster = azure.clusters.managed_clusters.get(azure.group, azure.lab.environment["LAB_CLUSTER"])
    return str(cluster.oidc_issuer_profile.issuer_url)


def make_identity(azure: AzureClients, name: str) -> Any:
    return azure.identities.user_assigned_identities.create_or_update(azure.group, name, {"location": "westeurope"})


def put_credential(azure: AzureClients, identity: str, **changes: str) -> None:
    """What makes the identity trust the ServiceAccount, but for the changes."""
    right = {"issuer": issuer_of(azure), "subject": SUBJECT, "audience": AUDIENCE} | changes
    properties = {"issuer": right["issuer"], "subject": right["subject"], "audiences": [right["audience"]]}
    azure.identities.federated_identity_credentials.create_or_update(
        azure.group, identity, "trusted", {"properties": properties}
    )


def federate(azure: AzureClients, name: str, **changes: str) -> str:
    """The client id of a new identity with such a credential."""
    identity = make_identity(azure, name)
    put_credential(azure, name, **changes)
    return str(identity.client_id)


def request_token(kube: ApiClient, audience: str = AUDIENCE) -> str:
    spec = V1TokenRequestSpec(audiences=[audience], expiration_seconds=3600)
    answer = CoreV1Api(kube).create_namespaced_service_account_token(
        ACCOUNT, NAMESPACE, AuthenticationV1TokenRequest(spec=spec)
    )
    return str(answer.status.token)


def sign(issuer: str, key_id: str) -> str:
    """A token that says all the right things, with a key of our own."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})


def exchange(azure: AzureClients, client_id: str, assertion: str) -> str:
    return str(azure.federated(client_id, assertion).get_token(azure.scope).token)


def refusal(azure: AzureClients, client_id: str, assertion: str) -> str:
    """The code with which the exchange is refused."""
    with pytest.raises(ClientAuthenticationError) as caught:
        exchange(azure, client_id, assertion)
    found = re.search(r"AADSTS\d+", str(caught.value))
    assert found, caught.value
    return found.group()


# Accepted


def test_the_right_token_is_accepted(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name)
    claims = jwt.decode(exchange(azure, client_id, request_token(kube)), options={"verify_signature": False})
    assert (claims["appid"], claims["tid"]) == (client_id, azure.lab.environment["AZURE_TENANT"])


def test_the_token_speaks_for_the_identity(azure: AzureClients, kube: ApiClient, name: str) -> None:
    token = exchange(azure, federate(azure, name), request_token(kube))
    answer = azure.send("GET", f"{azure.group_id}?api-version=2022-09-01", token=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")


def test_clocks_may_differ_by_a_few_minutes(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name)
    assert exchange(azure, client_id, token_of_another_time(azure.lab, kube, 120))


def test_a_token_outlives_one_rotation_of_keys(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id, token = federate(azure, name), request_token(kube)
    azure.lab.rotate_signing_keys()
    assert exchange(azure, client_id, token)


# Refused


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("system:serviceaccount:default:other", id="account"),
        pytest.param("system:serviceaccount:other:default", id="namespace"),
        pytest.param("system:serviceaccount:default:Default", id="case"),
        pytest.param(f" {SUBJECT}", id="blank"),
    ],
)
def test_another_subject_is_refused(azure: AzureClients, kube: ApiClient, name: str, subject: str) -> None:
    assert refusal(azure, federate(azure, name, subject=subject), request_token(kube)) == "AADSTS700213"


def test_an_issuer_without_its_slash_is_refused(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name, issuer=issuer_of(azure).rstrip("/"))
    assert refusal(azure, client_id, request_token(kube)) == "AADSTS700211"


def test_another_audience_is_refused(azure: AzureClients, kube: ApiClient, name: str) -> None:
    assert refusal(azure, federate(azure, name), request_token(kube, "api://other")) == "AADSTS700212"


def test_another_audience_of_the_credential_is_refused(azure: AzureClients, kube: ApiClient, name: str) -> None:
    assert refusal(azure, federate(azure, name, audience="api://other"), request_token(kube)) == "AADSTS700212"


def token_of_another_time(lab: Lab, kube: ApiClient, offset: int) -> str:
    lab.set_clock(offset)
    try:
        return request_token(kube)
    finally:
        lab.set_clock(0)


@pytest.mark.parametrize("offset", [pytest.param(-7200, id="expired"), pytest.param(7200, id="not yet valid")])
def test_a_token_of_another_time_is_refused(azure: AzureClients, kube: ApiClient, name: str, offset: int) -> None:
    token = token_of_another_time(azure.lab, kube, offset)
    assert refusal(azure, federate(azure, name), token) == "AADSTS700024"


def test_a_key_that_is_no_longer_published_is_refused(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id, token = federate(azure, name), request_token(kube)
    azure.lab.rotate_signing_keys()
    azure.lab.rotate_signing_keys()
    assert refusal(azure, client_id, token) == "AADSTS7000272"
    assert exchange(azure, client_id, request_token(kube))


def test_a_signature_by_another_key_is_refused(azure: AzureClients, kube: ApiClient, name: str) -> None:
    key_id = jwt.get_unverified_header(request_token(kube))["kid"]
    assert refusal(azure, federate(azure, name), sign(issuer_of(azure), key_id)) == "AADSTS700027"


def test_an_issuer_that_cannot_be_reached_is_told(azure: AzureClients, name: str) -> None:
    issuer = "https://127.0.0.1:1/"
    assert refusal(azure, federate(azure, name, issuer=issuer), sign(issuer, "any")) == "AADSTS90061"


def test_an_issuer_that_knows_no_such_cluster_is_told(azure: AzureClients, name: str) -> None:
    issuer = f"{issuer_of(azure).rstrip('/').rsplit('/', 1)[0]}/{uuid.uuid4()}/"
    assert refusal(azure, federate(azure, name, issuer=issuer), sign(issuer, "any")) == "AADSTS90061"


def test_an_unknown_client_is_told(azure: AzureClients, kube: ApiClient) -> None:
    assert refusal(azure, str(uuid.uuid4()), request_token(kube)) == "AADSTS700016"


def test_an_identity_that_is_gone_is_unknown(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name)
    azure.identities.user_assigned_identities.delete(azure.group, name)
    assert refusal(azure, client_id, request_token(kube)) == "AADSTS700016"


def test_an_identity_without_credentials_is_told(azure: AzureClients, kube: ApiClient, name: str) -> None:
    assert refusal(azure, make_identity(azure, name).client_id, request_token(kube)) == "AADSTS70025"


def test_what_is_no_token_is_told(azure: AzureClients, name: str) -> None:
    assert refusal(azure, federate(azure, name), "no-token") == "AADSTS50027"


def test_a_refusal_has_the_form_of_the_service(azure: AzureClients) -> None:
    environment = azure.lab.environment
    form = {
        "grant_type": "client_credentials",
        "client_id": environment["AZURE_CLIENT_ID"],
        "client_secret": "wrong",
        "scope": azure.scope,
    }
    url = f"{environment['LAB_AUTHORITY_URL']}/{environment['AZURE_TENANT']}/oauth2/v2.0/token"
    answer = azure.send("POST", url, token="", data=form)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (401, "invalid_client", [7000215])
    assert body["error_description"].startswith("AADSTS7000215: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= body.keys()


# Heard of with a delay


def token_of(azure: AzureClients) -> str:
    return request_token(config.new_client_from_config(config_file=azure.lab.environment["KUBECONFIG"]))


def test_a_new_credential_takes_a_while(hesitant: AzureClients, name: str) -> None:
    client_id, token = federate(hesitant, name), token_of(hesitant)
    assert refusal(hesitant, client_id, token) == "AADSTS70025"
    time.sleep(PROPAGATION_SECONDS)
    assert exchange(hesitant, client_id, token)


def test_a_changed_credential_takes_a_while(hesitant: AzureClients, name: str) -> None:
    client_id, token = federate(hesitant, name, subject="wrong"), token_of(hesitant)
    time.sleep(PROPAGATION_SECONDS)
    put_credential(hesitant, name)
    assert refusal(hesitant, client_id, token) == "AADSTS700213"
    time.sleep(PROPAGATION_SECONDS)
    assert exchange(hesitant, client_id, token)


# The vault


def read_secret(azure: AzureClients, client_id: str, assertion: str) -> str | None:
    with azure.vault(azure.federated(client_id, assertion)) as vault:
        return vault.get_secret("greeting").value


def assign_secrets_user(azure: AzureClients, identity: str) -> None:
    principal_id = azure.identities.user_assigned_identities.get(azure.group, identity).principal_id
    wanted = RoleAssignmentCreateParameters(
        role_definition_id=azure.role_id(SECRETS_USER), principal_id=principal_id, principal_type="ServicePrincipal"
    )
    azure.authorization.role_assignments.create(azure.lab.environment["LAB_VAULT_ID"], str(uuid.uuid4()), wanted)


def test_the_vault_refuses_without_a_role(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name)
    with pytest.raises(HttpResponseError) as caught:
        read_secret(azure, client_id, request_token(kube))
    assert caught.value.status_code == 403
    assert caught.value.error.innererror["code"] == "ForbiddenByRbac"


def test_the_vault_gives_the_secret_to_who_has_the_role(azure: AzureClients, kube: ApiClient, name: str) -> None:
    client_id = federate(azure, name)
    assign_secrets_user(azure, name)
    assert read_secret(azure, client_id, request_token(kube)) == SECRET
