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
from datetime import datetime, timezone
from typing import Any

from ..errors import ConfigurationError
from ..resources.federated_credential import FederatedCredential

# Refusals that a credential written moments ago gives until it has spread (Microsoft Learn, federated credentials).
PROPAGATION_CODES = frozenset({"AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213", "AADSTS700016", "AADSTS70025"})

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
        raise ConfigurationError("The cluster answered the token request with something that is not a JSON web token.") from None
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
        return [Finding("subject", f"Identity '{identity}' has no federated credential; add one for issuer '{claims.issuer}' and subject '{claims.subject}'.")]
    ranked = sorted((_mismatches(claims, each) for each in trusted), key=_distance)
    return ranked[0]


def check_clock(claims: Claims, now: float) -> list[Finding]:
    """Whether the token is valid now, by the clock of this machine; the times in it are those of the API server."""
    if claims.expires < now - _CLOCK_TOLERANCE_S:
        return [Finding("clock", f"The token expired at {_time(claims.expires)}, and it is {_time(now)} here: the API server's clock is behind, or this machine's ahead.")]
    if claims.not_before > now + _CLOCK_TOLERANCE_S:
        return [Finding("clock", f"The token is valid only from {_time(claims.not_before)}, and it is {_time(now)} here: the API server's clock is ahead, or this machine's behind.")]
    return []


def check_annotation(annotated: str, client_id: str, account: str, identity: str) -> list[Finding]:
    if annotated == client_id:
        return []
    if not annotated:
        text = f"ServiceAccount '{account}' lacks the annotation azure.workload.identity/client-id; set it to '{client_id}', the client id of identity '{identity}'."
    else:
        text = (
            f"ServiceAccount '{account}' is annotated with client id '{annotated}', but identity '{identity}' has '{client_id}'; "
            "correct azure.workload.identity/client-id and restart the pods."
        )
    return [Finding("client_id", text)]


def explain_refusal(code: str, claims: Claims, client_id: str, tenant_id: str) -> list[Finding]:
    """What Entra's code means where everything that we can see matches."""
    known = {
        "AADSTS700016": Finding("client_id", f"Entra knows no client '{client_id}' in tenant '{tenant_id}': the identity was deleted, belongs to another tenant, or is too new."),
        "AADSTS90002": Finding("tenant", f"Entra knows no tenant '{tenant_id}'."),
        "AADSTS700024": Finding("clock", f"Entra holds the token to be outside its time of validity (until {_time(claims.expires)}): compare the clocks of the cluster and of Azure."),
        "AADSTS700027": Finding("signature", f"The token's signature does not match the keys that issuer '{claims.issuer}' publishes: the cluster's signing keys were rotated a moment ago, or another cluster uses this issuer URL."),
        "AADSTS50166": Finding("issuer", f"Entra could not read the keys of issuer '{claims.issuer}'."),
        "AADSTS90061": Finding("issuer", f"Entra cannot reach issuer '{claims.issuer}': its discovery document must be readable from the internet."),
        "AADSTS700211": Finding("issuer", f"Entra finds no federated credential with issuer '{claims.issuer}' on client '{client_id}'."),
        "AADSTS700212": Finding("audience", f"Entra finds no federated credential with audience '{', '.join(claims.audiences)}' on client '{client_id}'."),
        "AADSTS700213": Finding("subject", f"Entra finds no federated credential with subject '{claims.subject}' on client '{client_id}'."),
    }
    return [known[code]] if code in known else []


def _mismatches(claims: Claims, trusted: FederatedCredential) -> list[Finding]:
    findings = []
    if trusted.issuer != claims.issuer:
        findings.append(Finding("issuer", _issuer_text(claims.issuer, trusted)))
    if trusted.subject != claims.subject:
        findings.append(Finding("subject", f"Federated credential '{trusted.name}' trusts subject '{trusted.subject}', the token has '{claims.subject}'{_near(trusted.subject, claims.subject)}."))
    if not set(trusted.audiences) & set(claims.audiences):
        findings.append(
            Finding("audience", f"Federated credential '{trusted.name}' trusts audience '{', '.join(trusted.audiences)}', the token has '{', '.join(claims.audiences)}'.")
        )
    return findings


def _issuer_text(issuer: str, trusted: FederatedCredential) -> str:
    if trusted.issuer == issuer.rstrip("/"):
        return f"Federated credential '{trusted.name}' has issuer '{trusted.issuer}' without the trailing slash; the token has '{issuer}'. Add the slash."
    return f"Federated credential '{trusted.name}' trusts issuer '{trusted.issuer}', the token has '{issuer}'{_near(trusted.issuer, issuer)}."


def _near(trusted: str, presented: str) -> str:
    if trusted.strip() == presented:
        return " (blanks at an end)"
    if trusted.lower() == presented.lower():
        return " (upper and lower case differ; Entra compares exactly)"
    return ""


def _distance(findings: Sequence[Finding]) -> tuple[int, int]:
    # With as many mismatches, a wrong subject at the right issuer is the likelier relative than the reverse.
    return len(findings), sum(1 for each in findings if each.field == "issuer")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
