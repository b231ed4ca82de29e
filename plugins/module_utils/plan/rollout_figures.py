# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout is summed up in: rate, times to ready, a curve that can be printed; pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """
    :ivar seconds: since the rollout began.
    :ivar desired: pods asked for by then.
    """

    seconds: float
    desired: int
    ready: int
    failed: int


def rate_per_minute(moments: Sequence[float]) -> float | None:
    """Pods a minute once under way: the slope through the moments at which they came, without the first and last tenth of them.

    :returns: None for fewer than ten pods.
    """
    if len(moments) < 10:
        return None
    ordered = sorted(moments)
    tenth = len(ordered) // 10
    middle = ordered[tenth : len(ordered) - tenth]
    if middle[-1] <= middle[0]:
        return None
    # A line through all of them, so that it does not matter where in a wave the middle begins and ends.
    pods_per_second = 1 / statistics.linear_regression(range(len(middle)), middle).slope
    return pods_per_second * 60


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share of the values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """So many of the points at most, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(number * step)] for number in range(most)]
