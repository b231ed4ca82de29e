# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Entra ID: discovery, and tokens for client credentials (secret or federated assertion).

Error codes and texts: Microsoft Learn, "Microsoft Entra authentication and authorization error codes", and what the service
answered in issues of Azure/azure-workload-identity (#1200, #1232, #1350).
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from lab.access_tokens import LIFETIME_S, Principal, TokenMint
from lab.federation import Federation, Refused
from lab.scenario import Scenario

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Entra:
    """
    :param secret: the operator's client secret.
    :param operator: who that is.
    :param resources: the audiences that tokens are given for.
    """

    def __init__(
        self,
        scenario: Scenario,
        authority: str,
        mint: TokenMint,
        federation: Federation,
        operator: Principal,
        secret: str,
        resources: tuple[str, ...],
    ) -> None:
        self._tenant_id = scenario.tenant_id
        self._authority = authority
        self._mint = mint
        self._federation = federation
        self._operator = operator
        self._secret = secret
        self._resources = {resource.rstrip("/"): resource for resource in resources}

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/{tenant}/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/{tenant}/discovery/v2.0/keys", self._keys)
        application.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        return application

    async def _discovery(self, request: web.Request) -> web.Response:
        try:
            self._check_tenant(request)
        except Refused as refused:
            return _refusal(refused)
        base = f"{self._authority}/{self._tenant_id}"
        return web.json_response(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{base}/v2.0",
                "request_uri_parameter_supported": False,
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                "tenant_region_scope": "EU",
                "cloud_instance_name": request.host,
            }
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self._mint.key_set())

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            self._check_tenant(request)
            audience = self._audience(form)
            principal = await self._authenticate(form)
        except Refused as refused:
            return _refusal(refused)
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": LIFETIME_S,
                "ext_expires_in": LIFETIME_S,
                "access_token": self._mint.issue(principal, audience),
            }
        )

    def _check_tenant(self, request: web.Request) -> None:
        tenant = request.match_info["tenant"]
        if tenant.lower() == self._tenant_id.lower():
            return
        if not _GUID.fullmatch(tenant) and "." not in tenant:
            raise Refused(
                900023,
                f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
                error="invalid_request",
                status=400,
            )
        raise Refused(
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
            "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
            error="invalid_request",
            status=400,
        )

    def _audience(self, form: dict[str, str]) -> str:
        scope = form.get("scope", "")
        if not scope.endswith("/.default"):
            raise Refused(
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
                "/.default suffixed to the resource identifier (application ID URI).",
                error="invalid_scope",
                status=400,
            )
        resource = scope.removesuffix("/.default").rstrip("/")
        if resource not in self._resources:
            raise Refused(
                500011,
                f"The resource principal named {resource} was not found in the tenant named {self._tenant_id}. This can happen if "
                "the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
                error="invalid_resource",
                status=400,
            )
        return self._resources[resource]

    async def _authenticate(self, form: dict[str, str]) -> Principal:
        client_id = form.get("client_id", "")
        if form.get("grant_type") != "client_credentials":
            raise Refused(
                70003,
                f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
                error="unsupported_grant_type",
                status=400,
            )
        if form.get("client_assertion_type") == ASSERTION_TYPE:
            return await self._federation.exchange(client_id, form.get("client_assertion", ""))
        if client_id.lower() != self._operator.client_id.lower():
            raise self._federation.unknown_client(client_id)
        if not form.get("client_secret"):
            raise Refused(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        if form["client_secret"] != self._secret:
            raise Refused(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
                f"client secret ID, for a secret added to app '{client_id}'.",
            )
        return self._operator


def _refusal(refused: Refused) -> web.Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    body: dict[str, Any] = {
        "error": refused.error,
        "error_description": f"AADSTS{refused.number}: {refused} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}",
        "error_codes": [refused.number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
    }
    return web.json_response(body, status=refused.status, headers={"x-ms-request-id": trace})
