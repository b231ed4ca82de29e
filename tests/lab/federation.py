# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The federated exchange: a Kubernetes token against the issuer's published keys and the identity's credentials.

The order of the checks: whether the client exists and trusts anybody, which credential matches, then the signature by keys that
are fetched from the issuer, then the times. Codes and texts: Microsoft Learn (workload identity federation, error codes),
Azure/azure-workload-identity #1232 for AADSTS7000272.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import jwt

from lab.access_tokens import Principal
from lab.cloud import Body, Cloud
from lab.scenario import Scenario

IDENTITY_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
CLOCK_TOLERANCE_S = 300
_LEARN = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_ISSUER_TIMEOUT_S = 5


class Refused(Exception):
    """
    :ivar number: of the AADSTS error code.
    """

    def __init__(self, number: int, message: str, *, error: str = "invalid_client", status: int = 401) -> None:
        super().__init__(message)
        self.number = number
        self.error = error
        self.status = status


class Federation:
    def __init__(self, cloud: Cloud, scenario: Scenario, issuers: aiohttp.ClientSession) -> None:
        self._cloud = cloud
        self._scenario = scenario
        self._issuers = issuers

    async def exchange(self, client_id: str, assertion: str) -> Principal:
        """
        :raises Refused: when the assertion does not prove that its bearer is the client.
        """
        identity = self._identity(client_id)
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise Refused(50027, "JWT token is invalid or malformed.", error="invalid_request", status=400) from None
        self._match(client_id, claims, self._trusted(identity))
        await self._check_signature(assertion, str(header.get("kid", "")), str(claims["iss"]))
        _check_times(claims)
        return Principal(identity["properties"]["clientId"], identity["properties"]["principalId"])

    def unknown_client(self, client_id: str) -> Refused:
        return Refused(
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{self._scenario.tenant_id}'. This can happen "
            "if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "
            "You may have sent your authentication request to the wrong tenant.",
            error="unauthorized_client",
            status=400,
        )

    def _identity(self, client_id: str) -> Body:
        for identity in self._cloud.of_type(IDENTITY_TYPE):
            if identity["properties"]["clientId"] == client_id.lower():
                return identity
        raise self.unknown_client(client_id)

    def _trusted(self, identity: Body) -> list[dict[str, Any]]:
        collection = f"{identity['id']}/federatedIdentityCredentials"
        delay = self._scenario.credential_propagation_seconds
        heard_of = (self._cloud.heard_of(each["id"], delay) for each in self._cloud.below(collection))
        return [each["properties"] for each in heard_of if each]

    def _match(self, client_id: str, claims: dict[str, Any], trusted: Sequence[dict[str, Any]]) -> None:
        """Narrow the credentials down by issuer, subject and audience, exactly, as the service's codes tell."""
        issuer, subject, audience = str(claims.get("iss", "")), str(claims.get("sub", "")), claims.get("aud", [])
        audiences = [audience] if isinstance(audience, str) else list(audience)
        if not trusted:
            raise Refused(70025, f"The client '{client_id}' has no configured federated identity credentials.")
        advice = f"Check your federated identity credential Subject, Audience and Issuer against the presented assertion. {_LEARN}"
        start = "No matching federated identity record found for presented assertion"
        left = [each for each in trusted if each["issuer"] == issuer]
        if not left:
            raise Refused(700211, f"{start} issuer '{issuer}'. {advice}")
        left = [each for each in left if each["subject"] == subject]
        if not left:
            raise Refused(700213, f"{start} subject '{subject}'. {advice}")
        if not any(each["audiences"][0] in audiences for each in left):
            raise Refused(700212, f"{start} audience '{', '.join(audiences)}'. {advice}")

    async def _check_signature(self, assertion: str, key_id: str, issuer: str) -> None:
        published = await self._key_set(issuer)
        key = next((each for each in published if each.get("kid") == key_id), None)
        if key is None:
            raise Refused(
                7000272,
                f"The client assertion contains an invalid signature. The key was not found in the issuer's metadata. Key id: '{key_id}'.",
            )
        try:
            jwt.decode(
                assertion,
                jwt.PyJWK(key),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            raise Refused(700027, "Client assertion failed signature validation.") from None

    async def _key_set(self, issuer: str) -> list[dict[str, Any]]:
        try:
            configuration = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if configuration["issuer"] != issuer:
                raise ValueError("it says that it is another issuer")
            return list((await self._get(configuration["jwks_uri"]))["keys"])
        except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError):
            raise Refused(
                90061, "Request to External OIDC endpoint failed.", error="invalid_request", status=400
            ) from None

    async def _get(self, url: str) -> Any:
        async with self._issuers.get(url, timeout=aiohttp.ClientTimeout(total=_ISSUER_TIMEOUT_S)) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)


def _check_times(claims: dict[str, Any]) -> None:
    now = time.time()
    not_before, expires = int(claims.get("nbf", claims.get("iat", 0))), int(claims.get("exp", 0))
    if not_before - CLOCK_TOLERANCE_S <= now <= expires + CLOCK_TOLERANCE_S:
        return
    raise Refused(
        700024,
        f"Client assertion is not within its valid time range. Current time: {_moment(now)}, assertion valid from "
        f"{_moment(not_before)}, expiry time of assertion {_moment(expires)}. Review the documentation at "
        "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
