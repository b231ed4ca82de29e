# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of some Deployments and their pods, by two watches; of each pod a few bytes are kept."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import KubernetesError
from .failures import Failure
from .objects import Manifest
from .pods import PodSeen, Trouble, read_pod
from .rollout import is_rolled_out
from .watching import Following, Traffic

# A selector that names all Deployments must go into a URL, together with much else.
_LONGEST_SELECTOR = 3000

# Namespace and name of a Deployment.
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DeploymentSeen:
    """
    :ivar replicas: what its specification wants.
    :ivar generation: counts the changes of its specification.
    :ivar complete: whether it has them, all up to date and available.
    :ivar refusal: why its pods cannot be made: an admission webhook, a quota.
    """

    replicas: int
    generation: int
    complete: bool
    refusal: Trouble | None


@dataclass
class _Tracked:
    """
    :ivar first_seen: by our monotonic clock.
    """

    pod: PodSeen
    first_seen: float


@dataclass
class _State:
    """Everything that the two threads write and the main one reads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    deployments: dict[Name, DeploymentSeen] = field(default_factory=dict)
    pods: dict[str, _Tracked] = field(default_factory=dict)
    active: Counter[Name] = field(default_factory=Counter)
    ready: Counter[Name] = field(default_factory=Counter)
    # Those that are active or have failed, and are not ready.
    unready: set[str] = field(default_factory=set)
    came_ready: list[float] = field(default_factory=list)
    seconds_to_ready: list[float] = field(default_factory=list)
    outdated: dict[Name, set[str]] = field(default_factory=dict)


class RolloutWatch:
    """
    :param names: the Deployments.
    :param selectors: their label selectors (C(matchLabels)), in the same order.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: Any,
        names: Sequence[Name],
        selectors: Sequence[Mapping[str, str]],
        traffic: Traffic,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = frozenset(names)
        self._clock = clock
        self._state = _State()
        self._begun = clock()
        namespaces = {namespace for namespace, _name in names}
        within = f"/namespaces/{next(iter(namespaces))}" if len(namespaces) == 1 else ""
        where = f"in '{next(iter(namespaces))}'" if within else "in all namespaces"
        self._deployments = Following(
            client, f"/apis/apps/v1{within}/deployments", f"Deployments {where}", _Deployments(self), traffic
        )
        self._pods = Following(
            client, f"/api/v1{within}/pods", f"pods {where}", _Pods(self), traffic, common_selector(selectors)
        )

    def start(self, seconds: float) -> bool:
        """Begin, and wait until all that there is has been seen.

        :returns: whether it has been.
        :raises KubernetesError: when the server refuses.
        """
        for each in (self._deployments, self._pods):
            each.start()
        return self._deployments.settle(seconds) and self._pods.settle(seconds)

    def stop(self) -> None:
        self._deployments.stop()
        self._pods.stop()

    def check(self) -> None:
        """
        :raises KubernetesError: when the server refuses.
        """
        self._deployments.check()
        self._pods.check()

    @property
    def trouble(self) -> KubernetesError | None:
        """Why nothing can be seen at the moment."""
        return self._deployments.trouble or self._pods.trouble

    # Answers

    def deployment(self, name: Name) -> DeploymentSeen | None:
        with self._state.lock:
            return self._state.deployments.get(name)

    def active(self, name: Name) -> int:
        """Pods that count as replicas."""
        return self._state.active[name]

    @property
    def ready(self) -> int:
        with self._state.lock:
            return sum(self._state.ready.values())

    @property
    def came_ready(self) -> list[float]:
        """When each pod that was made since the beginning came to be ready, by our monotonic clock."""
        with self._state.lock:
            return list(self._state.came_ready)

    @property
    def seconds_to_ready(self) -> list[float]:
        """From the creation of each such pod."""
        with self._state.lock:
            return list(self._state.seconds_to_ready)

    def made_since(self, moment: float) -> Counter[float]:
        """By our monotonic clock: how many of the pods that are there were made when; as exact as the server's whole seconds."""
        with self._state.lock:
            made = Counter(each.pod.created for each in self._state.pods.values() if each.pod.active)
        # The second has begun at the time stamp; it was over at the latest when the pod was made.
        now, local_now = time.time(), self._clock()
        moments = {stamp: local_now - (now - (stamp + 1.0 - self._pods.clock_ahead)) for stamp in made}
        return Counter({min(when, local_now): made[stamp] for stamp, when in moments.items() if when >= moment})

    def forget_template(self, name: Name) -> None:
        """The template of the Deployment is about to change: what fails of its pods now is on its way out."""
        with self._state.lock:
            templates = {each.pod.template for each in self._state.pods.values() if _name(each.pod) == name}
            self._state.outdated.setdefault(name, set()).update(templates)

    def failures(self, wanted: Mapping[Name, int], ready_timeout: float) -> list[Failure]:
        """What fails now: pods whose own words say so, pods that take too long, and pods that cannot be made.

        :param wanted: the replicas that each Deployment was set to.
        :param ready_timeout: seconds from a pod's creation until it is late.
        """
        late_before = self._clock() - ready_timeout
        found: list[Failure] = []
        with self._state.lock:
            for uid in self._state.unready:
                tracked = self._state.pods[uid]
                pod = tracked.pod
                late = pod.active and tracked.first_seen < late_before
                if (pod.failing or late) and pod.template not in self._state.outdated.get(_name(pod), ()):
                    trouble = pod.trouble or Trouble("NotReady")
                    if late and not pod.failing:
                        trouble = Trouble(f"{trouble.reason}, not ready after {ready_timeout:g} s", trouble.message)
                    found.append(Failure(pod.namespace, pod.deployment, pod.name, uid, trouble))
            for name, replicas in wanted.items():
                seen = self._state.deployments.get(name)
                lacking = replicas - self._state.active[name]
                if seen and seen.refusal and lacking > 0:
                    found.append(Failure(*name, name[1], "", seen.refusal, lacking))
        return found

    # What the threads report

    def see_deployments(self, items: Iterable[Manifest]) -> None:
        fresh = {name: _read(item) for item in items if (name := _name_of(item)) in self._names}
        with self._state.lock:
            self._state.deployments = fresh

    def see_deployment(self, event: str, item: Manifest) -> None:
        name = _name_of(item)
        if name not in self._names:
            return
        with self._state.lock:
            if event == "DELETED":
                self._state.deployments.pop(name, None)
            else:
                self._state.deployments[name] = _read(item)

    def see_pods(self, items: Iterable[Manifest]) -> None:
        # Not all at once: each as it is read.
        seen = set()
        for item in items:
            pod = read_pod(item)
            if _name(pod) in self._names:
                seen.add(pod.uid)
                self._take(pod, first_seen=self._local(pod.created), ready_at=None)
        with self._state.lock:
            for uid in [uid for uid in self._state.pods if uid not in seen]:
                self._drop(uid)

    def see_pod(self, event: str, item: Manifest) -> None:
        pod = read_pod(item)
        if _name(pod) not in self._names:
            return
        if event == "DELETED":
            with self._state.lock:
                self._drop(pod.uid)
        else:
            now = self._clock()
            self._take(pod, first_seen=now, ready_at=now)

    def _take(self, pod: PodSeen, first_seen: float, ready_at: float | None) -> None:
        """
        :param ready_at: when it came to be ready, if it has; None to believe the server's time stamp.
        """
        name = _name(pod)
        state = self._state
        with state.lock:
            known = state.pods.get(pod.uid)
            was_ready = known is not None and known.pod.ready_since is not None
            began = known.first_seen if known else first_seen
            if known:
                self._drop(pod.uid)
            state.pods[pod.uid] = _Tracked(pod, began)
            state.active[name] += pod.active
            is_ready = pod.ready_since is not None
            state.ready[name] += pod.active and is_ready
            # What failed and was replaced before our time is no concern of ours.
            if not is_ready and (pod.active or (pod.failing and began >= self._begun)):
                state.unready.add(pod.uid)
            if pod.ready_since is not None and not was_ready and began >= self._begun:
                came = self._local(pod.ready_since) if ready_at is None else ready_at
                state.came_ready.append(came)
                state.seconds_to_ready.append(max(0.0, came - began))

    def _drop(self, uid: str) -> None:
        tracked = self._state.pods.pop(uid, None)
        if tracked is None:
            return
        pod = tracked.pod
        self._state.active[_name(pod)] -= pod.active
        self._state.ready[_name(pod)] -= pod.active and pod.ready_since is not None
        self._state.unready.discard(uid)

    def _local(self, stamp: float) -> float:
        """A time stamp of the server's by our monotonic clock."""
        return self._clock() - (time.time() - (stamp - self._pods.clock_ahead))


