# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing Deployments to their replica counts in waves: read, plan, ask for pods at a pace, watch them, hold when too many fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import kubernetes_objects
from .change import Action
from .errors import KubernetesError, NotReady, VirtualNodesError
from .kube.failures import Failure, causes
from .kube.objects import Manifest, ObjectClient, ObjectKey
from .kube.rollout_watch import Name, RolloutWatch
from .kube.watching import Traffic
from .parallel import parallel
from .plan.plan import Plan
from .plan.rollout import Ask, Step, forecast, next_wave
from .plan.rollout_figures import Point
from .rollout_goals import Existing, GoalReader, Goals, Settings
from .rollout_report import Course, describe, listed, report
from .waiting import FIRST_PAUSE_S, LONGEST_PAUSE_S

# How often is looked whether a wave is due, or too much has failed. Nothing is asked of the API server for it.
_TICK_S = 0.05
_SAMPLE_S = 1.0
_START_S = 60.0
# Statuses of a server that is busy, or not all there.
_PASSING = frozenset({None, 408, 429, 500, 502, 503, 504})


class Rollout:
    """
    :param client: C(kubernetes.dynamic.DynamicClient).
    :param definitions: manifests of Deployments, with C(spec.replicas).
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: Any,
        definitions: Sequence[Manifest],
        existing: Sequence[Existing],
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._traffic = Traffic()
        self._traffic.count(client)
        self._objects = ObjectClient(client)
        self._definitions = definitions
        self._existing = existing
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._goals = Goals()
        self._generations: dict[ObjectKey, int] = {}
        self._watch: RolloutWatch | None = None
        self._course = Course(clock())
        self._written = False

    def plan(self) -> Plan:
        """
        :raises ConfigurationError: for input that cannot be carried out, and for more pods than there is room for.
        """
        reader = GoalReader(self._client, self._objects, self._definitions, self._existing, self._settings)
        self._goals, observed = reader.read()
        return Plan(
            observed=observed,
            chains=[[change] for change in self._goals.changes.values()],
            # Nothing is written change by change: roll() does it, in waves.
            apply=lambda change, _states: change.after,
            report=lambda _states: self._report(),
        )

    def describe(self) -> str:
        """One line, at any moment."""
        if self._watch is None or not self._course.points:
            return "reading what is there ..."
        return describe(self._goals, self._course, self._watch, self._clock())

    def _report(self) -> dict[str, Any]:
        return report(self._goals, self._course, self._watch, self._settings.pace, self._traffic)

    # Carrying out

    def roll(self) -> None:
        """Make the Deployments that are not there, ask for the pods, wave by wave, and wait until they are ready.

        :raises NotReady: when more fail than may, or nothing moves any more.
        :raises KubernetesError: when the API server refuses something.
        """
        if not self._goals.targets:
            return
        try:
            self._write_without_pods()
            self._watched()
        except VirtualNodesError as error:
            error.results = {**self._report(), "changed": self._written}
            raise

    def _write_without_pods(self) -> None:
        """What makes no pod, and new Deployments without theirs: what the API server refuses, it refuses before the first pod."""
        steps = []
        for key, target in self._goals.targets.items():
            change = self._goals.changes.get(str(key))
            if change and (change.action is Action.CREATE or target.done):
                steps.append(Step(key, target.asked, 0))
        refusals = [each for each in parallel(self._refusal, steps, kubernetes_objects.WORKERS) if each]
        if refusals:
            first = refusals[0]
            raise KubernetesError(
                f"{len(refusals)} of {len(steps)} Deployments were refused before any pod was made. First refusal: {first}",
                reason=first.reason,
                status=first.status,
            )

    def _refusal(self, step: Step[ObjectKey]) -> KubernetesError | None:
        try:
            self._write(step)
        except KubernetesError as error:
            return error
        return None

    def _watched(self) -> None:
        selectors = self._goals.selectors
        names = [(key.namespace, key.name) for key in selectors]
        self._watch = RolloutWatch(self._client, names, list(selectors.values()), self._traffic, self._clock)
        try:
            if not self._watch.start(max(_START_S, self._settings.ready_timeout)):
                raise NotReady(f"The Deployments and pods cannot be watched: {self._watch.trouble}")
            self._roll(self._watch)
        finally:
            self._watch.stop()

    def _roll(self, watch: RolloutWatch) -> None:
        course = self._course
        course.begun = course.moved = self._clock()
        course.asks = self._asked_before(watch)
        self._goals.waves = forecast(list(self._goals.targets.values()), self._settings.pace, course.asks, course.begun)
        while True:
            watch.check()
            if self._sample(watch):
                self._hold_if_too_many_fail(watch)
            now = self._clock()
            if not self._goals.all_asked:
                if self._may_ask(watch, now):
                    self._hold_if_too_many_fail(watch)
                    self._ask(watch, now)
                    continue
            elif self._complete(watch):
                self._sample(watch, last=True)
                return
            if now - course.moved > self._settings.ready_timeout:
                self._give_up(watch)
                return
            self._sleep(_TICK_S)

    def _asked_before(self, watch: RolloutWatch) -> list[Ask]:
        """What somebody, perhaps an earlier run, has asked for in the last minute: the pods show when they were made."""
        now = self._clock()
        made = watch.made_since(now - 60.0)
        asks = [Ask(when, when, made[when]) for when in sorted(made)]
        lacking = self._lacking(watch)
        return [*asks, Ask(now, now, lacking)] if lacking else asks

    def _lacking(self, watch: RolloutWatch) -> int:
        """Pods that were asked for and are not there, and are not refused either."""
        lacking = 0
        for key, target in self._goals.targets.items():
            name = (key.namespace, key.name)
            seen = watch.deployment(name)
            if not (seen and seen.refusal):
                lacking += max(0, target.asked - watch.active(name))
        return lacking

    def _may_ask(self, watch: RolloutWatch, now: float) -> bool:
        pace = self._settings.pace
        if now < pace.ready_at(self._course.asks, self._goals.left):
            return False
        # A controller that is behind would make what it owes and what is asked now at the same time.
        return self._lacking(watch) <= pace.wave // 2

    def _ask(self, watch: RolloutWatch, now: float) -> None:
        pace, course = self._settings.pace, self._course
        steps = next_wave(self._goals.targets.values(), min(pace.wave, self._goals.left))
        for step in steps:
            if self._goals.targets[step.key].replaced:
                watch.forget_template((step.key.namespace, step.key.name))
        due = pace.due(course.asks, sum(step.pods for step in steps), now)
        course.waves += 1
        with ThreadPoolExecutor(max_workers=min(len(steps), kubernetes_objects.WORKERS)) as pool:
            for step, late in zip(steps, pool.map(self._write, steps), strict=True):
                self._goals.moved(step)
                # A write that had to be repeated counts from when it was done.
                moment = self._clock() if late else now
                course.asks.append(Ask(moment if late else due, moment, step.pods))
        course.moved = self._clock()

    def _write(self, step: Step[ObjectKey]) -> bool:
        """
        :returns: whether it took more than one attempt.
        """
        if step.key in self._goals.wishes:
            return self._apply(step.key, self._goals.wishes[step.key], step.replicas)
        return self._persist(lambda: self._objects.scale(step.key, step.replicas))

    def _apply(self, key: ObjectKey, wish: Manifest, replicas: int) -> bool:
        manifest = {**wish, "spec": {**wish["spec"], "replicas": replicas}}

        def write() -> None:
            self._generations[key] = self._objects.apply(manifest)["metadata"]["generation"]

        return self._persist(write)

    def _persist(self, write: Callable[[], Any]) -> bool:
        """Write, through an API server's absence. To write the same twice does no harm.

        :returns: whether it took more than one attempt.
        :raises KubernetesError: what is no passing trouble, or lasts too long.
        """
        give_up_at = self._clock() + self._settings.ready_timeout
        pause = FIRST_PAUSE_S
        late = False
        while True:
            try:
                write()
                self._written = True
                return late
            except KubernetesError as error:
                if error.status not in _PASSING or self._clock() > give_up_at:
                    raise
            late = True
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    # Looking

    def _complete(self, watch: RolloutWatch) -> bool:
        for key, target in self._goals.targets.items():
            seen = watch.deployment((key.namespace, key.name))
            if seen is None or seen.replicas != target.goal or not seen.complete:
                return False
            # A new template alone leaves the number of replicas as it was; the watch may not have told of it yet.
            if seen.generation < self._generations.get(key, 0):
                return False
        # The other watch may tell of it a little later, and the figures shall be whole.
        return watch.ready >= self._goals.pods or self._clock() - self._course.moved > 2.0

    def _sample(self, watch: RolloutWatch, last: bool = False) -> bool:
        """Note how things stand, once a second; whether it did."""
        course = self._course
        now = self._clock() - course.begun
        if not last and course.points and now - course.points[-1].seconds < _SAMPLE_S:
            return False
        failing = sum(failure.pods for failure in self._failures(watch))
        point = Point(now, self._goals.asked, watch.ready, failing)
        if not course.points or (point.ready, point.desired) != (
            course.points[-1].ready,
            course.points[-1].desired,
        ):
            course.moved = self._clock()
        course.points.append(point)
        return True

    def _failures(self, watch: RolloutWatch) -> list[Failure]:
        wanted: dict[Name, int] = {(key.namespace, key.name): each.asked for key, each in self._goals.targets.items()}
        pending = {(key.namespace, key.name) for key, each in self._goals.targets.items() if each.replaced}
        found = watch.failures(wanted, self._settings.ready_timeout)
        # What a new template will replace is why somebody runs this.
        return [each for each in found if (each.namespace, each.deployment) not in pending]

    def _hold_if_too_many_fail(self, watch: RolloutWatch) -> None:
        failures, goals = self._failures(watch), self._goals
        failing = sum(failure.pods for failure in failures)
        if failing <= goals.budget:
            return
        self._sample(watch, last=True)
        self._course.causes = causes(self._client, failures)
        fail = "pod fails" if failing == 1 else "pods fail"
        raise NotReady(
            f"Held: {failing:,} {fail}, and {goals.budget:,} may ({_said(self._settings.failure_budget, goals.pods)}). "
            f"{goals.asked:,} of {goals.pods:,} pods have been asked for, {watch.ready:,} are ready. {listed(self._course.causes)}. "
            "Put right what is wrong and run this again: it goes on where it stopped."
        )

    def _give_up(self, watch: RolloutWatch) -> None:
        """Nothing has moved for too long: say so, or put up with it if no more is missing than may fail."""
        self._sample(watch, last=True)
        goals, course = self._goals, self._course
        course.causes = causes(self._client, self._failures(watch))
        missing = goals.pods - watch.ready
        if goals.all_asked and 0 <= missing <= goals.budget:
            course.warnings.append(
                f"{missing:,} of {goals.pods:,} pods are not ready, and {goals.budget:,} may fail. {listed(course.causes)}."
            )
            return
        timeout = f"{self._settings.ready_timeout:g} s"
        why = listed(course.causes)
        if watch.trouble:
            why = f"the API server cannot be watched: {watch.trouble}"
        elif lacking := self._lacking(watch):
            why = (
                f"{lacking:,} pods that were asked for have not been made: is the Deployment controller working? {why}"
            )
        raise NotReady(
            f"Nothing has moved for {timeout}: {watch.ready:,} of {goals.pods:,} pods are ready, {why or 'no pod says why'}. "
            "Running this again goes on where it stopped."
        )


def _said(budget: str, pods: int) -> str:
    return f"failure_budget {budget.strip()} of {pods:,}" if budget.strip().endswith("%") else "failure_budget"
