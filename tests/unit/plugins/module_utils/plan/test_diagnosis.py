# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.diagnosis import (
    Claims,
    check_annotation,
    check_clock,
    compare,
    explain_refusal,
    read_claims,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.federated_credential import (
    FederatedCredential,
)

ISSUER = "https://issuer.example/tenant/cluster/"
SUBJECT = "system:serviceaccount:shop:orders"
AUDIENCE = "api://AzureADTokenExchange"
CLAIMS = Claims(ISSUER, SUBJECT, (AUDIENCE,), not_before=1000, expires=4600)


def trusting(issuer=ISSUER, subject=SUBJECT, audience=AUDIENCE, name="orders"):
    return FederatedCredential(name, issuer, subject, (audience,))


def fields(findings):
    return [finding.field for finding in findings]


def test_nothing_is_found_where_a_credential_matches():
    assert compare(CLAIMS, [trusting(subject="other", name="other"), trusting()], "id-orders") == []


@pytest.mark.parametrize(
    ("trusted", "field", "words"),
    [
        (trusting(issuer=ISSUER.rstrip("/")), "issuer", "trailing slash"),
        (trusting(issuer="https://elsewhere.example/"), "issuer", "elsewhere"),
        (trusting(subject="system:serviceaccount:shop:payments"), "subject", "payments"),
        (trusting(subject=SUBJECT + " "), "subject", "blanks at an end"),
        (trusting(subject=SUBJECT.upper()), "subject", "compares exactly"),
        (trusting(audience="api://other"), "audience", "api://other"),
    ],
)
def test_the_one_thing_that_does_not_match_is_named(trusted, field, words):
    (finding,) = compare(CLAIMS, [trusted], "id-orders")

    assert finding.field == field
    assert words in finding.message


def test_the_closest_credential_tells_the_story():
    far = trusting(issuer="https://elsewhere.example/", subject="x", audience="y", name="far")
    near = trusting(subject="system:serviceaccount:shop:order", name="near")

    (finding,) = compare(CLAIMS, [far, near], "id-orders")

    assert "'near'" in finding.message


def test_an_identity_without_credentials_is_told_what_to_add():
    (finding,) = compare(CLAIMS, [], "id-orders")

    assert ISSUER in finding.message
    assert SUBJECT in finding.message


@pytest.mark.parametrize(("now", "found"), [(2000, []), (4601, []), (6000, ["clock"]), (0, ["clock"])])
def test_clocks_may_differ_by_five_minutes(now, found):
    assert fields(check_clock(CLAIMS, now)) == found


@pytest.mark.parametrize(("annotated", "found"), [("1", []), ("", ["client_id"]), ("2", ["client_id"])])
def test_the_service_accounts_annotation_must_name_the_identity(annotated, found):
    assert fields(check_annotation(annotated, "1", "shop/orders", "id-orders")) == found


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("AADSTS700016", "client_id"),
        ("AADSTS700027", "signature"),
        ("AADSTS7000272", "signature"),
        ("AADSTS700024", "clock"),
        ("AADSTS90061", "issuer"),
    ],
)
def test_what_only_entra_can_see_is_explained_by_its_code(code, field):
    assert fields(explain_refusal(code, CLAIMS, "1", "2")) == [field]


def test_an_unknown_code_is_not_explained_away():
    assert explain_refusal("AADSTS99999", CLAIMS, "1", "2") == []


def token(claims) -> str:
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.signature"


def test_claims_are_read_whether_the_audience_is_a_list_or_not():
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "nbf": 1000, "exp": 4600}

    assert read_claims(token(claims)) == CLAIMS
    assert read_claims(token({**claims, "aud": [AUDIENCE]})) == CLAIMS


def test_something_that_is_no_token_is_an_error_which_does_not_show_it():
    with pytest.raises(ConfigurationError) as caught:
        read_claims("opaque-secret")

    assert "opaque-secret" not in str(caught.value)
