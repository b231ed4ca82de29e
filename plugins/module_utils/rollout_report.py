# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rollout goes, for the operator while it runs and for the result when it ends."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .change import Change
from .kube.failures import Cause
from .kube.objects import ObjectKey
from .kube.rollout_watch import RolloutWatch
from .kube.watching import Traffic
from .plan.rollout import Ask, Pace
from .plan.rollout_figures import Point, percentile, rate_per_minute, thinned
from .progress import duration
from .rollout_goals import Goals

_MOST_POINTS = 60
_MOST_WAVES = 200


@dataclass
class Course:
    """What happened so far.

    :ivar begun: by the rollout's clock, as all moments.
    :ivar moved: when anything was last asked for or came ready.
    :ivar waves: how many were sent.
    """

    begun: float
    moved: float = 0.0
    waves: int = 0
    asks: list[Ask] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def describe(goals: Goals, course: Course, watch: RolloutWatch, now: float) -> str:
    """A line such as C(ready 640 of 2,400 (wave 7 of 24), 985 a minute, 3 failed, 1 min 46 s left)."""
    last = course.points[-1]
    waves = max(len(goals.waves), course.waves)
    parts = [f"ready {last.ready:,} of {goals.pods:,} (wave {course.waves:,} of {waves:,})"]
    first = next(point for point in course.points if point.seconds >= last.seconds - 60.5)
    if last.seconds > first.seconds and last.ready > first.ready:
        per_minute = (last.ready - first.ready) / (last.seconds - first.seconds) * 60
        parts.append(f"{per_minute:,.0f} a minute")
    if last.failed:
        parts.append(f"{last.failed:,} failed")
    if trouble := watch.trouble:
        parts.append(f"nothing is seen at the moment: {trouble}")
    elif goals.waves and (left := goals.waves[-1].seconds - (now - course.begun)) > 0:
        parts.append(f"{duration(left)} left")
    elif last.ready < goals.pods:
        parts.append("all asked for")
    return ", ".join(parts)


def report(goals: Goals, course: Course, watch: RolloutWatch | None, pace: Pace, traffic: Traffic) -> dict[str, Any]:
    """The module's result.

    :param watch: None before the first wave, as in check mode: then without figures.
    """
    told: dict[str, Any] = {
        "deployments": [_deployment(goals, key, goals.changes.get(str(key))) for key in goals.targets],
        "waves": [
            {"seconds": round(wave.seconds, 1), "pods": wave.pods, "deployments": wave.deployments}
            for wave in goals.waves[:_MOST_WAVES]
        ],
        "room": goals.room,
    }
    if watch is not None:
        told["rollout"] = _figures(goals, course, watch, pace, traffic)
        told["causes"] = [
            {"pods": each.pods, "reason": each.reason, "message": each.message, "examples": list(each.examples)}
            for each in course.causes
        ]
    if course.warnings:
        told["warnings"] = course.warnings
    return told


def listed(causes: Sequence[Cause]) -> str:
    return "; ".join(str(each) for each in causes)


def _deployment(goals: Goals, key: ObjectKey, change: Change | None) -> dict[str, Any]:
    return {
        "namespace": key.namespace,
        "name": key.name,
        "before": goals.before[key],
        "replicas": goals.targets[key].goal,
        "action": str(change.action) if change else "none",
    }


def _figures(goals: Goals, course: Course, watch: RolloutWatch, pace: Pace, traffic: Traffic) -> dict[str, Any]:
    waited = watch.seconds_to_ready
    last = course.points[-1] if course.points else Point(0.0, 0, 0, 0)
    return {
        "pods": goals.pods,
        "desired": last.desired,
        "ready": last.ready,
        "failing": last.failed,
        "failure_budget": goals.budget,
        "waves": course.waves,
        "seconds": round(last.seconds, 1),
        "asked_rate": pace.pods_per_minute,
        "achieved_rate": _rounded(rate_per_minute(watch.came_ready, pace.wave)),
        "p50_ready_s": _rounded(percentile(waited, 0.5)),
        "p95_ready_s": _rounded(percentile(waited, 0.95)),
        "requests": traffic.requests,
        "watches": traffic.most_watches,
        "peak_memory_mib": _peak_memory_mib(),
        "curve": [
            {"seconds": round(point.seconds, 1), "desired": point.desired, "ready": point.ready}
            for point in thinned(course.points, _MOST_POINTS)
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _peak_memory_mib() -> float:
    # Linux says KiB, macOS bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
