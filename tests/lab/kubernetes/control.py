# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's own interface does to the cluster: how pods start, what the API server remembers, its restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.controllers import Controllers
from lab.kubernetes.pods import is_ready
from lab.kubernetes.registry import NODE, POD
from lab.kubernetes.store import Store

_LONGEST_OUTAGE_S = 300


class KubernetesControl:
    """
    :ivar restart: restarts the API server, which is away for so many seconds.
    """

    def __init__(
        self,
        store: Store,
        settings: ClusterSettings,
        controllers: Controllers,
        restart: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._controllers = controllers
        self._restart = restart
        self._outages: set[asyncio.Future[None]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/kubernetes/figures", self._figures)
        router.add_get("/kubernetes/pods", self._show_pods)
        router.add_post("/kubernetes/pods", self._change_pods)
        router.add_post("/kubernetes/compact", self._compact)
        router.add_post("/kubernetes/restart", self._restart_server)

    async def _figures(self, _request: web.Request) -> web.Response:
        pods, listeners = self._store.list(POD), self._controllers.listeners
        return web.json_response(
            {
                "listeners": listeners.count,
                "pods_with_kube_proxy": listeners.pods,
                "slice_changes": listeners.slice_changes,
                "listener_cpu_seconds": round(listeners.cpu_seconds, 3),
                "watches": self._store.watches,
                "nodes": self._store.count(NODE),
                "pods": len(pods),
                "ready": sum(is_ready(pod) for pod in pods),
                "phases": Counter((pod.get("status") or {}).get("phase", "Unknown") for pod in pods),
                "revision": self._store.revision,
            }
        )

    async def _show_pods(self, _request: web.Request) -> web.Response:
        return web.json_response(self._settings.pods.settings)

    async def _change_pods(self, request: web.Request) -> web.Response:
        """Settings of C(PodStarts), for pods that come to a node from now on."""
        try:
            self._settings.pods = self._settings.pods.changed(await request.json())
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self._settings.pods.settings)

    async def _compact(self, request: web.Request) -> web.Response:
        """
        C({"running_watches": "expire", "new_watches": "status"}): history is forgotten. Watches under way go on unless they
        are told to expire; a new one from before is told 410 in its first event, or by the status of the answer.
        """
        given: dict[str, Any] = await request.json() if request.can_read_body else {}
        running, new = given.get("running_watches", "keep"), given.get("new_watches", "event")
        if running not in ("keep", "expire") or new not in ("event", "status"):
            return web.json_response(
                {"error": "running_watches: keep or expire; new_watches: event or status"}, status=400
            )
        self._settings.refuse_expired_watches = new == "status"
        self._store.compact()
        if running == "expire":
            self._store.expire_watches()
        return web.Response(status=204)

    async def _restart_server(self, request: web.Request) -> web.Response:
        """C({"seconds": 5}): answers at once."""
        seconds = float((await request.json()).get("seconds", 1.0))
        if not 0 <= seconds <= _LONGEST_OUTAGE_S:
            return web.json_response({"error": f"seconds: from 0 to {_LONGEST_OUTAGE_S}"}, status=400)
        outage = asyncio.ensure_future(self._restart(seconds))
        self._outages.add(outage)
        outage.add_done_callback(self._outages.discard)
        return web.Response(status=204)
