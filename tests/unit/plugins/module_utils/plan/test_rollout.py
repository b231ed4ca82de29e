# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.rollout import (
    DEPLOYMENTS_IN_WAVE,
    Ask,
    Pace,
    Step,
    Target,
    after,
    failure_budget,
    forecast,
    next_wave,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=150, deadline=None)

paces = st.builds(Pace, st.integers(1, 3000), st.floats(0.5, 30.0))
targets = st.lists(
    st.builds(
        lambda asked, goal, replaced: (asked, goal, replaced), st.integers(0, 60), st.integers(0, 60), st.booleans()
    ),
    max_size=8,
).map(lambda rows: [Target(f"d{number}", *row) for number, row in enumerate(rows)])
growing = st.lists(st.integers(0, 200), min_size=1, max_size=8).map(
    lambda goals: [Target(f"d{number}", 0, goal) for number, goal in enumerate(goals)]
)


def played(wanted: list[Target[str]], pace: Pace, lateness: list[float], asks: list[Ask] = ()) -> list[Ask]:
    """The asks of a run that looks at its watch late now and then."""
    waiting = {target.key: target for target in wanted if not target.done}
    told = list(asks)
    now = max((ask.at for ask in told), default=0.0)
    late = itertools.cycle(lateness)
    while waiting:
        pods = sum(target.pods for target in waiting.values())
        now = max(now, pace.ready_at(told, pods)) + next(late)
        steps = next_wave(waiting.values(), min(pods, pace.wave))
        asked = sum(step.pods for step in steps)
        told.append(Ask(pace.due(told, asked, now), now, asked))
        for step in steps:
            waiting[step.key] = after(waiting[step.key], step)
            if waiting[step.key].done:
                del waiting[step.key]
    return told[len(asks) :]


def most_within(asks: list[Ask], seconds: float) -> int:
    """The most pods in any stretch of time that is so long, its end not counted."""
    return max(
        (sum(ask.pods for ask in asks if first.at <= ask.at < first.at + seconds) for first in asks),
        default=0,
    )


@SETTINGS
@given(growing, paces, st.lists(st.floats(0.0, 20.0), min_size=1, max_size=4))
def test_no_minute_has_more_pods_than_the_rate_however_late_waves_are(wanted, pace, lateness):
    # A hair less than a minute, for the arithmetic of floating point.
    assert most_within(played(wanted, pace, lateness), 60.0 - 1e-6) <= pace.pods_per_minute


@SETTINGS
@given(growing, paces, st.lists(st.floats(0.0, 20.0), min_size=1, max_size=4), st.floats(0.1, 200.0))
def test_no_stretch_of_time_has_more_than_the_rate_gives_and_a_wave_and_a_quarter(wanted, pace, lateness, seconds):
    asks = played(wanted, pace, lateness)

    assert most_within(asks, seconds) <= pace.pods_per_minute * seconds / 60 + pace.wave * 1.25 + 1e-6


@SETTINGS
@given(targets, paces)
def test_every_deployment_reaches_its_goal(wanted, pace):
    waiting = {target.key: target for target in wanted}
    for _round in range(5000):
        steps = next_wave(waiting.values(), pace.wave)
        if not steps:
            break
        for step in steps:
            waiting[step.key] = after(waiting[step.key], step)

    assert all(target.done for target in waiting.values())


@SETTINGS
@given(targets, st.integers(1, 300))
def test_a_wave_has_no_more_than_its_pods_unless_one_step_cannot_be_cut(wanted, pods):
    steps = next_wave(wanted, pods)
    replaced = {target.key for target in wanted if target.replaced}

    assert sum(step.pods for step in steps) <= pods or (len(steps) == 1 and steps[0].key in replaced)
    assert len({step.key for step in steps}) == len(steps)


@SETTINGS
@given(targets, st.integers(1, 300))
def test_the_same_state_always_gives_the_same_wave(wanted, pods):
    assert next_wave(wanted, pods) == next_wave(list(wanted), pods)


@SETTINGS
@given(growing, st.integers(1, 50))
def test_no_step_goes_back_or_beyond_the_goal(wanted, pods):
    by_key = {target.key: target for target in wanted}

    for step in next_wave(wanted, pods):
        assert by_key[step.key].asked < step.replicas <= by_key[step.key].goal


