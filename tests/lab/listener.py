# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's port: opened, and for a while closed with all connections cut, as when a server restarts."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohttp import web

from lab.certificates import ADDRESS


def listening_socket(port: int = 0) -> socket.socket:
    """
    :param port: any that is free unless given.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((ADDRESS, port))
    return listening


class Listener:
    def __init__(self, runner: web.AppRunner, listening: socket.socket, tls: ssl.SSLContext) -> None:
        self._runner = runner
        self._tls = tls
        self._port: int = listening.getsockname()[1]
        self._site = web.SockSite(runner, listening, ssl_context=tls)
        self._restarting = asyncio.Lock()

    async def open(self) -> None:
        await self._site.start()

    async def restart(self, seconds: float) -> None:
        """Cut all connections, refuse new ones for so long, and serve again; what is stored stays."""
        async with self._restarting:
            await self._site.stop()
            server = self._runner.server
            for connection in server.connections if server else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(seconds)
            self._site = web.SockSite(self._runner, listening_socket(self._port), ssl_context=self._tls)
            await self._site.start()