class _Deployments:
    def __init__(self, watch: RolloutWatch) -> None:
        self.listed = watch.see_deployments
        self.changed = watch.see_deployment


class _Pods:
    def __init__(self, watch: RolloutWatch) -> None:
        self.listed = watch.see_pods
        self.changed = watch.see_pod


def common_selector(selectors: Sequence[Mapping[str, str]]) -> str:
    """A label selector that chooses the pods of all of them, and few others; empty if there is none of a length that fits into a URL.

    Where all have a label of the same name, that label must have one of their values.
    """
    keys = set(selectors[0]) if selectors else set()
    keys = keys.intersection(*(set(each) for each in selectors))
    candidates = [(len(values), key, values) for key in keys if (values := sorted({each[key] for each in selectors}))]
    if not candidates:
        return ""
    # The label with the most values tells the Deployments apart best.
    _count, key, values = max(candidates)
    selector = f"{key} in ({','.join(values)})" if len(values) > 1 else f"{key}={values[0]}"
    return selector if len(selector) <= _LONGEST_SELECTOR else ""


def _read(item: Manifest) -> DeploymentSeen:
    status = item.get("status") or {}
    replicas = item["spec"].get("replicas", 1)
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    refused = conditions.get("ReplicaFailure", {})
    refusal = None
    if refused.get("status") == "True":
        refusal = Trouble(str(refused.get("reason") or "ReplicaFailure"), str(refused.get("message") or ""))
    # A Deployment that is scaled down is rolled out while it still has too many.
    complete = is_rolled_out(item) and status.get("replicas", 0) == replicas
    return DeploymentSeen(replicas, item["metadata"].get("generation", 0), complete, refusal)


def _name(pod: PodSeen) -> Name:
    return pod.namespace, pod.deployment


def _name_of(item: Manifest) -> Name:
    return str(item["metadata"].get("namespace") or ""), str(item["metadata"]["name"])
