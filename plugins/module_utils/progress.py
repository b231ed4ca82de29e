# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a long run is getting on: what the operator reads of it meanwhile, and how long each phase took in the end.

A module has no way to the operator's screen but its result. So its action plugin names a file in the environment, the module adds a line
to it now and then, and the action plugin shows the lines.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# Names the file that lines for the operator are added to; set by the action plugin, for local connections alone.
FILE_VARIABLE = "AKS_VIRTUAL_NODES_PROGRESS_FILE"

DEFAULT_INTERVAL_S = 10

# The speed shown is that since so many lines ago: what holds now, and not what held while a bucket was still full.
_LINES_LOOKED_BACK = 3


@contextmanager
def reporting(describe: Callable[[], str], interval: float) -> Iterator[None]:
    """While the block runs, give the operator a line every so often; nothing at all for a block that is shorter.

    :param describe: makes the line; called in a thread of its own.
    :param interval: seconds; 0 for no lines.
    """
    path = os.environ.get(FILE_VARIABLE)
    if not path or interval <= 0:
        yield
        return
    ended = threading.Event()
    reporter = threading.Thread(target=_report, args=(path, describe, interval, ended), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def _report(path: str, describe: Callable[[], str], interval: float, ended: threading.Event) -> None:
    # Nobody's run shall fail because its progress cannot be shown.
    with suppress(OSError), open(path, "a", encoding="utf-8") as file:
        while not ended.wait(interval):
            file.write(f"{describe()}\n")
            file.flush()


class Tally:
    """What is done and what is left of one phase after the other; safe for threads.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}
        self._begin("", 0)

    def begin(self, phase: str, total: int = 0) -> None:
        """End the phase before and begin one.

        :param phase: what is being done, such as C(writing); also the key in C(timing).
        :param total: how many things there are to do; 0 as long as nobody knows.
        """
        with self._lock:
            self._close()
            self._begin(phase, total)

    def expect(self, more: int = 1) -> None:
        """There is more to do in this phase."""
        with self._lock:
            self._total += more

    def add(self, *, failed: bool = False) -> None:
        """One more is done, or has failed."""
        with self._lock:
            self._done += 1
            self._failed += failed

    def describe(self) -> str:
        """A line such as C(writing: 460 of 2,000, 9.8 a second, 2 min 37 s left, 3 failed)."""
        with self._lock:
            now = self._clock()
            then, done_then = self._looks[0]
            rate = (self._done - done_then) / (now - then) if now > then else 0.0
            self._looks.append((now, self._done))
            left = self._total - self._done
            parts = [f"{self._phase}: {self._done:,} of {self._total:,}" if self._total else f"{self._phase} ..."]
            if rate and left > 0:
                parts += [f"{rate:.1f} a second", f"{duration(left / rate)} left"]
            if self._failed:
                parts.append(f"{self._failed:,} failed")
        return ", ".join(parts)

    def timing(self) -> dict[str, float]:
        """Phase -> seconds, of all phases so far."""
        with self._lock:
            self._close()
            self._started = self._clock()
            return {f"{phase}_seconds": round(seconds, 2) for phase, seconds in self._seconds.items() if phase}

    def _begin(self, phase: str, total: int) -> None:
        self._phase, self._total, self._done, self._failed = phase, total, 0, 0
        self._started = self._clock()
        self._looks: deque[tuple[float, int]] = deque([(self._started, 0)], maxlen=_LINES_LOOKED_BACK)

    def _close(self) -> None:
        self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + self._clock() - self._started


def duration(seconds: float) -> str:
    """Seconds as people say them: C(45 s), C(2 min 37 s), C(1 h 5 min)."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
