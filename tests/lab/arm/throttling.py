# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM's token buckets: for each principal and kind of operation, so many at once and so many more each second.

Sizes, rates, headers and the code of the refusal: Microsoft Learn, "Understand how Azure Resource Manager throttles requests".
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from lab.access_tokens import Principal
from lab.arm.errors import ArmError


@dataclass(frozen=True)
class Limit:
    """
    :ivar name: as in the header's name.
    :ivar refill: tokens each second.
    """

    name: str
    size: int
    refill: int


READS, WRITES, DELETES = Limit("reads", 250, 25), Limit("writes", 200, 10), Limit("deletes", 200, 10)


def limit_of(method: str) -> Limit:
    if method in ("GET", "HEAD"):
        return READS
    return DELETES if method == "DELETE" else WRITES


class Bucket:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._tokens = float(limit.size)
        self._filled = time.monotonic()

    def take(self) -> int | None:
        """
        :returns: how many are left; None if there was none to take.
        """
        now = time.monotonic()
        self._tokens = min(self._limit.size, self._tokens + (now - self._filled) * self._limit.refill)
        self._filled = now
        if self._tokens < 1:
            return None
        self._tokens -= 1
        return int(self._tokens)

    @property
    def seconds_to_next(self) -> int:
        return max(1, math.ceil((1 - self._tokens) / self._limit.refill))


class Throttle:
    """
    :param subscription_id: whose buckets these are.
    """

    def __init__(self, subscription_id: str) -> None:
        self._subscription_id = subscription_id
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def take(self, principal: Principal, method: str) -> dict[str, str]:
        """
        :returns: the headers that tell how many are left.
        :raises ArmError: 429 with C(Retry-After) when the bucket is empty.
        """
        limit = limit_of(method)
        bucket = self._buckets.setdefault((principal.object_id, limit.name), Bucket(limit))
        left = bucket.take()
        if left is not None:
            return {f"x-ms-ratelimit-remaining-subscription-{limit.name}": str(left)}
        seconds = bucket.seconds_to_next
        raise ArmError(
            429,
            "SubscriptionRequestsThrottled",
            f"Number of '{limit.name}' requests for subscription '{self._subscription_id}' actor '{principal.object_id}' exceeded. "
            f"Please try again after '{seconds}' seconds after additional tokens are available. "
            "Refer to https://aka.ms/arm-throttling for additional information.",
            {"Retry-After": str(seconds)},
        )
