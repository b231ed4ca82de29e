# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of all requests, which tests read to prove what was and was not sent. No body, no header, no token is kept."""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

MOST = 200_000
_WRITING_METHODS = ("PUT", "POST", "PATCH", "DELETE")
# POST requests that ask and change nothing.
_QUESTIONS = {
    "entra": re.compile(r"/oauth2/v2\.0/token$"),
    "arm": re.compile(r"/list[A-Za-z]+$"),
    "kubernetes": re.compile(r"/(serviceaccounts/[^/]+/token|selfsubject[a-z]+)$"),
}


class RequestLog:
    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MOST)

    def record(self, service: str, request: web.Request, status: int) -> None:
        dry_run = service == "kubernetes" and request.query.get("dryRun") == "All"
        question = _QUESTIONS.get(service)
        asks = question is not None and question.search(request.path) is not None
        self._entries.append(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "service": service,
                "method": request.method,
                "path": request.path,
                "query": dict(request.query),
                "status": status,
                "write": request.method in _WRITING_METHODS and not dry_run and not asks,
                "dry_run": dry_run,
                "user_agent": request.headers.get("User-Agent", ""),
            }
        )

    def entries(self) -> list[dict[str, Any]]:
        return list(self._entries)

    def forget(self) -> None:
        self._entries.clear()
