# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import AzureError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.waiting import Deadline, retry


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += max(seconds, 0.001)

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, clock=lambda: self.now, sleep=self.sleep)


def failing(times: int, code: str = "Busy"):
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise AzureError("no", code=code)
        return "done"

    return call


def is_busy(error: AzureError) -> bool:
    return error.code == "Busy"


def test_a_busy_service_is_waited_for_with_growing_pauses():
    clock = Clock()

    assert retry(failing(4), when=is_busy, deadline=clock.deadline(60)) == "done"
    assert len(clock.sleeps) == 4
    assert clock.sleeps[-1] > clock.sleeps[0]


def test_other_errors_are_not_waited_out():
    clock = Clock()

    with pytest.raises(AzureError):
        retry(failing(1, code="Forbidden"), when=is_busy, deadline=clock.deadline(60))
    assert clock.sleeps == []


def test_waiting_ends_with_the_last_error():
    clock = Clock()

    with pytest.raises(AzureError, match="no"):
        retry(failing(1000), when=is_busy, deadline=clock.deadline(30))
    assert 30 <= clock.now < 42
