# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long pods take to start on virtual nodes, and which of them fail: drawn from a seeded sequence."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

FAILURES = ("image", "quota", "crash")


@dataclass
class PodStarts:
    """
    :ivar start_seconds: the median.
    :ivar start_spread: sigma of the log-normal distribution; 0 for always the median, 0.5 for two thirds of the pods between
        0.6 and 1.65 times the median.
    :ivar failure_rate: the share of pods that fail, from 0 to 1.
    :ivar failures: what happens to those, one of these at a time: C(image) cannot be pulled, C(quota) of the subscription is
        exhausted, or the container ends again and again (C(crash)).
    :ivar seed: of the sequence that both are drawn from.
    """

    start_seconds: float = 1.0
    start_spread: float = 0.0
    failure_rate: float = 0.0
    failures: tuple[str, ...] = FAILURES[:2]
    seed: int = 0
    _random: random.Random = field(default_factory=random.Random, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """
        :raises ValueError: for what cannot be.
        """
        self.failures = tuple(self.failures)
        if self.start_seconds < 0 or self.start_spread < 0 or not 0 <= self.failure_rate <= 1:
            raise ValueError("start_seconds and start_spread are not negative, failure_rate is from 0 to 1")
        if not self.failures or not set(self.failures) <= set(FAILURES):
            raise ValueError(f"failures are some of {', '.join(FAILURES)}")
        self._random.seed(self.seed)

    def draw(self) -> tuple[float, str]:
        """The seconds that the next pod takes, and how it fails; empty if it does not."""
        # Always as many numbers, so that a change of one setting leaves the sequence of the others.
        spread, failing, which = self._random.gauss(0.0, 1.0), self._random.random(), self._random.random()
        failure = self.failures[int(which * len(self.failures))] if failing < self.failure_rate else ""
        return self.start_seconds * math.exp(self.start_spread * spread), failure

    @property
    def settings(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    def changed(self, given: Mapping[str, Any]) -> PodStarts:
        """With some of the settings changed.

        :raises ValueError: for settings that there are not, or that cannot be.
        """
        unknown = set(given) - set(self.settings)
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}")
        return replace(self, **given)