@SETTINGS
@given(growing, paces, st.integers(0, 30))
def test_a_run_that_is_taken_up_keeps_to_the_rate_together_with_the_one_before(wanted, pace, waves_before):
    first = played(wanted, pace, [0.0])[:waves_before]
    waiting = {target.key: target for target in wanted}
    left = sum(ask.pods for ask in first)
    while left > 0:
        steps = next_wave(waiting.values(), left)
        left -= sum(step.pods for step in steps)
        for step in steps:
            waiting[step.key] = after(waiting[step.key], step)

    both = first + played(list(waiting.values()), pace, [0.0], first)

    assert most_within(both, 60.0 - 1e-6) <= pace.pods_per_minute
    assert sum(ask.pods for ask in both) == sum(target.goal for target in wanted)


def test_a_thousand_a_minute_are_a_hundred_every_six_seconds():
    waves = forecast([Target(f"d{number}", 0, 100) for number in range(24)], Pace(1000))

    assert [wave.pods for wave in waves] == [100] * 24
    assert [round(wave.seconds, 6) for wave in waves] == [6.0 * number for number in range(24)]


@SETTINGS
@given(st.integers(10, 5000), st.floats(1.0, 30.0))
def test_whole_waves_waste_little_of_the_minute(pods_per_minute, wave_seconds):
    wave = Pace(pods_per_minute, wave_seconds).wave
    wasted = pods_per_minute % wave

    assert 1 <= wave <= pods_per_minute
    assert wasted / pods_per_minute <= 0.1


@pytest.mark.parametrize("lateness", [0.0, 0.05, 0.4])
def test_waves_that_are_a_little_late_do_not_slow_the_rollout_down(lateness):
    pace = Pace(1000)
    asks = played([Target("d", 0, 12_000)], pace, [lateness, 0.0])

    rate = (sum(ask.pods for ask in asks) - pace.wave) / (asks[-1].at - asks[0].at) * 60

    assert rate == pytest.approx(1000, rel=0.01)


def test_growth_is_shared_and_goes_first_to_those_that_have_least():
    wanted = [Target("a", 50, 100), *(Target(key, 0, 100) for key in "bcdef")]

    steps = next_wave(wanted, 40)

    assert steps == [Step(key, 10, 10) for key in "bcde"]


def test_a_wave_goes_to_more_deployments_only_when_these_need_less_than_their_share():
    wanted = [Target(number, 0, 1) for number in range(30)]

    assert len(next_wave(wanted, 20)) == 20
    assert len(next_wave([Target(number, 0, 100) for number in range(30)], 20)) == DEPLOYMENTS_IN_WAVE


def test_what_ends_pods_goes_before_what_makes_them():
    wanted = [Target("up", 0, 10), Target("down", 10, 0)]

    assert next_wave(wanted, 10) == [Step("down", 0, 10)]


def test_a_changed_template_counts_all_pods_and_is_not_cut():
    wanted = [Target("small", 5, 5, replaced=True), Target("large", 300, 320, replaced=True)]

    first = next_wave(wanted, 100)
    second = next_wave([wanted[1]], 100)

    assert first == [Step("small", 5, 5)]
    assert second == [Step("large", 300, 300)]


def test_after_a_step_larger_than_a_wave_the_next_waits_until_it_is_paid_for():
    pace = Pace(1000)

    assert pace.ready_at([Ask(0.0, 0.0, 300)], 100) == pytest.approx(18.0)
    assert pace.ready_at([Ask(0.0, 0.0, 1500)], 100) == pytest.approx(90.0)


@pytest.mark.parametrize(("text", "pods"), [("2%", 48), ("10", 10), ("0", 0), (" 0.5 % ", 12), ("100%", 2400)])
def test_a_failure_budget_is_a_number_or_a_share_of_all_pods(text, pods):
    assert failure_budget(text, 2400) == pods


@pytest.mark.parametrize("text", ["", "some", "-1", "101%", "1.5", "nan%"])
def test_a_failure_budget_that_is_neither_is_refused(text):
    with pytest.raises(ConfigurationError, match="failure_budget"):
        failure_budget(text, 100)
