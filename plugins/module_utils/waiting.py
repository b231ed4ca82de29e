# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a service that asks to come back later, with a limit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import AzureError

T = TypeVar("T")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


class Deadline:
    """A moment after which waiting is over.

    :param seconds: how long from now.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._start = clock()
        self._seconds = seconds

    @property
    def elapsed(self) -> float:
        return self._clock() - self._start

    @property
    def remaining(self) -> float:
        return max(0.0, self._seconds - self.elapsed)

    @property
    def over(self) -> bool:
        return self.remaining <= 0.0

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline."""
        self._sleep(min(seconds, self.remaining))


def retry(call: Callable[[], T], *, when: Callable[[AzureError], bool], deadline: Deadline) -> T:
    """Call until it succeeds; errors for which C(when) is true are waited out until the deadline.

    The pauses double and are jittered, so that several workers which collided do not collide again.

    :raises AzureError: the last error, once the deadline is over, and at once any for which C(when) is false.
    """
    pause = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except AzureError as error:
            if deadline.over or not when(error):
                raise
        deadline.pause(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, LONGEST_PAUSE_S)
