# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why Entra would refuse a ServiceAccount's token: what it says against what the identity trusts; pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import ConfigurationError
from ..kube.service_account import CLIENT_ID_ANNOTATION
from ..resources.federated_credential import FederatedCredential

# Refusals that a credential written moments ago gives until it has spread (Microsoft Learn, federated credentials).
PROPAGATION_CODES = frozenset(
    {"AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213", "AADSTS700016", "AADSTS70025"}
)

# Entra allows this much difference between clocks, in seconds.
_CLOCK_TOLERANCE_S = 300


@dataclass(frozen=True)
class Claims:
    """What a token says of itself; nothing here verifies it."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    not_before: int
    expires: int


@dataclass(frozen=True)
class Finding:
    """Something that does not match.

    :ivar field: C(issuer), C(subject), C(audience), C(client_id), C(tenant), C(clock) or C(signature).
    """

    field: str
    message: str


def read_claims(token: str) -> Claims:
    """
    :raises ConfigurationError: when the text is not a JSON web token.
    """
    try:
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        raise ConfigurationError(
            "The cluster answered the token request with something that is not a JSON web token."
        ) from None
    audience = claims.get("aud", [])
    return Claims(
        issuer=str(claims.get("iss", "")),
        subject=str(claims.get("sub", "")),
        audiences=(audience,) if isinstance(audience, str) else tuple(audience),
        not_before=int(claims.get("nbf", claims.get("iat", 0))),
        expires=int(claims.get("exp", 0)),
    )


def compare(claims: Claims, trusted: Sequence[FederatedCredential], identity: str) -> list[Finding]:
    """What keeps the token from being accepted, told by the credential that comes closest; empty when one matches."""
    if not trusted:
        text = f"Identity '{identity}' has no federated credential; add one for issuer '{claims.issuer}'"
        return [Finding("subject", f"{text} and subject '{claims.subject}'.")]
    return min((_mismatches(claims, each) for each in trusted), key=_distance)


def check_clock(claims: Claims, now: float) -> list[Finding]:
    """Whether the token is valid now, by the clock of this machine; the times in it are those of the API server."""
    here = f"and it is {_time(now)} here: the clocks of the API server and of this machine differ"
    if claims.expires < now - _CLOCK_TOLERANCE_S:
        return [Finding("clock", f"The token expired at {_time(claims.expires)}, {here}.")]
    if claims.not_before > now + _CLOCK_TOLERANCE_S:
        return [Finding("clock", f"The token is valid only from {_time(claims.not_before)}, {here}.")]
    return []


def check_annotation(annotated: str, client_id: str, account: str, identity: str) -> list[Finding]:
    if annotated == client_id:
        return []
    found = (
        f"is annotated with client id '{annotated}'" if annotated else f"lacks the annotation {CLIENT_ID_ANNOTATION}"
    )
    text = (
        f"ServiceAccount '{account}' {found}, but the client id of identity '{identity}' is '{client_id}'; "
        f"correct {CLIENT_ID_ANNOTATION} and restart the pods."
    )
    return [Finding("client_id", text)]


# What Entra's codes mean where everything that we can see matches (Microsoft Learn, Entra authentication error codes).
_REFUSALS = {
    "AADSTS700016": (
        "client_id",
        "Entra knows no client '{client_id}' in tenant '{tenant_id}': the identity was deleted, belongs to another tenant, or is too new.",
    ),
    "AADSTS90002": ("tenant", "Entra knows no tenant '{tenant_id}'."),
    "AADSTS700024": (
        "clock",
        "Entra holds the token to be outside its time of validity (until {expires}): compare the clocks of the cluster and of Azure.",
    ),
    "AADSTS700027": (
        "signature",
        (
            "The token's signature does not match the keys that issuer '{issuer}' publishes: "
            "the signing keys were rotated a moment ago, or another cluster uses this issuer URL."
        ),
    ),
    "AADSTS7000272": (
        "signature",
        (
            "The token is signed with a key that issuer '{issuer}' does not publish: "
            "the signing keys were rotated a moment ago, or another cluster uses this issuer URL."
        ),
    ),
    "AADSTS50166": ("issuer", "Entra could not read the keys of issuer '{issuer}'."),
    "AADSTS90061": (
        "issuer",
        "Entra cannot reach issuer '{issuer}': its discovery document must be readable from the internet.",
    ),
    "AADSTS700211": ("issuer", "Entra finds no federated credential with issuer '{issuer}' on client '{client_id}'."),
    "AADSTS700212": (
        "audience",
        "Entra finds no federated credential with audience '{audience}' on client '{client_id}'.",
    ),
    "AADSTS700213": (
        "subject",
        "Entra finds no federated credential with subject '{subject}' on client '{client_id}'.",
    ),
}


def explain_refusal(code: str, claims: Claims, client_id: str, tenant_id: str) -> list[Finding]:
    """What Entra's code means where everything that we can see matches; empty for a code that we do not know."""
    if code not in _REFUSALS:
        return []
    field, template = _REFUSALS[code]
    text = template.format(
        client_id=client_id,
        tenant_id=tenant_id,
        issuer=claims.issuer,
        subject=claims.subject,
        audience=", ".join(claims.audiences),
        expires=_time(claims.expires),
    )
    return [Finding(field, text)]


def _mismatches(claims: Claims, trusted: FederatedCredential) -> list[Finding]:
    findings = []
    if trusted.issuer != claims.issuer:
        findings.append(_difference("issuer", trusted.name, trusted.issuer, claims.issuer))
    if trusted.subject != claims.subject:
        findings.append(_difference("subject", trusted.name, trusted.subject, claims.subject))
    if not set(trusted.audiences) & set(claims.audiences):
        findings.append(
            _difference("audience", trusted.name, ", ".join(trusted.audiences), ", ".join(claims.audiences))
        )
    return findings


def _difference(field: str, credential: str, trusted: str, presented: str) -> Finding:
    text = f"Federated credential '{credential}' trusts {field} '{trusted}', the token has '{presented}'"
    return Finding(field, f"{text}{_likeness(trusted, presented)}.")


def _likeness(trusted: str, presented: str) -> str:
    """The classic near misses, by name."""
    if trusted == presented.rstrip("/"):
        return ": the trailing slash is missing in the credential, add it"
    if trusted.strip() == presented:
        return ": the credential has blanks at an end"
    if trusted.lower() == presented.lower():
        return ": upper and lower case differ, and Entra compares exactly"
    return ""


def _distance(findings: Sequence[Finding]) -> tuple[int, int]:
    # With as many mismatches, a wrong subject at the right issuer is the likelier relative than the reverse.
    return len(findings), sum(1 for each in findings if each.field == "issuer")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
