# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until Deployments are rolled out, and saying what holds them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import NotReady
from ..waiting import Deadline
from .objects import Manifest, ObjectClient, ObjectKey
from .pods import why_not_ready


def wait_for_rollouts(client: ObjectClient, deployments: Iterable[ObjectKey], deadline: Deadline) -> None:
    """Wait by watching, one watch at a time, until every Deployment has all its replicas up to date and available.

    :raises NotReady: at the deadline, with the reasons of the pods that are not ready.
    """
    pending = set(deployments)
    states: dict[ObjectKey, Manifest] = {}
    while pending:
        first = min(pending)
        _watch_namespace(client, first, pending, states, deadline)
        if pending and deadline.over:
            raise NotReady(_explain(client, pending, states, deadline))


def _watch_namespace(
    client: ObjectClient,
    first: ObjectKey,
    pending: set[ObjectKey],
    states: dict[ObjectKey, Manifest],
    deadline: Deadline,
) -> None:
    for state in client.watch(first, deadline.remaining):
        key = ObjectKey(first.api_version, first.kind, first.namespace, state["metadata"]["name"])
        if key in pending:
            states[key] = state
            if is_rolled_out(state):
                pending.discard(key)
        if deadline.over or not any(each.namespace == first.namespace for each in pending):
            return


def is_rolled_out(deployment: Manifest) -> bool:
    """The rule of C(kubectl rollout status)."""
    status: Mapping[str, Any] = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return False
    updated = status.get("updatedReplicas", 0)
    return bool(
        updated >= wanted and status.get("replicas", 0) <= updated and status.get("availableReplicas", 0) >= updated
    )


def _explain(
    client: ObjectClient, pending: set[ObjectKey], states: Mapping[ObjectKey, Manifest], deadline: Deadline
) -> str:
    lines = []
    for key in sorted(pending):
        state = states.get(key)
        if state is None:
            lines.append(f"{key}: was not seen")
            continue
        available = (state.get("status") or {}).get("availableReplicas", 0)
        reasons = _reasons(client.pods(key.namespace, state["spec"]["selector"].get("matchLabels") or {}))
        why = "; ".join(f"{count} pods {reason}" for reason, count in reasons.most_common(5)) or "it has no pods yet"
        lines.append(f"{key}: {available} of {state['spec'].get('replicas', 1)} replicas available; {why}")
    return f"Not rolled out after {deadline.elapsed:.0f} s. " + " | ".join(lines)


def _reasons(pods: Iterable[Manifest]) -> Counter[str]:
    return Counter(str(why) for pod in pods if (why := why_not_ready(pod.get("status") or {})))
