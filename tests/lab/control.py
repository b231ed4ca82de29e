# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own interface: its state, its request log, faults, and what happens in the cluster."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from lab.cloud import Cloud
from lab.faults import Faults
from lab.kubernetes.control import KubernetesControl
from lab.kubernetes.store import Store
from lab.kubernetes.tokens import TokenIssuer
from lab.requests_seen import RequestLog


class Control:
    def __init__(
        self,
        cloud: Cloud,
        store: Store,
        log: RequestLog,
        faults: Faults,
        tokens: TokenIssuer,
        kubernetes: KubernetesControl,
    ) -> None:
        self._kubernetes = kubernetes
        self._cloud = cloud
        self._store = store
        self._log = log
        self._faults = faults
        self._tokens = tokens

    def application(self) -> web.Application:
        application = web.Application()
        router = application.router
        router.add_get("/state", self._state)
        router.add_get("/requests", self._requests)
        router.add_delete("/requests", self._forget_requests)
        router.add_post("/faults", self._add_faults)
        router.add_delete("/faults", self._forget_faults)
        router.add_post("/kubernetes/rotate-signing-keys", self._rotate)
        router.add_post("/kubernetes/clock", self._set_clock)
        self._kubernetes.add_routes(router)
        return application

    async def _state(self, _request: web.Request) -> web.Response:
        kubernetes: dict[str, Any] = {}
        for kind, item in self._store.everything():
            metadata = item["metadata"]
            name = "/".join(filter(None, (metadata.get("namespace", ""), metadata["name"])))
            kubernetes.setdefault(kind.qualified, {})[name] = _without_secrets(item) if kind.kind == "Secret" else item
        return web.json_response(
            {"simulator": "aks.virtual_nodes lab", "azure": self._cloud.inspect(), "kubernetes": kubernetes}
        )

    async def _requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self._log.entries())

    async def _forget_requests(self, _request: web.Request) -> web.Response:
        self._log.forget()
        return web.Response(status=204)

    async def _add_faults(self, request: web.Request) -> web.Response:
        given = await request.json()
        try:
            for each in given if isinstance(given, list) else [given]:
                self._faults.add(each)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(status=204)

    async def _forget_faults(self, _request: web.Request) -> web.Response:
        self._faults.forget()
        return web.Response(status=204)

    async def _rotate(self, _request: web.Request) -> web.Response:
        self._tokens.rotate()
        return web.Response(status=204)

    async def _set_clock(self, request: web.Request) -> web.Response:
        """C({"offset_seconds": -7200}): tokens are issued as if it were so much later or earlier."""
        self._tokens.clock_offset = int((await request.json())["offset_seconds"])
        return web.Response(status=204)


def _without_secrets(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("data", "stringData")}
