# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping within Azure Resource Manager's token buckets, for all workers of a module together.

ARM gives each principal a bucket of tokens for reads, writes and deletes of a subscription, which refills slowly, and tells with
each answer how many are left (Microsoft Learn, "Understand how Azure Resource Manager throttles requests"). A worker that knows
the bucket to be empty waits for the next token instead of being refused, and one that is refused (429, 503) holds up all others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

HEADER = "x-ms-ratelimit-remaining-subscription-"

# Tokens each second, by kind of operation.
REFILL = {"reads": 25.0, "writes": 10.0, "deletes": 10.0}

_HOLDING_STATUS = (429, 503)


@dataclass
class _Bucket:
    """What is known of a bucket.

    :ivar tokens: how many there are for requests that are still to be sent; below zero, so many requests are waiting for one.
    :ivar seen: when that was so, by the clock; None until an answer told.
    :ivar outstanding: requests that have taken a token and are not answered yet.
    """

    refill: float
    tokens: float = 0.0
    seen: float | None = None
    outstanding: int = 0


class Pacer:
    """When the next request may be sent; safe for threads.

    :param clock: seconds, monotonic.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets = {kind: _Bucket(refill) for kind, refill in REFILL.items()}
        self._held_until = 0.0

    def before(self, kind: str) -> None:
        """Wait until a request of this kind may be sent."""
        with self._lock:
            wait = self._reserve(self._buckets[kind])
        if wait > 0:
            self._sleep(wait)
        # Somebody may have been refused in the meantime.
        while (rest := self._held_until - self._clock()) > 0:
            self._sleep(rest)

    def after(self, kind: str, status: int, headers: Mapping[str, str]) -> None:
        """Take note of an answer."""
        with self._lock:
            bucket = self._buckets[kind]
            bucket.outstanding -= 1
            left = headers.get(HEADER + kind, "")
            if left.isdigit():
                # Some of the unanswered requests are counted in it already: on the safe side.
                bucket.tokens = int(left) - bucket.outstanding
                bucket.seen = self._clock()
            if status in _HOLDING_STATUS:
                self._held_until = max(self._held_until, self._clock() + _seconds(headers.get("Retry-After", "")))

    def lost(self, kind: str) -> None:
        """Take note of a request that got no answer."""
        with self._lock:
            self._buckets[kind].outstanding -= 1

    def _reserve(self, bucket: _Bucket) -> float:
        bucket.outstanding += 1
        if bucket.seen is None:
            return 0.0
        now = self._clock()
        bucket.tokens += (now - bucket.seen) * bucket.refill - 1
        bucket.seen = now
        return max(0.0, -bucket.tokens / bucket.refill)


def kind_of(method: str) -> str:
    if method in ("GET", "HEAD"):
        return "reads"
    return "deletes" if method == "DELETE" else "writes"


def pacing_policy(pacer: Pacer) -> Any:
    """The pacer as a policy of azure-core's pipelines, behind its retry policy, so that repeated requests are paced as well."""
    from azure.core.pipeline.policies import HTTPPolicy

    class PacingPolicy(HTTPPolicy[Any, Any]):
        def send(self, request: Any) -> Any:
            kind = kind_of(request.http_request.method)
            pacer.before(kind)
            try:
                response = self.next.send(request)
            except BaseException:
                pacer.lost(kind)
                raise
            pacer.after(kind, response.http_response.status_code, response.http_response.headers)
            return response

    return PacingPolicy()


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 1.0
