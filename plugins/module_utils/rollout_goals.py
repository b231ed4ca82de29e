# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout shall reach, from what is there: each Deployment's replicas, the waves, and whether there is room."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import kubernetes_objects
from .change import Change, State, States
from .errors import ConfigurationError
from .kube.objects import Manifest, ObjectClient, ObjectKey
from .kube.virtual_nodes import read_fleet
from .plan.manifests import shown, with_created_label
from .plan.rollout import Pace, Step, Target, Wave, after, failure_budget, forecast
from .plan.virtual_nodes import PODS_PER_NODE, SELECTOR, Fleet

_NODE_LABEL, _EQUALS, _NODE_VALUE = SELECTOR.partition("=")


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
class Goals:
    """
    :ivar changes: what becomes of each Deployment, by the key's text; of those that change.
    :ivar targets: how far each Deployment is on its way; they move as it is carried out.
    :ivar wishes: whole manifests, of those that were given as such.
    :ivar selectors: C(matchLabels) of each.
    :ivar before: replicas that each had; None for one that was not there.
    :ivar waves: the forecast.
    :ivar budget: pods that may fail.
    :ivar room: figures of the room on virtual nodes, if it was looked at.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    targets: dict[ObjectKey, Target[ObjectKey]] = field(default_factory=dict)
    wishes: dict[ObjectKey, Manifest] = field(default_factory=dict)
    selectors: dict[ObjectKey, Mapping[str, str]] = field(default_factory=dict)
    before: dict[ObjectKey, int | None] = field(default_factory=dict)
    waves: list[Wave] = field(default_factory=list)
    budget: int = 0
    room: dict[str, Any] = field(default_factory=dict)

    @property
    def pods(self) -> int:
        """Pods at the end."""
        return sum(target.goal for target in self.targets.values())

    @property
    def asked(self) -> int:
        """Pods that the Deployments are set to."""
        return sum(target.asked for target in self.targets.values())

    @property
    def left(self) -> int:
        """Pods that are still to be asked for, or to be ended."""
        return sum(target.pods for target in self.targets.values())

    @property
    def all_asked(self) -> bool:
        return all(target.done for target in self.targets.values())

    def moved(self, step: Step[ObjectKey]) -> None:
        self.targets[step.key] = after(self.targets[step.key], step)


class GoalReader:
    """
    :param client: C(kubernetes.dynamic.DynamicClient).
    :param definitions: manifests of Deployments, with C(spec.replicas).
    """

    def __init__(
        self,
        client: Any,
        objects: ObjectClient,
        definitions: Sequence[Manifest],
        existing: Sequence[Existing],
        settings: Settings,
    ) -> None:
        self._client = client
        self._objects = objects
        self._definitions = definitions
        self._existing = existing
        self._settings = settings
        self._goals = Goals()
        self._on_virtual_nodes: set[ObjectKey] = set()

    def read(self) -> tuple[Goals, States]:
        """
        :returns: the goals, and what there is of the definitions.
        :raises ConfigurationError: for input that cannot be carried out, and for more pods than there is room for.
        """
        _validate(self._definitions, self._existing)
        manifests = kubernetes_objects.plan_present(self._objects, self._definitions)
        goals = self._goals
        goals.changes = {change.resource_id: change for change in [*manifests.changes, *self._take_existing()]}
        for definition in self._definitions:
            self._take_definition(definition, manifests.observed)
        goals.waves = forecast(list(goals.targets.values()), self._settings.pace)
        goals.budget = failure_budget(self._settings.failure_budget, goals.pods)
        if self._settings.check_room:
            self._check_room()
        return goals, manifests.observed

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
        change = self._goals.changes.get(str(key))
        before = observed.get(str(key))
        self._goals.wishes[key] = with_created_label(wish, before)
        asked = int(before["spec"].get("replicas", 1)) if before else 0
        replaced = bool(
            change and change.before and change.after and _template(change.before) != _template(change.after)
        )
        self._take(Target(key, asked, int(wish["spec"]["replicas"]), replaced), wish)
        if before is None:
            self._goals.before[key] = None

    def _take(self, target: Target[ObjectKey], manifest: Manifest) -> None:
        key, spec = target.key, manifest["spec"]
        self._goals.targets[key] = target
        self._goals.before[key] = target.asked
        self._goals.selectors[key] = (spec.get("selector") or {}).get("matchLabels") or {}
        pod = (spec.get("template") or {}).get("spec") or {}
        if (pod.get("nodeSelector") or {}).get(_NODE_LABEL) == _NODE_VALUE:
            self._on_virtual_nodes.add(key)

    def _check_room(self) -> None:
        targets = [self._goals.targets[key] for key in self._on_virtual_nodes]
        more = sum(max(0, target.goal - target.asked) for target in targets)
        fewer = sum(max(0, target.asked - target.goal) for target in targets)
        if not more:
            return
        fleet = read_fleet(self._client)
        room = fleet.room + fewer
        self._goals.room = {
            "pods_to_add": more,
            "pods_waiting": fleet.waiting,
            "room": room,
            "capacity": fleet.capacity,
        }
        if more + fleet.waiting > room:
            raise ConfigurationError(_no_room(fleet, more, room))


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
