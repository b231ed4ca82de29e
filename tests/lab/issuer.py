# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's public OIDC issuer: the discovery document and the keys, readable by anybody once AKS has switched it on."""

from __future__ import annotations

from aiohttp import web

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.tokens import TokenIssuer


class Issuer:
    def __init__(self, settings: ClusterSettings, tokens: TokenIssuer) -> None:
        self._settings = settings
        self._tokens = tokens

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/{tenant}/{cluster}/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/{tenant}/{cluster}/openid/v1/jwks", self._keys)
        return application

    async def _discovery(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(self._tokens.discovery())

    async def _keys(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(self._tokens.key_set(), content_type="application/jwk-set+json")

    def _check(self, request: web.Request) -> None:
        place = f"/{request.match_info['tenant']}/{request.match_info['cluster']}/"
        if not self._settings.oidc_issuer or not self._settings.issuer_url.endswith(place):
            raise web.HTTPNotFound
