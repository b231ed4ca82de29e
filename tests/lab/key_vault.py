# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key Vault's data plane, as far as reading one secret goes.

The challenge names the resource to ask a token for; the SDK checks that the vault's host lies in that domain, so for a vault at
127.0.0.1 it is the domain C(0.0.1). Codes: Microsoft Learn, "Azure Key Vault REST API error codes".
"""

from __future__ import annotations

import time
import uuid

from aiohttp import web

from lab.access_tokens import TokenMint, TokenRefused
from lab.arm import authorization
from lab.cloud import Cloud
from lab.scenario import Scenario

ACTION = "Microsoft.KeyVault/vaults/secrets/getSecret/action"


class KeyVault:
    def __init__(
        self, url: str, resource: str, authority: str, mint: TokenMint, cloud: Cloud, scenario: Scenario
    ) -> None:
        self._url = url
        self._resource = resource
        self._authority = authority
        self._mint = mint
        self._cloud = cloud
        self._scenario = scenario
        self._version = uuid.uuid4().hex
        self._created = int(time.time())

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/secrets/{name}", self._secret)
        application.router.add_get("/secrets/{name}/", self._secret)
        application.router.add_get("/secrets/{name}/{version}", self._secret)
        return application

    async def _secret(self, request: web.Request) -> web.Response:
        try:
            principal = self._mint.check(request.headers.get("Authorization"), (self._resource,))
        except TokenRefused:
            challenge = (
                f'Bearer authorization="{self._authority}/{self._scenario.tenant_id}", resource="{self._resource}"'
            )
            message = "AKV10000: Request is missing a Bearer or PoP token."
            return _error(401, "Unauthorized", message, {"WWW-Authenticate": challenge})
        scenario, name = self._scenario, request.match_info["name"]
        secret_id = f"{scenario.vault_id}/secrets/{name}"
        if not authorization.may(self._cloud, principal, ACTION, secret_id, data=True):
            return _error(403, "Forbidden", self._forbidden(principal.client_id, principal.object_id, secret_id))
        if name != scenario.secret_name or request.match_info.get("version", self._version) != self._version:
            return _error(
                404,
                "SecretNotFound",
                f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able "
                "to recover it using the correct recovery command. For help resolving this issue, please see "
                "https://go.microsoft.com/fwlink/?linkid=2125182",
            )
        attributes = {
            "enabled": True,
            "created": self._created,
            "updated": self._created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        return web.json_response(
            {
                "value": scenario.secret_value,
                "id": f"{self._url}/secrets/{name}/{self._version}",
                "attributes": attributes,
                "tags": {},
            }
        )

    def _forbidden(self, client_id: str, object_id: str, secret_id: str) -> str:
        return (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were "
            f"changed recently, please observe propagation time.\r\nCaller: appid={client_id};oid={object_id};"
            f"iss={self._authority}/{self._scenario.tenant_id}/\r\nAction: '{ACTION}'\r\nResource: '{secret_id}'\r\n"
            f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null\r\n"
            f"Vault: {self._scenario.vault_name};location={self._scenario.location}\r\n"
        )


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    inner = {"innererror": {"code": "ForbiddenByRbac"}} if status == 403 else {}
    body = {"error": {"code": code, "message": message, **inner}}
    return web.json_response(body, status=status, headers={"x-ms-request-id": str(uuid.uuid4()), **(headers or {})})
