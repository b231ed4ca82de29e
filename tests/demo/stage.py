# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo puts on the screen."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.ansible_playbook import PlaybookRun, TaskOutcome

_WIDTH = 110
_BOLD, _GREEN, _YELLOW, _RED, _DIM, _PLAIN = "1", "32", "33", "31", "2", "0"


class BrokenPromise(Exception):
    """Something that the demo says did not hold."""


def promise(held: bool, sentence: str, evidence: str = "") -> None:
    """Say a sentence if it is true, and end the demo if it is not."""
    if not held:
        raise BrokenPromise(f"This should have held, but did not: {sentence}\n{evidence}".rstrip())
    _say(f"  {_coloured('✓', _GREEN)} {sentence}")


@contextmanager
def step(number: int, headline: str) -> Iterator[None]:
    started = time.monotonic()
    _say()
    _say(_coloured(f"{number}. {headline}", _BOLD))
    yield
    _say(_coloured(f"  {time.monotonic() - started:.1f} s", _DIM))


def title(text: str) -> None:
    _say(_coloured(text, _BOLD))


def text(paragraph: str) -> None:
    for line in textwrap.wrap(paragraph, _WIDTH):
        _say(f"  {line}")


def quotation(content: str) -> None:
    """Something another program said."""
    for given in content.strip().splitlines():
        for line in textwrap.wrap(given, _WIDTH - 4, drop_whitespace=False) or [""]:
            _say(f"    {line}")


def command(argv: Sequence[str]) -> None:
    _say(_coloured(f"  $ {' '.join(argv)}", _DIM))


def task(outcome: TaskOutcome) -> None:
    """One line for each task that ran a module of the collection; the others only prepare those."""
    if not outcome.is_ours or outcome.status == "skipped":
        return
    colour = {"ok": _GREEN, "changed": _YELLOW}.get(outcome.status, _RED)
    _say(f"    {_coloured(outcome.status.ljust(8), colour)} {outcome.seconds:5.1f} s  {outcome.title}")


def recap(run: PlaybookRun) -> None:
    _say(f"    {' '.join(run.recap.split())}")


def failure(message: str) -> None:
    _say()
    _say(_coloured(message, _RED))


def _say(line: str = "") -> None:
    print(line, flush=True)


def _coloured(content: str, code: str) -> str:
    return f"\033[{code}m{content}\033[{_PLAIN}m" if sys.stdout.isatty() else content
