# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Deployment's status says, in the words of the Deployment controller."""

from __future__ import annotations

from lab.kubernetes.pods import age, condition, set_condition, without_condition
from lab.kubernetes.rollout import bounds, total
from lab.kubernetes.store import Object, now

DEFAULT_DEADLINE_SECONDS = 600
# The API server sets this deadline when there shall be none.
NO_DEADLINE = 2_147_483_647


def status(deployment: Object, present: Object | None, others: list[Object]) -> Object:
    everything = [*([present] if present else []), *others]
    old = deployment.get("status") or {}
    counts = {
        "replicas": total(everything, "replicas"),
        "updatedReplicas": total([present], "replicas") if present else 0,
        "readyReplicas": total(everything, "readyReplicas"),
        "availableReplicas": total(everything, "availableReplicas"),
    }
    counts["unavailableReplicas"] = max(0, total(everything) - counts["availableReplicas"])
    fresh = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **({"collisionCount": old["collisionCount"]} if "collisionCount" in old else {}),
        **{field: count for field, count in counts.items() if count},
    }
    conditions = old.get("conditions") or []
    conditions = set_condition(conditions, _stamped(conditions, _available(deployment, fresh)))
    progress = _progressing(deployment, old, fresh, present)
    if progress is not None:
        conditions = set_condition(conditions, _stamped(conditions, progress))
    failed = condition(present, "ReplicaFailure") if present else None
    if failed is not None:
        wanted = {key: failed[key] for key in ("type", "status", "reason", "message")}
        conditions = set_condition(conditions, _stamped(conditions, wanted))
    else:
        conditions = without_condition(conditions, "ReplicaFailure")
    return {**fresh, "conditions": conditions}


def deadline_in(deployment: Object) -> float | None:
    """In how many seconds a rollout that does not move has failed."""
    progress = condition(deployment, "Progressing")
    if progress is None or progress["reason"] not in ("ReplicaSetUpdated", "NewReplicaSetCreated"):
        return None
    seconds = deployment["spec"].get("progressDeadlineSeconds", DEFAULT_DEADLINE_SECONDS)
    return None if seconds == NO_DEADLINE else max(0.0, seconds - age(progress["lastUpdateTime"])) + 1


def _stamped(conditions: list[Object], wanted: Object) -> Object:
    """With the update time of the condition as it is, if this says nothing new."""
    old = next((each for each in conditions if each["type"] == wanted["type"]), None)
    unchanged = old is not None and all(old.get(key) == value for key, value in wanted.items())
    return {"lastUpdateTime": old["lastUpdateTime"] if unchanged and old else now(), **wanted}


def _available(deployment: Object, fresh: Object) -> Object:
    minimum = deployment["spec"].get("replicas", 1) - bounds(deployment)[1]
    enough = fresh.get("availableReplicas", 0) >= minimum
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }


def _progressing(deployment: Object, old: Object, fresh: Object, present: Object | None) -> Object | None:
    said = condition(deployment, "Progressing")
    if deployment["spec"].get("paused"):
        return _progress("Unknown", "DeploymentPaused", "Deployment is paused")
    if present is None:
        return None
    name = f'ReplicaSet "{present["metadata"]["name"]}"'
    if _complete(deployment, fresh):
        return _progress("True", "NewReplicaSetAvailable", f"{name} has successfully progressed.")
    if said is None:
        return _progress("True", "NewReplicaSetCreated", f'Created new replica set "{present["metadata"]["name"]}"')
    if _moved(old, fresh):
        # Said again, so that the deadline starts anew.
        return {**_progress("True", "ReplicaSetUpdated", f"{name} is progressing."), "lastUpdateTime": now()}
    remaining = deadline_in(deployment)
    if remaining is not None and remaining <= 1:
        return _progress("False", "ProgressDeadlineExceeded", f"{name} has timed out progressing.")
    if said["reason"] in ("NewReplicaSetAvailable", "DeploymentPaused"):
        return None if said["reason"] == "NewReplicaSetAvailable" and _same_template(said, name) else _resumed(name)
    return {key: said[key] for key in ("type", "status", "reason", "message")}


def _same_template(said: Object, name: str) -> bool:
    # A pod that fails later does not make a finished rollout unfinished.
    return said["message"].startswith(name)


def _resumed(name: str) -> Object:
    return _progress("True", "ReplicaSetUpdated", f"{name} is progressing.")


def _progress(value: str, reason: str, message: str) -> Object:
    return {"type": "Progressing", "status": value, "reason": reason, "message": message}


def _complete(deployment: Object, fresh: Object) -> bool:
    replicas = deployment["spec"].get("replicas", 1)
    return all(fresh.get(field, 0) == replicas for field in ("updatedReplicas", "replicas", "availableReplicas"))


def _moved(old: Object, fresh: Object) -> bool:
    """More new pods, fewer old ones, or more that work."""

    def older(status_: Object) -> int:
        return status_.get("replicas", 0) - status_.get("updatedReplicas", 0)

    more = any(
        fresh.get(each, 0) > old.get(each, 0) for each in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return more or older(fresh) < older(old)
