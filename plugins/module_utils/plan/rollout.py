# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Deployments get to their replica counts at no more than so many pods a minute; pure, the time is passed in.

Pods are asked for in waves. What may be asked for next follows from what was asked for before, and from nothing else; so a run
that takes up another one needs to know only when the pods that are there were made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from ..errors import ConfigurationError

_MINUTE = 60.0

# A wave goes to so many Deployments, or to more where these need less: requests then grow with waves and not with pods, and
# still no Deployment waits until the others are complete.
DEPLOYMENTS_IN_WAVE = 4

Key = TypeVar("Key")


@dataclass(frozen=True)
class Ask:
    """Pods that were asked for.

    :ivar due: the moment from which the next wave is reckoned: a wave that is a little late does not delay those after it.
    :ivar at: when it was really done.
    """

    due: float
    at: float
    pods: int


@dataclass(frozen=True)
class Pace:
    """No more than so many pods in any minute, spread evenly over it by waves.

    :ivar wave_seconds: about how often a wave is sent.
    """

    pods_per_minute: int
    wave_seconds: float = 6.0

    @cached_property
    def wave(self) -> int:
        """Pods in a wave: near to what the rate gives in C(wave_seconds), and such that whole waves fill the minute best."""
        most = min(self.pods_per_minute, max(1, round(self.pods_per_minute * self.wave_seconds / _MINUTE)))
        return max(
            range(math.ceil(most / 2), most + 1),
            key=lambda size: (self.pods_per_minute // size * size, size),
        )

    def ready_at(self, asks: Sequence[Ask], pods: int) -> float:
        """The first moment at which so many pods may be asked for; of more than a wave, a wave's worth must be free.

        It is a token bucket that holds one wave, and beside it the sum over any minute.
        """
        pods = min(pods, self.wave)
        moment = -math.inf
        since = 0
        for ask in reversed(asks):
            since += ask.pods
            moment = max(moment, ask.due + (since + pods - self.wave) * _MINUTE / self.pods_per_minute)
        within = 0
        for ask in reversed(asks):
            within += ask.pods
            if within + pods > self.pods_per_minute:
                return max(moment, ask.at + _MINUTE)
        return moment

    def due(self, asks: Sequence[Ask], pods: int, now: float) -> float:
        """What the next wave is reckoned from if these pods are asked for now: when they could have been, if that is not long ago."""
        could = self.ready_at(asks, pods)
        slack = self.wave * _MINUTE / self.pods_per_minute / 4
        return could if could >= now - slack else now


@dataclass(frozen=True)
class Target(Generic[Key]):
    """A Deployment on its way.

    :ivar asked: the replicas that it is set to.
    :ivar goal: those that it shall have.
    :ivar replaced: whether its pods are still to be replaced, because the template has changed.
    """

    key: Key
    asked: int
    goal: int
    replaced: bool = False

    @property
    def pods(self) -> int:
        """How many pods are still to be made or ended."""
        return abs(self.goal - self.asked) + (min(self.asked, self.goal) if self.replaced else 0)

    @property
    def done(self) -> bool:
        return self.asked == self.goal and not self.replaced


@dataclass(frozen=True)
class Step(Generic[Key]):
    """One write: a Deployment is set to so many replicas.

    :ivar pods: how many pods this makes or ends.
    """

    key: Key
    replicas: int
    pods: int


def next_wave(targets: Iterable[Target[Key]], pods: int) -> list[Step[Key]]:
    """What to write next, for so many pods: first what ends pods and so makes room, then changed templates, then growth.

    A changed template replaces all pods of its Deployment at the Deployment controller's own pace (maxSurge, maxUnavailable), which
    nobody can cut: such a step is taken whole, alone if it is larger than the wave. Growth goes to those that are furthest from
    their goal.

    :param targets: in the order in which equals are served.
    """
    open_targets = [target for target in targets if not target.done]
    steps: list[Step[Key]] = []
    left = pods
    for target in open_targets:
        if target.replaced:
            # Whatever goes with the new template goes at once with it.
            replicas = min(target.asked, target.goal)
            cost = replace(target, goal=replicas).pods
            if cost <= left or not steps:
                steps.append(Step(target.key, replicas, cost))
                left -= cost
        elif target.goal < target.asked and left > 0:
            cost = min(left, target.asked - target.goal)
            steps.append(Step(target.key, target.asked - cost, cost))
            left -= cost
    if left > 0:
        steps += _growth([each for each in open_targets if not each.replaced and each.asked < each.goal], left)
    return steps


def _growth(targets: Sequence[Target[Key]], pods: int) -> list[Step[Key]]:
    share = math.ceil(pods / DEPLOYMENTS_IN_WAVE)
    ordered = sorted(targets, key=lambda each: each.asked / each.goal)
    given = dict.fromkeys((target.key for target in ordered), 0)
    # A share for each; and what is left, where there are few Deployments, to the first that can take it.
    for most in (share, pods):
        for target in ordered:
            more = min(most, pods, target.goal - target.asked - given[target.key])
            given[target.key] += more
            pods -= more
    return [
        Step(target.key, target.asked + given[target.key], given[target.key]) for target in ordered if given[target.key]
    ]


def after(target: Target[Key], step: Step[Key]) -> Target[Key]:
    """The Deployment once the step is done. Every write has the new template."""
    return replace(target, asked=step.replicas, replaced=False)


@dataclass(frozen=True)
class Wave:
    """
    :ivar seconds: since the first one.
    :ivar deployments: to how many Deployments it goes.
    """

    seconds: float
    pods: int
    deployments: int


def forecast(targets: Sequence[Target[Key]], pace: Pace, asks: Sequence[Ask] = (), now: float = 0.0) -> list[Wave]:
    """The waves if nothing fails and nothing is late."""
    waiting = {target.key: target for target in targets if not target.done}
    told = list(asks)
    waves: list[Wave] = []
    start = moment = now
    while waiting:
        pods = sum(target.pods for target in waiting.values())
        moment = max(moment, pace.ready_at(told, pods))
        steps = next_wave(waiting.values(), min(pods, pace.wave))
        start = start if waves else moment
        asked = sum(step.pods for step in steps)
        waves.append(Wave(moment - start, asked, len(steps)))
        told.append(Ask(pace.due(told, asked, moment), moment, asked))
        for step in steps:
            moved = after(waiting[step.key], step)
            if moved.done:
                del waiting[step.key]
            else:
                waiting[step.key] = moved
    return waves


def failure_budget(text: str, pods: int) -> int:
    """How many pods may fail: a number, or a share of all pods of the rollout, C(2%), rounded down.

    :raises ConfigurationError: for anything else.
    """
    number = text.strip().removesuffix("%").strip()
    is_share = text.strip().endswith("%")
    try:
        value = float(number) if is_share else int(number)
    except ValueError:
        value = -1
    if value < 0 or (is_share and not value <= 100):
        raise ConfigurationError(
            f"failure_budget: '{text}' is neither a number of pods, such as 10, nor a share of all pods, such as 2%."
        )
    return int(pods * value / 100) if is_share else int(value)
