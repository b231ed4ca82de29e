# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra's access tokens: issued to a client for an audience, and checked by the services."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import jwt

from lab.kubernetes.tokens import SigningKey

LIFETIME_S = 3599


@dataclass(frozen=True)
class Principal:
    """Who a token speaks for."""

    client_id: str
    object_id: str


class TokenRefused(Exception):
    """
    :ivar code: as ARM names it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TokenMint:
    def __init__(self, tenant_id: str, authority: str) -> None:
        self._tenant_id = tenant_id
        self._issuer = f"{authority}/{tenant_id}/v2.0"
        self._key = SigningKey.generate()

    def issue(self, principal: Principal, audience: str) -> str:
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": self._issuer,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            "appid": principal.client_id,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self._tenant_id,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key.private, algorithm="RS256", headers={"kid": self._key.id})

    def check(self, authorization: str | None, audiences: tuple[str, ...]) -> Principal:
        """
        :param authorization: the header of that name.
        :raises TokenRefused: when it is missing, malformed, expired or for somebody else.
        """
        if not authorization:
            raise TokenRefused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        scheme, _blank, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused(
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            )
        try:
            claims = jwt.decode(
                token, self._key.private.public_key(), algorithms=["RS256"], audience=audiences, issuer=self._issuer
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused("ExpiredAuthenticationToken", "The access token expired.") from None
        except jwt.InvalidAudienceError:
            raise TokenRefused(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource. It should exactly match with one of the "
                f"allowed audiences '{','.join(audiences)}'.",
            ) from None
        except jwt.InvalidTokenError:
            raise TokenRefused("InvalidAuthenticationToken", "The access token is invalid.") from None
        return Principal(claims["appid"], claims["oid"])

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": [self._key.public()]}
