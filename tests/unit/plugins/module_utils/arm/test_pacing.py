# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.arm.pacing import HEADER, Pacer, kind_of


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pacer(time: Time) -> Pacer:
    return Pacer(time.clock, time.sleep)


def answered(pacer: Pacer, left: int, kind: str = "writes") -> None:
    pacer.before(kind)
    pacer.after(kind, 200, {f"{HEADER}{kind}": str(left)})


def test_nothing_is_held_back_while_nothing_is_known(pacer: Pacer, time: Time) -> None:
    for _number in range(500):
        pacer.before("writes")

    assert time.now == 100.0


def test_a_full_bucket_holds_nothing_back(pacer: Pacer, time: Time) -> None:
    answered(pacer, 50)
    for _number in range(50):
        pacer.before("writes")

    assert time.now == 100.0


def test_an_empty_bucket_lets_through_what_it_refills(pacer: Pacer, time: Time) -> None:
    answered(pacer, 0)
    for _number in range(20):
        pacer.before("writes")

    assert time.now == pytest.approx(102.0, abs=0.11)


def test_kinds_have_buckets_of_their_own(pacer: Pacer, time: Time) -> None:
    answered(pacer, 0)
    pacer.before("reads")

    assert time.now == 100.0


def test_requests_that_are_not_answered_yet_count(pacer: Pacer, time: Time) -> None:
    answered(pacer, 10)
    for _number in range(5):
        pacer.before("writes")
    pacer.after("writes", 200, {f"{HEADER}writes": "6"})
    for _number in range(3):
        pacer.before("writes")

    assert time.now > 100.0


def test_a_refusal_holds_up_every_kind(pacer: Pacer, time: Time) -> None:
    pacer.before("writes")
    pacer.after("writes", 429, {"Retry-After": "7"})
    pacer.before("reads")

    assert time.now == 107.0


def test_a_lost_request_is_no_longer_waited_for(pacer: Pacer, time: Time) -> None:
    pacer.before("writes")
    pacer.lost("writes")
    answered(pacer, 3)
    for _number in range(3):
        pacer.before("writes")

    assert time.now == 100.0


@pytest.mark.parametrize(
    ("method", "kind"),
    [("GET", "reads"), ("HEAD", "reads"), ("PUT", "writes"), ("POST", "writes"), ("DELETE", "deletes")],
)
def test_the_kind_of_a_request_is_told_by_its_method(method: str, kind: str) -> None:
    assert kind_of(method) == kind
