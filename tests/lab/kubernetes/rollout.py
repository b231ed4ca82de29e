# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a rolling update."""

from __future__ import annotations

import math

from lab.kubernetes.store import Object


def total(replica_sets: list[Object], field: str = "") -> int:
    """The sum of the wanted replicas, or of a count in the status."""
    if field:
        return sum((each.get("status") or {}).get(field, 0) for each in replica_sets)
    return sum(each["spec"]["replicas"] for each in replica_sets)


def bounds(deployment: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable as numbers of pods, not both zero."""
    replicas = deployment["spec"].get("replicas", 1)
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, 0
    given = strategy.get("rollingUpdate") or {}
    surge = math.ceil(_scaled(given.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_scaled(given.get("maxUnavailable", "25%"), replicas))
    return surge, min(max(unavailable, 0 if surge else 1), replicas)


def _scaled(value: int | str, replicas: int) -> float:
    text = str(value)
    return int(text[:-1]) * replicas / 100 if text.endswith("%") else int(text)


def room(deployment: Object, others: list[Object]) -> int:
    """How many pods of the present template may be there beside the others."""
    replicas = deployment["spec"].get("replicas", 1)
    return max(0, min(replicas, replicas + bounds(deployment)[0] - total(others)))


def rolling_update(deployment: Object, present: Object, others: list[Object]) -> dict[str, int]:
    """The replicas that each ReplicaSet should have now."""
    unavailable = bounds(deployment)[1]
    replicas = deployment["spec"].get("replicas", 1)
    current = present["spec"]["replicas"]
    grown = min(replicas, max(current, room(deployment, others)))
    wanted = {present["metadata"]["name"]: grown}
    new_unavailable = current - total([present], "availableReplicas")
    may_go = total([present, *others]) - (replicas - unavailable) - new_unavailable
    # First those that do not work, whichever they are; then as many as are more than the minimum.
    kept = {each["metadata"]["name"]: each["spec"]["replicas"] for each in others}
    for each in others:
        broken = kept[each["metadata"]["name"]] - total([each], "availableReplicas")
        may_go -= _take(kept, each, min(may_go, broken))
    spare = total([present, *others], "availableReplicas") - (replicas - unavailable)
    for each in others:
        spare -= _take(kept, each, min(spare, may_go))
    return wanted | kept


def _take(kept: dict[str, int], replica_set: Object, pods: int) -> int:
    name = replica_set["metadata"]["name"]
    taken = max(0, min(pods, kept[name]))
    kept[name] -= taken
    return taken
