# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.progress import (
    FILE_VARIABLE,
    Tally,
    duration,
    reporting,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    return Tally(clock)


def add(tally: Tally, count: int) -> None:
    for _number in range(count):
        tally.add()


def test_a_line_tells_how_far_how_fast_and_how_long(tally: Tally, clock: Clock) -> None:
    tally.begin("writing", 2000)
    add(tally, 500)
    clock.now += 50

    assert tally.describe() == "writing: 500 of 2,000, 10.0 a second, 2 min 30 s left"


def test_failures_are_counted_among_what_is_done(tally: Tally, clock: Clock) -> None:
    tally.begin("writing", 4)
    tally.add()
    tally.add(failed=True)
    clock.now += 1

    assert tally.describe() == "writing: 2 of 4, 2.0 a second, 1 s left, 1 failed"


def test_the_speed_is_that_of_late_and_not_that_of_a_bucket_that_was_full(tally: Tally, clock: Clock) -> None:
    tally.begin("writing", 1000)
    add(tally, 200)
    clock.now += 10
    tally.describe()
    for _line in range(2):
        add(tally, 10)
        clock.now += 10
        tally.describe()
    add(tally, 10)
    clock.now += 10

    assert ", 1.0 a second, " in tally.describe()


def test_what_stands_still_has_no_time_left_to_tell(tally: Tally, clock: Clock) -> None:
    tally.begin("writing", 10)
    clock.now += 10

    assert tally.describe() == "writing: 0 of 10"


def test_nobody_knows_how_much_there_is_to_do(tally: Tally, clock: Clock) -> None:
    tally.begin("reading")
    clock.now += 10

    assert tally.describe() == "reading ..."


def test_more_turns_up_on_the_way(tally: Tally) -> None:
    tally.begin("reading")
    tally.expect()
    tally.expect(2)

    assert tally.describe() == "reading: 0 of 3"


def test_timing_has_the_seconds_of_each_phase(tally: Tally, clock: Clock) -> None:
    clock.now += 5  # before anything began
    tally.begin("reading")
    clock.now += 2
    tally.begin("writing", 1)
    clock.now += 3

    assert tally.timing() == {"reading_seconds": 2.0, "writing_seconds": 3.0}
    clock.now += 1
    assert tally.timing()["writing_seconds"] == 4.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (157, "2 min 37 s"),
        (3599, "59 min 59 s"),
        (3900, "1 h 5 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lines"
    path.touch()
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    return path


def test_lines_are_written_while_the_block_runs(lines: Path) -> None:
    with reporting(lambda: "half done", 0.01):
        deadline = time.monotonic() + 10
        while lines.read_text(encoding="utf-8").count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    assert set(lines.read_text(encoding="utf-8").splitlines()) == {"half done"}


def test_a_short_block_writes_no_line(lines: Path) -> None:
    with reporting(lambda: "half done", 60):
        pass

    assert lines.read_text(encoding="utf-8") == ""


def test_no_line_is_written_when_none_is_wanted(lines: Path) -> None:
    with reporting(lambda: "half done", 0):
        time.sleep(0.02)

    assert lines.read_text(encoding="utf-8") == ""


def test_a_file_that_cannot_be_written_fails_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "nowhere" / "lines"))
    done = []

    with reporting(lambda: "half done", 0.001):
        done.append("the work")
        time.sleep(0.02)

    assert done == ["the work"]


def test_the_works_own_failure_comes_through(lines: Path) -> None:
    with pytest.raises(ValueError, match="refused"), reporting(lambda: "half done", 60):
        raise ValueError("refused")
