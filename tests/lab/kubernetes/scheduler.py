# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler: a node for each pod, or why there is none."""

from __future__ import annotations

import json
from collections import Counter

from lab.kubernetes.index import Index
from lab.kubernetes.pods import condition, is_active, matches_expression, set_condition
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import NODE, POD
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

COMPONENT = "default-scheduler"
# Nodes and pods that change let those without a node try again, all at once.
TRY_AGAIN_SECONDS = 1.0
DEFAULT_PODS = 110

UNSCHEDULABLE = "node(s) were unschedulable"
SELECTOR = "node(s) didn't match Pod's node affinity/selector"
TOO_MANY = "Too many pods"


class Scheduler:
    def __init__(self, store: Store, index: Index, recorder: Recorder) -> None:
        self._store = store
        self._index = index
        self._recorder = recorder
        self._without_node: dict[tuple[str, str], None] = {}
        # Why nodes do not take pods of a kind, room apart; until a node changes.
        self._fitness: dict[str, dict[str, str]] = {}
        self.queue = WorkQueue(self._reconcile)
        self._again = WorkQueue(self._try_all)

    def queues(self) -> list[WorkQueue]:
        return [self.queue, self._again]

    def start(self) -> None:
        for pod in self._store.list(POD):
            self.queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def follow(self, event: Event) -> None:
        if event.kind is NODE and (event.type != "MODIFIED" or _offer(event.old or {}) != _offer(event.object)):
            self._fitness.clear()
        if event.kind is NODE or (event.kind is POD and event.type == "DELETED"):
            if self._without_node:
                self._again.add_after("all", TRY_AGAIN_SECONDS)
        elif event.kind is POD and not event.object["spec"].get("nodeName"):
            self.queue.add((event.namespace, event.object["metadata"]["name"]))

    def _try_all(self, _key: str) -> None:
        for key in self._without_node:
            self.queue.add(key)

    def _reconcile(self, key: tuple[str, str]) -> None:
        pod = self._store.find(POD, *key)
        self._without_node.pop(key, None)
        if pod is None or pod["spec"].get("nodeName") or not is_active(pod):
            return
        refusals = self._refusals(pod)
        fitting = [name for name, why in refusals.items() if not why]
        if fitting:
            self._bind(key, pod, min(fitting, key=self._index.pods_on_node))
        else:
            self._without_node[key] = None
            self._refuse(key, pod, list(refusals.values()))

    def _refusals(self, pod: Object) -> dict[str, str]:
        """Why each node does not take the pod; empty for one that does."""
        spec = pod["spec"]
        demand = json.dumps([spec.get(each) for each in ("nodeSelector", "affinity", "tolerations")])
        fitness = self._fitness.get(demand)
        if fitness is None:
            nodes = self._store.list(NODE)
            fitness = self._fitness[demand] = {node["metadata"]["name"]: _refusal(spec, node) for node in nodes}
        return {name: why or self._full(name) for name, why in fitness.items()}

    def _full(self, name: str) -> str:
        node = self._store.get(NODE, "", name)
        room = int((node["status"].get("allocatable") or {}).get("pods", DEFAULT_PODS))
        return "" if self._index.pods_on_node(name) < room else TOO_MANY

    def _bind(self, key: tuple[str, str], pod: Object, node: str) -> None:
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": _scheduled(pod, {"status": "True"})}
        pod = self._store.update(POD, bound, owned=True)
        message = f"Successfully assigned {key[0]}/{key[1]} to {node}"
        self._recorder.record(POD, pod, "Normal", "Scheduled", message, COMPONENT)

    def _refuse(self, key: tuple[str, str], pod: Object, refusals: list[str]) -> None:
        message = _message(refusals)
        said = condition(pod, "PodScheduled")
        if said is not None and said.get("message") == message:
            return
        unschedulable = {"status": "False", "reason": "Unschedulable", "message": message}
        pod = self._store.set_status(POD, pod, _scheduled(pod, unschedulable))
        self._recorder.record(POD, pod, "Warning", "FailedScheduling", message, COMPONENT)


_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def _offer(node: Object) -> tuple[object, object]:
    """What makes a node fit for a pod."""
    return (node.get("metadata") or {}).get("labels"), node.get("spec")


def _refusal(spec: Object, node: Object) -> str:
    """Why the node does not take the pod, be there room or not; empty if it does."""
    tolerations = spec.get("tolerations") or []
    if node["spec"].get("unschedulable") and not _tolerated(_CORDONED, tolerations):
        return UNSCHEDULABLE
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not _tolerated(taint, tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return "" if _selected(spec, node) else SELECTOR


def _scheduled(pod: Object, values: Object) -> Object:
    """The status of the pod, with this said of its scheduling."""
    status = {"phase": "Pending", **(pod.get("status") or {})}
    wanted = {"type": "PodScheduled", "lastProbeTime": None, **values}
    return {**status, "conditions": set_condition(status.get("conditions") or [], wanted)}


def _tolerated(taint: Object, tolerations: list[Object]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    same = exists or toleration.get("value", "") == taint.get("value", "")
    return toleration["key"] == taint["key"] and same


def _selected(spec: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        all(matches_expression(labels, each) for each in term.get("matchExpressions") or [])
        for term in required["nodeSelectorTerms"]
        if term.get("matchExpressions")
    )


def _message(refusals: list[str]) -> str:
    if not refusals:
        return "no nodes available to schedule pods"
    available = f"0/{len(refusals)} nodes are available"
    reasons = ", ".join(sorted(f"{count} {why}" for why, count in Counter(refusals).items()))
    # Only a pod that goes could make room, and all have the same priority.
    full = refusals.count(TOO_MANY)
    preemption = {"No preemption victims found for incoming pod": full}
    preemption["Preemption is not helpful for scheduling"] = len(refusals) - full
    why_not = ", ".join(sorted(f"{count} {why}" for why, count in preemption.items() if count))
    return f"{available}: {reasons}. preemption: {available}: {why_not}."
