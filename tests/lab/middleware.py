# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every service of the lab goes through: the request log, and the faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from lab.arm.managed_clusters import rewrite
from lab.cloud import Cloud
from lab.faults import Fault, Faults
from lab.merge_patch import merge
from lab.requests_seen import RequestLog

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def watched(
    service: str, log: RequestLog, faults: Faults, cloud: Cloud, latency_seconds: float
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The middleware for one service."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 0  # stays so when the connection breaks before an answer
        try:
            if latency_seconds:
                await asyncio.sleep(latency_seconds)
            answer = await _answer(service, request, handler, faults, cloud)
            status = answer.status
            return answer
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            log.record(service, request, status)

    return middleware


async def _answer(
    service: str, request: web.Request, handler: Handler, faults: Faults, cloud: Cloud
) -> web.StreamResponse:
    fault = faults.take(service, request.method, request.path)
    if fault is None:
        return await handler(request)
    if fault.action == "respond":
        await request.read()
        return _response(fault)
    if fault.action == "reset":
        if request.transport:
            request.transport.abort()
        raise ConnectionResetError
    if fault.action == "delay":
        await asyncio.sleep(fault.seconds)
        return await handler(request)
    answer = await handler(request)
    found = cloud.find(fault.resource)
    if found is not None:
        rewrite(cloud, fault.resource, merge(found, fault.patch))
    return answer


def _response(fault: Fault) -> web.Response:
    if isinstance(fault.body, str):
        return web.Response(text=fault.body, status=fault.status, headers=fault.headers)
    return web.json_response(fault.body, status=fault.status, headers=fault.headers)
