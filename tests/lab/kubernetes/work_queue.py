# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller's work queue: keys that wait for their turn once, however often they are added."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable

from lab.kubernetes.errors import StatusError

LOG = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 10.0


class WorkQueue:
    """
    :ivar reconcile: brings the object of a key to where it should be. It does not wait, so it is a transaction.
    """

    def __init__(self, reconcile: Callable[..., None]) -> None:
        self._reconcile = reconcile
        self._waiting: dict[Hashable, None] = {}
        self._later: dict[Hashable, asyncio.TimerHandle] = {}
        self._failures: dict[Hashable, int] = {}
        self._something = asyncio.Event()

    def add(self, key: Hashable) -> None:
        self._waiting[key] = None
        self._something.set()

    def add_after(self, key: Hashable, seconds: float) -> None:
        """Add the key in a while, unless it is added sooner than that already."""
        due = self._later.get(key)
        loop = asyncio.get_running_loop()
        if due is not None and due.when() <= loop.time() + seconds:
            return
        if due is not None:
            due.cancel()
        self._later[key] = loop.call_later(seconds, self._now_due, key)

    def _now_due(self, key: Hashable) -> None:
        self._later.pop(key, None)
        self.add(key)

    async def run(self) -> None:
        try:
            while True:
                await self._something.wait()
                key = next(iter(self._waiting))
                del self._waiting[key]
                if not self._waiting:
                    self._something.clear()
                self._handle(key)
                # The API server and the other controllers get their turn between two keys.
                await asyncio.sleep(0)
        finally:
            for due in self._later.values():
                due.cancel()

    def _handle(self, key: Hashable) -> None:
        try:
            self._reconcile(key)
        except StatusError as error:
            LOG.debug("%s is tried again: %s", key, error)
            self._try_again(key)
        except Exception:
            # A controller outlives its mistakes.
            LOG.exception("%s is tried again", key)
            self._try_again(key)
        else:
            self._failures.pop(key, None)

    def _try_again(self, key: Hashable) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(FIRST_RETRY_SECONDS * 2 ** min(failures, 10), LONGEST_RETRY_SECONDS))
