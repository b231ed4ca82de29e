# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers ask of pods and of status conditions."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable

from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object, now


def is_active(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and not is_over(pod)


def is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Object) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def available_in(pod: Object, seconds: int) -> float | None:
    """In how many seconds the pod will have been ready that long; 0 if it has, None if it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    return max(0.0, seconds - age(ready["lastTransitionTime"])) if seconds else 0.0


def age(timestamp: str) -> float:
    return time.time() - calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))


def condition(item: Object, type_: str) -> Object | None:
    conditions: Iterable[Object] = (item.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == type_), None)


def set_condition(conditions: list[Object], wanted: Object) -> list[Object]:
    """The conditions with one set; its transition time stays unless its status changes."""
    old = next((each for each in conditions if each["type"] == wanted["type"]), None)
    same = old is not None and old["status"] == wanted["status"]
    fresh = {"lastTransitionTime": old["lastTransitionTime"] if same and old else now(), **wanted}
    if old is None:
        return [*conditions, fresh]
    return [fresh if each is old else each for each in conditions]


def without_condition(conditions: list[Object], type_: str) -> list[Object]:
    return [each for each in conditions if each["type"] != type_]


def selects(selector: Object | None, item: Object) -> bool:
    """Whether a LabelSelector selects the object; an empty or missing one selects nothing here."""
    labels = item["metadata"].get("labels") or {}
    wanted = (selector or {}).get("matchLabels") or {}
    expressions = (selector or {}).get("matchExpressions") or []
    if not wanted and not expressions:
        return False
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        matches_expression(labels, each) for each in expressions
    )


def matches_expression(labels: dict[str, str], expression: Object) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def owner_reference(kind: Kind, owner: Object) -> Object:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
