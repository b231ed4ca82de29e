# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The federated exchange: the right token is accepted, every wrong one is refused and explained."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.ansible_playbook import AnsiblePlaybook
from harness.azure_clients import IDENTITIES, AzureClients
from harness.laboratory import Lab

IDENTITY, OTHER = "id-first", "id-second"
NAMESPACE, ACCOUNT = "refusals", "first"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
AUDIENCE = "api://AzureADTokenExchange"
CHECK = "tests/integration/end_to_end/playbooks/check.yml"


@pytest.fixture(scope="module")
def made(ansible: AnsiblePlaybook, lab: Lab, site_variables: dict[str, Any]) -> dict[str, Any]:
    """Two identities, each federated with a ServiceAccount of its own: the issuer, and the identities by name."""
    applications = [
        {"name": ACCOUNT, "namespace": NAMESPACE, "identity": {"name": IDENTITY}},
        {"name": "second", "namespace": NAMESPACE, "identity": {"name": OTHER}},
    ]
    names = ("resource_group", "cluster_name")
    run = ansible.run(
        "playbooks/site.yml", {name: site_variables[name] for name in names} | {"applications": applications}
    )
    assert run.returncode == 0, run.output
    by_name = {identity["name"]: identity for identity in run.result_of("workload_identities")["identities"]}
    return {"issuer": run.result_of("cluster_features")["oidc_issuer_url"], "identities": by_name}


@pytest.fixture
def arm(lab: Lab) -> AzureClients:
    return AzureClients(lab)


def check(ansible: AnsiblePlaybook, variables: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What workload_identity_check says of the first ServiceAccount and the first identity, unless told otherwise."""
    one = {"identity": IDENTITY, "namespace": NAMESPACE, "service_account": ACCOUNT, **options}
    run = ansible.run(CHECK, {"resource_group": variables["resource_group"], "check": one})
    assert run.returncode == 0, run.output
    (result,) = run.result_of("workload_identity_check")["checks"]
    return result


def fields(result: dict[str, Any]) -> list[str]:
    return [finding["field"] for finding in result["findings"]]


def explanation(result: dict[str, Any]) -> str:
    return " ".join(finding["message"] for finding in result["findings"])


def forged(issuer: str, key_id: str) -> str:
    """A token that says all the right things, signed with a key that the issuer does not publish."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})


def hand_out(lab: Lab, token: str) -> None:
    """Let the cluster answer the next token requests with this token."""
    lab.inject(
        {
            "service": "kubernetes",
            "method": "POST",
            "path": f"/serviceaccounts/{ACCOUNT}/token$",
            "times": None,
            "action": "respond",
            "status": 201,
            "body": {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "metadata": {},
                "spec": {"audiences": [AUDIENCE]},
                "status": {"token": token, "expirationTimestamp": "2126-01-01T00:00:00Z"},
            },
        }
    )


def test_the_right_token_is_accepted(
    ansible: AnsiblePlaybook, quiet_lab: Lab, made: dict[str, Any], site_variables: dict[str, Any]
) -> None:
    result = check(ansible, site_variables)
    assert result["valid"], result
    assert (result["subject"], result["issuer"]) == (SUBJECT, made["issuer"])
    assert result["client_id"] == made["identities"][IDENTITY]["client_id"]


def test_a_wrong_audience_is_explained(
    ansible: AnsiblePlaybook, quiet_lab: Lab, made: dict[str, Any], site_variables: dict[str, Any]
) -> None:
    result = check(ansible, site_variables, audience="api://other")
    assert not result["valid"]
    assert result["error_code"] == "AADSTS700212"
    assert fields(result) == ["audience"]
    assert "api://other" in explanation(result)


def test_the_client_id_of_another_identity_is_explained(
    ansible: AnsiblePlaybook, quiet_lab: Lab, made: dict[str, Any], site_variables: dict[str, Any]
) -> None:
    other = made["identities"][OTHER]["client_id"]
    result = check(ansible, site_variables, client_id=other)
    assert not result["valid"]
    assert result["error_code"].startswith("AADSTS70021")
    assert "client_id" in fields(result)
    assert other in explanation(result)


@pytest.mark.parametrize(
    ("field", "code", "hint"),
    [
        pytest.param("subject", "AADSTS700213", "system:serviceaccount:refusals:frist", id="wrong subject"),
        pytest.param("issuer", "AADSTS700211", "trailing slash", id="issuer without its trailing slash"),
    ],
)
def test_a_wrong_credential_is_explained(
    ansible: AnsiblePlaybook,
    quiet_lab: Lab,
    arm: AzureClients,
    made: dict[str, Any],
    site_variables: dict[str, Any],
    field: str,
    code: str,
    hint: str,
) -> None:
    (credential,) = made["identities"][IDENTITY]["federated_credentials"]
    resource_id = arm.credential_id(IDENTITY, credential["name"])
    right = {"issuer": made["issuer"], "subject": SUBJECT, "audiences": [AUDIENCE]}
    wrong = {"issuer": made["issuer"].rstrip("/"), "subject": "system:serviceaccount:refusals:frist"}
    arm.put(resource_id, IDENTITIES, {"properties": right | {field: wrong[field]}})
    try:
        time.sleep(2)  # until the lab's Entra has heard of it
        result = check(ansible, site_variables)
    finally:
        arm.put(resource_id, IDENTITIES, {"properties": right})
    assert not result["valid"]
    assert result["error_code"] == code
    assert fields(result) == [field]
    assert hint in explanation(result)


def test_a_repaired_credential_is_waited_for(
    ansible: AnsiblePlaybook, quiet_lab: Lab, made: dict[str, Any], site_variables: dict[str, Any]
) -> None:
    assert check(ansible, site_variables)["valid"]


@pytest.mark.parametrize(
    ("published", "code"),
    [
        pytest.param(True, "AADSTS700027", id="another key's"),
        pytest.param(False, "AADSTS7000272", id="an unknown key's"),
    ],
)
def test_a_wrong_signature_is_explained(
    ansible: AnsiblePlaybook,
    quiet_lab: Lab,
    made: dict[str, Any],
    site_variables: dict[str, Any],
    published: bool,
    code: str,
) -> None:
    key_id = jwt.get_unverified_header(real_token(quiet_lab))["kid"] if published else "unknown"
    hand_out(quiet_lab, forged(made["issuer"], key_id))
    result = check(ansible, site_variables)
    assert not result["valid"]
    assert result["error_code"] == code
    assert fields(result) == ["signature"]


@pytest.mark.parametrize(
    ("offset", "words"),
    [pytest.param(-7200, "expired", id="expired"), pytest.param(7200, "valid only from", id="not yet valid")],
)
def test_a_token_of_another_time_is_explained(
    ansible: AnsiblePlaybook,
    quiet_lab: Lab,
    made: dict[str, Any],
    site_variables: dict[str, Any],
    offset: int,
    words: str,
) -> None:
    quiet_lab.set_clock(offset)
    try:
        result = check(ansible, site_variables)
    finally:
        quiet_lab.set_clock(0)
    assert not result["valid"]
    assert result["error_code"] == "AADSTS700024"
    assert fields(result) == ["clock"]
    assert words in explanation(result)


def real_token(lab: Lab) -> str:
    from kubernetes import client, config

    api = client.CoreV1Api(config.new_client_from_config(config_file=lab.environment["KUBECONFIG"]))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[AUDIENCE]))
    answer = api.create_namespaced_service_account_token(ACCOUNT, NAMESPACE, request)
    return str(answer.status.token)
