# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod says of itself: whether it is ready, why it is not, and what of it is worth keeping; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Why a container waits that will not start by waiting alone; every other reason is a step on the way.
_TROUBLES = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "PostStartHookError",
        "PreCreateHookError",
        "PreStartHookError",
        "RegistryUnavailable",
        "RunContainerError",
    }
)
# Virtual Kubelet leaves a pod Pending with this reason when the container group could not be made (node/pod.go).
_PROVIDER_FAILED = "ProviderFailed"
_HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    :ivar reason: in one word, C(ImagePullBackOff).
    :ivar message: the runtime's or the scheduler's own words; may be empty.
    """

    reason: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


@dataclass(frozen=True, slots=True)
class PodSeen:
    """The few bytes that are kept of each pod.

    :ivar deployment: name of its Deployment; empty if it has none.
    :ivar template: the hash of the template that it was made from.
    :ivar created: seconds since the epoch, in whole seconds, by the API server's clock.
    :ivar ready_since: the same; None while it is not ready.
    :ivar active: whether it counts as a replica: neither over nor being deleted.
    :ivar failing: whether waiting alone will not help.
    :ivar trouble: why it is not ready; None for a ready pod.
    """

    uid: str
    namespace: str
    name: str
    deployment: str
    template: str
    created: float
    ready_since: float | None
    active: bool
    failing: bool
    trouble: Trouble | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_pod(pod: Mapping[str, Any]) -> PodSeen:
    metadata, status = pod["metadata"], pod.get("status") or {}
    deployment, template = _owner(metadata)
    trouble, failing = _trouble(status)
    leaving = "deletionTimestamp" in metadata
    return PodSeen(
        uid=str(metadata.get("uid") or ""),
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        deployment=deployment,
        template=template,
        created=seconds_of(metadata.get("creationTimestamp")) or 0.0,
        ready_since=_ready_since(status),
        active=status.get("phase") not in ("Succeeded", "Failed") and not leaving,
        failing=failing and not leaving,
        trouble=trouble,
    )


def why_not_ready(status: Mapping[str, Any]) -> Trouble | None:
    """In the words of the scheduler or the container runtime; None for a ready pod."""
    return _trouble(status)[0]


def seconds_of(timestamp: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 timestamp; None without one."""
    return datetime.fromisoformat(str(timestamp)).timestamp() if timestamp else None


def alike(trouble: Trouble, pod: str) -> tuple[str, str]:
    """What troubles of one cause have in common: messages name the pod, its uid and growing numbers of seconds."""
    message = trouble.message.replace(pod, "*")
    message = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*", message)
    return trouble.reason, re.sub(r"\b(?:\d+(?:\.\d+)?(?:h|m|s|ms))+\b", "*", message)


def _owner(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Deployment and template hash: a Deployment calls its ReplicaSets by its own name and the hash."""
    digest = (metadata.get("labels") or {}).get(_HASH_LABEL)
    for owner in metadata.get("ownerReferences") or []:
        if digest and owner.get("controller") and owner["kind"] == "ReplicaSet" and owner["name"].endswith(digest):
            return str(owner["name"]).removesuffix(f"-{digest}"), str(digest)
    return "", ""


def _ready_since(status: Mapping[str, Any]) -> float | None:
    for condition in status.get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return seconds_of(condition.get("lastTransitionTime")) or 0.0
    return None


def _trouble(status: Mapping[str, Any]) -> tuple[Trouble | None, bool]:
    """Why it is not ready, and whether waiting alone will not help."""
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return None, False
    if status.get("phase") == "Failed" or status.get("reason") == _PROVIDER_FAILED:
        reason = status.get("reason") or next(_stopped(status), {}).get("reason") or "Failed"
        return Trouble(str(reason), str(status.get("message") or next(_stopped(status), {}).get("message") or "")), True
    stopped = list(_stopped(status))
    # One that will not start tells more than one that only comes after it.
    stopped.sort(key=lambda state: state.get("reason") not in _TROUBLES)
    if stopped:
        reason = str(stopped[0].get("reason") or "waiting")
        return Trouble(reason, str(stopped[0].get("message") or "")), reason in _TROUBLES
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Trouble(str(scheduled.get("reason") or "Unschedulable"), str(scheduled.get("message") or "")), False
    return Trouble(str(status.get("reason") or status.get("phase") or "not started")), False


def _stopped(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The states of the containers that do not run, init containers first; those that ended well are no obstacle."""
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        state = container.get("state") or {}
        ended = state.get("terminated")
        if stopped := state.get("waiting") or (ended if ended and ended.get("exitCode") else None):
            yield stopped
