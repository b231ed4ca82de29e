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


def rate_per_minute(moments: Sequence[float], wave: int) -> float | None:
    """Pods a minute once under way: leaving out the first and the last tenth, where there are pods enough.

    From the mean moment of a wave's worth of pods at the beginning to that of as many at the end, which comes out right wherever in
    a wave these begin.

    :param moments: when each came.
    :returns: None for less than two waves.
    """
    ordered = sorted(moments)
    tenth = len(ordered) // 10
    middle = ordered[tenth : len(ordered) - tenth]
    counted = middle if len(middle) >= 2 * wave else ordered
    if len(counted) < 2 * wave:
        return None
    seconds = statistics.fmean(counted[-wave:]) - statistics.fmean(counted[:wave])
    return (len(counted) - wave) / seconds * 60 if seconds > 0 else None


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
