# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing Deployments to their replica counts in waves: read, plan, ask for pods at a pace, watch them, hold when too many fail."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from . import kubernetes_objects
from .change import Action, Change, State, States
from .errors import ConfigurationError, KubernetesError, NotReady, VirtualNodesError
from .kube.failures import Cause, Failure, causes
from .kube.objects import Manifest, ObjectClient, ObjectKey
from .kube.rollout_watch import Name, RolloutWatch
from .kube.virtual_nodes import read_fleet
from .kube.watching import Traffic
from .parallel import parallel
from .plan.manifests import shown, with_created_label
from .plan.plan import Plan
from .plan.rollout import Ask, Pace, Step, Target, Wave, after, failure_budget, forecast, next_wave
from .plan.rollout_figures import Point, percentile, rate_per_minute, thinned
from .plan.virtual_nodes import PODS_PER_NODE, SELECTOR, Fleet
from .progress import duration
from .waiting import FIRST_PAUSE_S, LONGEST_PAUSE_S

# How often is looked whether a wave is due, or too much has failed. Nothing is asked of the API server for it.
_TICK_S = 0.05
_SAMPLE_S = 1.0
_MOST_POINTS = 60
_MOST_WAVES = 200
_START_S = 60.0
_NODE_LABEL, _EQUALS, _NODE_VALUE = SELECTOR.partition("=")
# Statuses of a server that is busy, or not all there.
_PASSING = frozenset({None, 408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Existing:
    """A Deployment that is there, of which nothing but the number of replicas is to change."""

    namespace: str
    name: str
    replicas: int


@dataclass(frozen=True)
class Settings:
    """
    :ivar failure_budget: a number of pods, or a share of all C(2%).
    :ivar ready_timeout: seconds from the creation of a pod until it counts as failed; also without anything moving at all.
    """

    pace: Pace
    failure_budget: str
    ready_timeout: float
    check_room: bool = True


@dataclass
class _Progress:
    """What happened, for the operator and the result."""

    begun: float
    asks: list[Ask] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    waves: int = 0
    moved: float = 0.0
    failing: int = 0


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
        self._changes: dict[str, Change] = {}
        self._targets: dict[ObjectKey, Target[ObjectKey]] = {}
        self._wishes: dict[ObjectKey, Manifest] = {}
        self._selectors: dict[ObjectKey, Mapping[str, str]] = {}
        self._before: dict[ObjectKey, int | None] = {}
        self._generations: dict[ObjectKey, int] = {}
        self._on_virtual_nodes: set[ObjectKey] = set()
        self._planned: list[Wave] = []
        self._budget = 0
        self._room: dict[str, Any] = {}
        self._watch: RolloutWatch | None = None
        self._progress = _Progress(clock())
        self._warnings: list[str] = []
        self._causes: list[Cause] = []
        self._written = False

    # Planning

    def plan(self) -> Plan:
        """
        :raises ConfigurationError: for input that cannot be carried out, and for more pods than there is room for.
        """
        _validate(self._definitions, self._existing)
        manifests = kubernetes_objects.plan_present(self._objects, self._definitions)
        changes = [*manifests.changes, *self._take_existing()]
        self._changes = {change.resource_id: change for change in changes}
        for definition in self._definitions:
            self._take_definition(definition, manifests.observed)
        self._planned = forecast(list(self._targets.values()), self._settings.pace)
        self._budget = failure_budget(self._settings.failure_budget, self._goal)
        if self._settings.check_room:
            self._check_room()
        return Plan(
            observed=manifests.observed,
            chains=[[change] for change in changes],
            # Nothing is written change by change: roll() does it, in waves.
            apply=lambda change, _states: change.after,
            report=lambda _states: self._report(),
        )

    def _take_existing(self) -> list[Change]:
        keys = [ObjectKey("apps/v1", "Deployment", each.namespace, each.name) for each in self._existing]
        found = self._objects.read(keys)
        missing = [f"{key.namespace}/{key.name}" for key in keys if key not in found]
        if missing:
            raise ConfigurationError(
                f"deployments: not in the cluster: {', '.join(missing)}. "
                "This option takes Deployments that are there; give the manifests of new ones in definitions."
            )
        changes = []
        for key, wish in zip(keys, self._existing, strict=True):
            before = found[key]
            asked = int(before["spec"].get("replicas", 1))
            self._take(Target(key, asked, wish.replicas), before)
            if asked != wish.replicas:
                after_it = {**before, "spec": {**before["spec"], "replicas": wish.replicas}}
                changes.append(Change.update(str(key), shown(before), shown(after_it)))
        return changes

    def _take_definition(self, wish: Manifest, observed: States) -> None:
        key = ObjectKey.of(wish)
        change = self._changes.get(str(key))
        before = observed.get(str(key))
        self._wishes[key] = with_created_label(wish, before)
        asked = int(before["spec"].get("replicas", 1)) if before else 0
        replaced = bool(
            change and change.before and change.after and _template(change.before) != _template(change.after)
        )
        self._take(Target(key, asked, int(wish["spec"]["replicas"]), replaced), wish)
        if before is None:
            self._before[key] = None

    def _take(self, target: Target[ObjectKey], manifest: Manifest) -> None:
        key, spec = target.key, manifest["spec"]
        self._targets[key] = target
        self._before[key] = target.asked
        self._selectors[key] = (spec.get("selector") or {}).get("matchLabels") or {}
        pod = (spec.get("template") or {}).get("spec") or {}
        if (pod.get("nodeSelector") or {}).get(_NODE_LABEL) == _NODE_VALUE:
            self._on_virtual_nodes.add(key)

    @property
    def _goal(self) -> int:
        return sum(target.goal for target in self._targets.values())

    # Room

    def _check_room(self) -> None:
        targets = [self._targets[key] for key in self._on_virtual_nodes]
        more = sum(max(0, target.goal - target.asked) for target in targets)
        fewer = sum(max(0, target.asked - target.goal) for target in targets)
        if not more:
            return
        fleet = read_fleet(self._client)
        room = fleet.room + fewer
        self._room = {"pods_to_add": more, "pods_waiting": fleet.waiting, "room": room, "capacity": fleet.capacity}
        if more + fleet.waiting > room:
            raise ConfigurationError(_no_room(fleet, more, room))

    # Carrying out

    def roll(self) -> None:
        """Make the Deployments that are not there, ask for the pods, wave by wave, and wait until they are ready.

        :raises NotReady: when more fail than may, or nothing moves any more.
        :raises KubernetesError: when the API server refuses something.
        """
        if not self._targets:
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
        for key, target in self._targets.items():
            change = self._changes.get(str(key))
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
        names = [(key.namespace, key.name) for key in self._targets]
        self._watch = RolloutWatch(
            self._client, names, [self._selectors[key] for key in self._targets], self._traffic, self._clock
        )
        try:
            if not self._watch.start(max(_START_S, self._settings.ready_timeout)):
                raise NotReady(f"The Deployments and pods cannot be watched: {self._watch.trouble}")
            self._roll(self._watch)
        finally:
            self._watch.stop()

    def _roll(self, watch: RolloutWatch) -> None:
        progress = self._progress
        progress.begun = progress.moved = self._clock()
        progress.asks = self._asked_before(watch)
        self._planned = forecast(list(self._targets.values()), self._settings.pace, progress.asks, progress.begun)
        while True:
            watch.check()
            if self._sample(watch):
                self._hold_if_too_many_fail(watch)
            now = self._clock()
            if any(not target.done for target in self._targets.values()):
                if self._may_ask(watch, now):
                    self._hold_if_too_many_fail(watch)
                    self._ask(watch, now)
                    continue
            elif self._complete(watch):
                self._sample(watch, last=True)
                return
            if now - progress.moved > self._settings.ready_timeout:
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
        for key, target in self._targets.items():
            name = (key.namespace, key.name)
            seen = watch.deployment(name)
            if not (seen and seen.refusal):
                lacking += max(0, target.asked - watch.active(name))
        return lacking

    def _may_ask(self, watch: RolloutWatch, now: float) -> bool:
        pace = self._settings.pace
        if now < pace.ready_at(self._progress.asks, self._left):
            return False
        # A controller that is behind would make what it owes and what is asked now at the same time.
        return self._lacking(watch) <= pace.wave // 2

    @property
    def _left(self) -> int:
        """Pods that are still to be asked for."""
        return sum(target.pods for target in self._targets.values())

    def _ask(self, watch: RolloutWatch, now: float) -> None:
        pace, progress = self._settings.pace, self._progress
        steps = next_wave(self._targets.values(), min(pace.wave, self._left))
        for step in steps:
            if self._targets[step.key].replaced:
                watch.forget_template((step.key.namespace, step.key.name))
        due = pace.due(progress.asks, sum(step.pods for step in steps), now)
        progress.waves += 1
        with ThreadPoolExecutor(max_workers=min(len(steps), kubernetes_objects.WORKERS)) as pool:
            for step, late in zip(steps, pool.map(self._write, steps), strict=True):
                self._targets[step.key] = after(self._targets[step.key], step)
                # A write that had to be repeated counts from when it was done.
                moment = self._clock() if late else now
                progress.asks.append(Ask(moment if late else due, moment, step.pods))
        progress.moved = self._clock()

    def _write(self, step: Step[ObjectKey]) -> bool:
        """
        :returns: whether it took more than one attempt.
        """
        if step.key in self._wishes:
            return self._apply(step.key, self._wishes[step.key], step.replicas)
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
        for key, target in self._targets.items():
            seen = watch.deployment((key.namespace, key.name))
            if seen is None or seen.replicas != target.goal or not seen.complete:
                return False
            # A new template alone leaves the number of replicas as it was; the watch may not have told of it yet.
            if seen.generation < self._generations.get(key, 0):
                return False
        # The other watch may tell of it a little later, and the figures shall be whole.
        return watch.ready >= self._goal or self._clock() - self._progress.moved > 2.0

    def _sample(self, watch: RolloutWatch, last: bool = False) -> bool:
        """Note how things stand, once a second; whether it did."""
        progress = self._progress
        now = self._clock() - progress.begun
        if not last and progress.points and now - progress.points[-1].seconds < _SAMPLE_S:
            return False
        failures = self._failures(watch)
        progress.failing = sum(failure.pods for failure in failures)
        desired = sum(target.asked for target in self._targets.values())
        point = Point(now, desired, watch.ready, progress.failing)
        if not progress.points or (point.ready, point.desired) != (
            progress.points[-1].ready,
            progress.points[-1].desired,
        ):
            progress.moved = self._clock()
        progress.points.append(point)
        return True

    def _failures(self, watch: RolloutWatch) -> list[Failure]:
        wanted: dict[Name, int] = {(key.namespace, key.name): each.asked for key, each in self._targets.items()}
        pending = {(key.namespace, key.name) for key, each in self._targets.items() if each.replaced}
        found = watch.failures(wanted, self._settings.ready_timeout)
        # What a new template will replace is why somebody runs this.
        return [each for each in found if (each.namespace, each.deployment) not in pending]

    def _hold_if_too_many_fail(self, watch: RolloutWatch) -> None:
        failures = self._failures(watch)
        failing = sum(failure.pods for failure in failures)
        if failing <= self._budget:
            return
        self._sample(watch, last=True)
        self._causes = causes(self._client, failures)
        asked = sum(target.asked for target in self._targets.values())
        raise NotReady(
            f"Held: {failing:,} {'pod fails' if failing == 1 else 'pods fail'}, and {self._budget:,} may ({_said(self._settings.failure_budget, self._goal)}). "
            f"{asked:,} of {self._goal:,} pods have been asked for, {watch.ready:,} are ready. {_list(self._causes)}. "
            "Put right what is wrong and run this again: it goes on where it stopped."
        )

    def _give_up(self, watch: RolloutWatch) -> None:
        """Nothing has moved for too long: say so, or put up with it if no more is missing than may fail."""
        self._sample(watch, last=True)
        self._causes = causes(self._client, self._failures(watch))
        missing = self._goal - watch.ready
        if all(target.done for target in self._targets.values()) and 0 <= missing <= self._budget:
            self._warnings.append(
                f"{missing:,} of {self._goal:,} pods are not ready, and {self._budget:,} may fail. {_list(self._causes)}."
            )
            return
        timeout = f"{self._settings.ready_timeout:g} s"
        why = _list(self._causes)
        if watch.trouble:
            why = f"the API server cannot be watched: {watch.trouble}"
        elif lacking := self._lacking(watch):
            why = (
                f"{lacking:,} pods that were asked for have not been made: is the Deployment controller working? {why}"
            )
        raise NotReady(
            f"Nothing has moved for {timeout}: {watch.ready:,} of {self._goal:,} pods are ready, {why or 'no pod says why'}. "
            "Running this again goes on where it stopped."
        )

    # Telling

    def describe(self) -> str:
        """A line such as C(ready 640 of 2,400 (wave 7 of 24), 985 a minute, 3 failed, 1 min 46 s left)."""
        progress, watch = self._progress, self._watch
        if watch is None or not progress.points:
            return "reading what is there ..."
        last = progress.points[-1]
        parts = [f"ready {last.ready:,} of {self._goal:,} (wave {progress.waves:,} of {self._waves:,})"]
        minute = [point for point in progress.points if point.seconds >= last.seconds - 60.5]
        first = minute[0]
        if last.seconds > first.seconds and last.ready > first.ready:
            per_minute = (last.ready - first.ready) / (last.seconds - first.seconds) * 60
            parts.append(f"{per_minute:,.0f} a minute")
        if last.failed:
            parts.append(f"{last.failed:,} failed")
        if trouble := watch.trouble:
            parts.append(f"nothing is seen at the moment: {trouble}")
        elif self._planned and (left := self._planned[-1].seconds - (self._clock() - progress.begun)) > 0:
            parts.append(f"{duration(left)} left")
        elif last.ready < self._goal:
            parts.append("all asked for")
        return ", ".join(parts)

    @property
    def _waves(self) -> int:
        return max(len(self._planned), self._progress.waves)

    def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = {
            "deployments": [self._deployment(key, self._changes.get(str(key))) for key in self._targets],
            "waves": [
                {"seconds": round(wave.seconds, 1), "pods": wave.pods, "deployments": wave.deployments}
                for wave in self._planned[:_MOST_WAVES]
            ],
            "room": self._room,
        }
        if self._watch is not None:
            report["rollout"] = self._figures(self._watch)
            report["causes"] = [
                {"pods": each.pods, "reason": each.reason, "message": each.message, "examples": list(each.examples)}
                for each in self._causes
            ]
        if self._warnings:
            report["warnings"] = self._warnings
        return report

    def _deployment(self, key: ObjectKey, change: Change | None) -> dict[str, Any]:
        return {
            "namespace": key.namespace,
            "name": key.name,
            "before": self._before[key],
            "replicas": self._targets[key].goal,
            "action": str(change.action) if change else "none",
        }

    def _figures(self, watch: RolloutWatch) -> dict[str, Any]:
        progress, waited = self._progress, watch.seconds_to_ready
        last = progress.points[-1] if progress.points else Point(0.0, 0, 0, 0)
        return {
            "pods": self._goal,
            "desired": last.desired,
            "ready": last.ready,
            "failing": last.failed,
            "failure_budget": self._budget,
            "waves": progress.waves,
            "seconds": round(last.seconds, 1),
            "asked_rate": self._settings.pace.pods_per_minute,
            "achieved_rate": _rounded(rate_per_minute(watch.came_ready, self._settings.pace.wave)),
            "p50_ready_s": _rounded(percentile(waited, 0.5)),
            "p95_ready_s": _rounded(percentile(waited, 0.95)),
            "requests": self._traffic.requests,
            "watches": self._traffic.most_watches,
            "peak_memory_mib": _peak_memory_mib(),
            "curve": [
                {"seconds": round(point.seconds, 1), "desired": point.desired, "ready": point.ready}
                for point in thinned(progress.points, _MOST_POINTS)
            ],
        }


def _validate(definitions: Sequence[Manifest], existing: Sequence[Existing]) -> None:
    keys = [ObjectKey.of(each) for each in definitions]
    for key, definition in zip(keys, definitions, strict=True):
        if (key.api_version, key.kind) != ("apps/v1", "Deployment"):
            raise ConfigurationError(
                f"definitions: {key} is no Deployment (apps/v1). Other kinds are applied by kubernetes_objects."
            )
        if not key.namespace:
            raise ConfigurationError(f"definitions: {key} has no metadata.namespace.")
        _check_replicas(f"definitions: {key}: spec.replicas", (definition.get("spec") or {}).get("replicas"))
    both = [f"{each.namespace}/{each.name}" for each in existing]
    for each in existing:
        _check_replicas(f"deployments: {each.namespace}/{each.name}: replicas", each.replicas)
    given = [*(f"{key.namespace}/{key.name}" for key in keys), *both]
    doubled = sorted({each for each in given if given.count(each) > 1}) if len(set(given)) < len(given) else []
    if doubled:
        raise ConfigurationError(f"definitions, deployments: listed more than once: {', '.join(doubled)}.")


def _check_replicas(field_name: str, replicas: Any) -> None:
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise ConfigurationError(
            f"{field_name} is {replicas!r}, and has to be a number of pods. A Deployment whose replicas an autoscaler sets is "
            "applied by kubernetes_objects, without them."
        )


def _template(deployment: State) -> Any:
    return deployment["spec"]["template"]


def _no_room(fleet: Fleet, more: int, room: int) -> str:
    taking = [node for node in fleet.nodes if node.takes_pods]
    wanted = more + fleet.waiting - room
    waiting = f"; {fleet.waiting:,} pods wait for a node already" if fleet.waiting else ""
    out_of_use = len(fleet.nodes) - len(taking)
    others = f", {out_of_use} more take none (not ready, cordoned or stale)" if out_of_use else ""
    nodes = math.ceil(wanted / PODS_PER_NODE)
    return (
        f"The rollout does not fit: it adds {more:,} pods on virtual nodes, and there is room for {room:,} "
        f"({len(taking)} virtual nodes that take pods{others}, {fleet.capacity:,} places{waiting}). "
        f"{wanted:,} places are missing, which is {nodes} virtual {'node' if nodes == 1 else 'nodes'} of {PODS_PER_NODE} pods. "
        "Raise replicaCount of the virtual nodes' chart, ask for fewer pods, or set check_room to false to let the rest wait."
    )


def _said(budget: str, pods: int) -> str:
    return f"failure_budget {budget.strip()} of {pods:,}" if budget.strip().endswith("%") else "failure_budget"


def _list(found: Sequence[Cause]) -> str:
    return "; ".join(str(each) for each in found)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _peak_memory_mib() -> float:
    # Linux says KiB, macOS bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
