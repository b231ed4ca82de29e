# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts on a small model of a cluster whose time passes when somebody sleeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils import rollout
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import (
    ConfigurationError,
    KubernetesError,
    NotReady,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.failures import Failure
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.objects import ObjectKey
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.pods import Trouble
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.rollout_watch import DeploymentSeen, Name
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.rollout import Pace
from ansible_collections.aks.virtual_nodes.plugins.module_utils.rollout import Rollout
from ansible_collections.aks.virtual_nodes.plugins.module_utils.rollout_goals import Settings

RATE, WAVE = 600, 10


def deployment(name: str, replicas: Any, namespace: str = "shop") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app"}]}},
        },
    }


class Cluster:
    """
    :ivar makes: how many pods its controller makes each second at that time.
    :ivar breaks: which of the pods, by their number, do not start.
    :ivar watch_lag: seconds after which the watch tells of a write.
    """

    def __init__(
        self, makes: Callable[[float], float] = lambda _now: 1e9, breaks: Callable[[int], bool] = lambda _n: False
    ) -> None:
        self.now = 0.0
        self.makes = makes
        self.breaks = breaks
        self.wanted: dict[Name, int] = {}
        self.made: list[tuple[float, Name]] = []
        self.applied: list[tuple[float, Name, int]] = []
        self.unreachable_until = 0.0
        self.refuses: set[Name] = set()
        self.watch_lag = 0.0
        self._templates: dict[Name, Any] = {}
        self._told: dict[Name, list[tuple[float, DeploymentSeen]]] = {}
        self._credit = 0.0
        self._attempts = 0

    # Time

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._credit = min(self._credit + self.makes(self.now) * seconds, 1e9)
        for name, wanted in self.wanted.items():
            while self.active(name) < wanted and self._credit >= 1:
                self._credit -= 1
                self.made.append((self.now, name))
        if all(self.active(name) >= wanted for name, wanted in self.wanted.items()):
            self._credit = 0.0

    # What the rollout writes

    def read(self, keys: Any) -> dict[ObjectKey, Any]:
        return {key: self._shown((key.namespace, key.name)) for key in keys if (key.namespace, key.name) in self.wanted}

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Mapping[str, Any]:
        if not dry_run:
            if self.now < self.unreachable_until:
                raise KubernetesError("the API server cannot be reached", reason="Unreachable")
            name = (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
            if name in self.refuses:
                raise KubernetesError(f"{name[1]} is forbidden", reason="Forbidden", status=403)
            self.wanted[name] = manifest["spec"]["replicas"]
            self._templates[name] = manifest["spec"]["template"]
            self.applied.append((self.now, name, self.wanted[name]))
            seen = DeploymentSeen(self.wanted[name], len(self.applied), True, None)
            self._told.setdefault(name, []).append((self.now + self.watch_lag, seen))
        return {**manifest, "metadata": {**manifest["metadata"], "generation": len(self.applied)}}

    def _shown(self, name: Name) -> dict[str, Any]:
        there = deployment(name[1], self.wanted[name])
        there["spec"]["template"] = self._templates.get(name, there["spec"]["template"])
        return there

    # What it sees

    def __call__(self, *_arguments: Any) -> Cluster:
        return self

    def start(self, _seconds: float) -> bool:
        return True

    def stop(self) -> None:
        pass

    def check(self) -> None:
        pass

    trouble = None

    def active(self, name: Name) -> int:
        return sum(each == name for _when, each in self.made)

    @property
    def ready(self) -> int:
        return sum(not self.breaks(number) for number, (when, _name) in enumerate(self.made) if when + 1.0 <= self.now)

    def deployment(self, name: Name) -> DeploymentSeen | None:
        told = [seen for when, seen in self._told.get(name, ()) if when <= self.now]
        complete = self.ready >= sum(self.wanted.values())
        if name not in self._told and name in self.wanted:
            return DeploymentSeen(self.wanted[name], 1, complete, None)
        return replace(told[-1], complete=complete) if told else None

    def forget_template(self, _name: Name) -> None:
        pass

    def failures(self, _wanted: Any, _timeout: float) -> list[Failure]:
        broken = [number for number in range(len(self.made)) if self.breaks(number)]
        return [
            Failure("shop", "a", f"pod-{number}", "", Trouble("ErrImagePull", "no such image")) for number in broken
        ]

    def made_since(self, moment: float) -> Counter[float]:
        return Counter(when for when, _name in self.made if when >= moment)

    came_ready: tuple[float, ...] = ()
    seconds_to_ready: tuple[float, ...] = ()

    def request(self, *_arguments: Any, **_options: Any) -> Any:
        raise KubernetesError("no events here", status=403)

    # What came of it

    def most_within(self, seconds: float) -> int:
        moments = [when for when, _name in self.made]
        return max(sum(first <= when < first + seconds for when in moments) for first in moments)


def roll(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, *definitions: dict[str, Any], **settings: Any
) -> dict[str, Any]:
    monkeypatch.setattr(rollout, "RolloutWatch", cluster)
    given = {"pace": Pace(RATE, 1.0), "failure_budget": "0", "ready_timeout": 60.0, "check_room": False} | settings
    run = Rollout(cluster, definitions, [], Settings(**given), cluster.clock, cluster.sleep)
    run._objects = cluster
    plan = run.plan()
    run.roll()
    return dict(plan.report(plan.observed))


def test_a_slow_controller_is_not_asked_for_more_than_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(makes=lambda _now: 3.0)

    roll(monkeypatch, cluster, deployment("a", 60), deployment("b", 60))

    assert len(cluster.made) == 120
    backlog = 0
    for when, _name, _replicas in cluster.applied:
        asked = {name: replicas for moment, name, replicas in cluster.applied if moment <= when}
        backlog = max(backlog, sum(asked.values()) - sum(moment <= when for moment, _each in cluster.made))
    assert backlog <= 1.5 * WAVE


def test_a_controller_that_wakes_up_does_not_make_more_than_a_wave_and_a_half_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(makes=lambda now: 0.0 if 3.0 < now < 30.0 else 1e9)

    roll(monkeypatch, cluster, deployment("a", 120))

    assert len(cluster.made) == 120
    assert cluster.most_within(1.0) <= 2.5 * WAVE


def test_a_changed_template_is_not_complete_before_the_watch_has_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    roll(monkeypatch, cluster, deployment("a", 10))
    cluster.watch_lag = 5.0
    newer = deployment("a", 10)
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"

    roll(monkeypatch, cluster, newer)

    written, _name, _replicas = cluster.applied[-1]
    assert cluster.now >= written + 5.0


def test_a_controller_that_makes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(makes=lambda _now: 0.0)

    with pytest.raises(
        NotReady, match=r"Nothing has moved for 60 s: 0 of 40 pods are ready, 10 pods .* not been made"
    ) as held:
        roll(monkeypatch, cluster, deployment("a", 40))

    assert held.value.results["rollout"]["waves"] == 1
    assert held.value.results["changed"]


def test_it_holds_before_the_next_wave_when_more_fail_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(breaks=lambda number: number % 20 == 5)

    with pytest.raises(NotReady, match=r"Held: 2 pods fail, and 1 may .*2 pods: ErrImagePull: no such image") as held:
        roll(monkeypatch, cluster, deployment("a", 100), failure_budget="1%")

    # The twenty-fifth pod is the second that fails; it is one of the third wave.
    assert len(cluster.made) == 30
    assert held.value.results["causes"][0]["pods"] == 2


def test_what_the_api_server_refuses_it_refuses_before_the_first_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    cluster.refuses = {("shop", "b")}

    with pytest.raises(
        KubernetesError, match=r"1 of 3 Deployments were refused before any pod was made.*b is forbidden"
    ) as refused:
        roll(monkeypatch, cluster, *(deployment(name, 5) for name in "abc"))

    assert cluster.made == []
    assert refused.value.results["changed"]


def test_a_run_that_has_nothing_to_do_and_too_many_failures_has_changed_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(breaks=lambda number: number == 0)
    cluster.wanted = {("shop", "a"): 10}
    cluster.sleep(1.0)

    with pytest.raises(NotReady, match="1 pod fails, and 0 may") as held:
        roll(monkeypatch, cluster, deployment("a", 10))

    assert not held.value.results["changed"]


def test_writes_wait_for_an_api_server_that_is_away_and_keep_the_rate_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()

    def away(now: float) -> float:
        if 2.5 < now < 3.0:
            cluster.unreachable_until = 20.0
        return 1e9

    cluster.makes = away

    roll(monkeypatch, cluster, deployment("a", 80))

    assert len(cluster.made) == 80
    assert cluster.most_within(0.9) <= 1.25 * WAVE


def test_pods_of_the_last_minute_count_although_somebody_else_asked_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    cluster.wanted = {("shop", "a"): 30}
    cluster.sleep(1.0)

    roll(monkeypatch, cluster, deployment("a", 50))

    # Thirty were made at once: three waves' worth, before anybody kept to the rate.
    first_of_ours = min(when for when, _name, _replicas in cluster.applied)
    assert first_of_ours == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({**deployment("a", 1), "kind": "StatefulSet"}, "is no Deployment"),
        (deployment("a", 1, namespace=""), "no metadata.namespace"),
        (deployment("a", None), "autoscaler"),
        (deployment("a", -1), "spec.replicas is -1"),
        (deployment("a", "3"), "spec.replicas is '3'"),
    ],
)
def test_what_cannot_be_rolled_out_is_refused_before_anything_is_read(definition: dict[str, Any], said: str) -> None:
    settings = Settings(Pace(RATE), "0", 60.0)

    with pytest.raises(ConfigurationError, match=said):
        Rollout(Cluster(), [definition], [], settings).plan()
