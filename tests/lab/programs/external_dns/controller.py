# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: at every interval, and soon after a Service has changed."""

from __future__ import annotations

import threading
import time

from lab.programs.external_dns import log
from lab.programs.external_dns.plan import calculate
from lab.programs.external_dns.private_zones import PrivateZones
from lab.programs.external_dns.registry import labelled, with_registry
from lab.programs.external_dns.services import Services
from lab.programs.external_dns.settings import Settings

TICK_S = 1.0
# How long after an event the next round is, at the soonest.
EVENT_DELAY_S = 5.0


class Controller:
    def __init__(self, settings: Settings, services: Services, zones: PrivateZones) -> None:
        self._settings = settings
        self._services = services
        self._zones = zones
        self._lock = threading.Lock()
        self._next = 0.0
        self._last = 0.0

    def run(self, stop: threading.Event) -> None:
        if self._settings.once:
            self._reconcile()
            return
        if self._settings.events:
            self._services.notify(self._schedule, stop)
        while not stop.is_set():
            if self._is_due():
                self._reconcile()
            stop.wait(TICK_S)
        log.info("Terminating main controller loop")

    def _schedule(self) -> None:
        with self._lock:
            soon = min(time.monotonic() + EVENT_DELAY_S, self._next)
            self._next = max(self._last + self._settings.min_event_sync_interval, soon)

    def _is_due(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return False
            self._next, self._last = now + self._settings.interval, now
            return True

    def _reconcile(self) -> None:
        settings = self._settings
        current = labelled(self._zones.records(), settings.txt_prefix)
        desired = self._services.endpoints()
        changes = calculate(desired, current, settings.txt_owner_id, settings.policy)
        if not changes.any:
            log.info("All records are already up to date")
            return
        self._zones.apply(with_registry(changes, settings.txt_owner_id, settings.txt_prefix))
