# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ServiceAccount tokens, and the issuer that publishes the keys to check them with.

Claims and key ids as kube-apiserver makes them (pkg/serviceaccount/claims.go, openidmetadata.go).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.store import Object

KEY_BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    private: rsa.RSAPrivateKey
    id: str

    @classmethod
    def generate(cls) -> SigningKey:
        private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        der = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private, base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("="))

    def public(self) -> dict[str, Any]:
        """As an entry of a JSON web key set."""
        published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.id,
            "alg": "RS256",
            "n": published["n"],
            "e": published["e"],
        }


class TokenIssuer:
    """Signs with the newest key, and publishes the one before it as well.

    :ivar clock_offset: how many seconds the API server's clock is ahead.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._keys = [SigningKey.generate()]
        self.clock_offset = 0

    def mint(
        self,
        namespace: str,
        service_account: Object,
        audiences: list[str] | None,
        seconds: int,
        pod: Object | None = None,
    ) -> tuple[str, str]:
        """
        :returns: the token, and when it expires (RFC 3339).
        """
        issued = int(time.time()) + self.clock_offset
        metadata = service_account["metadata"]
        bound: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        if pod is not None:
            bound["pod"] = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        claims = {
            "aud": audiences or [self._settings.token_issuer],
            "exp": issued + seconds,
            "iat": issued,
            "iss": self._settings.token_issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": bound,
            "nbf": issued,
            "sub": f"system:serviceaccount:{namespace}:{metadata['name']}",
        }
        key = self._keys[0]
        token = jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.id})
        expires = datetime.fromtimestamp(issued + seconds, tz=UTC)
        return token, expires.strftime("%Y-%m-%dT%H:%M:%SZ")

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a token for the API server; None if it is not one, or no longer."""
        audiences = [self._settings.token_issuer, self._settings.issuer_url, self._settings.api_server_url]
        for key in self._keys:
            try:
                claims: dict[str, Any] = jwt.decode(
                    token, key.private.public_key(), algorithms=["RS256"], audience=audiences
                )
            except jwt.InvalidTokenError:
                continue
            return claims
        return None

    def rotate(self) -> None:
        """As C(az aks rotate-service-account-signing-keys): the key before the last is no longer published."""
        self._keys = [SigningKey.generate(), self._keys[0]]

    def discovery(self) -> dict[str, Any]:
        issuer = self._settings.issuer_url
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.public() for key in self._keys]}
