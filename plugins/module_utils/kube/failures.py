# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why pods fail, said once for each cause and not once for each pod."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import KubernetesError
from .errors import kubernetes_errors
from .pods import Trouble, alike

# More causes than these nobody reads, and each may cost a request.
_CAUSES = 5
_EXAMPLES = 3


@dataclass(frozen=True)
class Failure:
    """
    :ivar deployment: name of the Deployment.
    :ivar name: of the pod, or of the Deployment for pods that are not there.
    :ivar uid: of the pod; empty for pods that are not there.
    :ivar pods: how many, where a Deployment lacks them.
    """

    namespace: str
    deployment: str
    name: str
    uid: str
    trouble: Trouble
    pods: int = 1

    @property
    def where(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Cause:
    """
    :ivar examples: namespace/name of some of the pods.
    """

    pods: int
    reason: str
    message: str
    examples: tuple[str, ...]

    def __str__(self) -> str:
        what = f"{self.reason}: {self.message}" if self.message else self.reason
        return f"{self.pods:,} {'pod' if self.pods == 1 else 'pods'}: {what} (e.g. {self.examples[0]})"


def causes(client: Any, failures: Iterable[Failure]) -> list[Cause]:
    """The most frequent ones, with the last warning that Kubernetes has recorded of an example where the pod itself says nothing.

    :param client: C(kubernetes.dynamic.DynamicClient).
    """
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault(alike(failure.trouble, failure.name), []).append(failure)
    ordered = sorted(groups.values(), key=lambda group: -_pods(group))[:_CAUSES]
    return [_cause(client, sorted(group, key=lambda each: each.where)) for group in ordered]


def _cause(client: Any, group: Sequence[Failure]) -> Cause:
    first = group[0]
    message = first.trouble.message or _last_warning(client, first)
    examples = tuple(each.where for each in group[:_EXAMPLES])
    return Cause(_pods(group), first.trouble.reason, message, examples)


def _pods(group: Sequence[Failure]) -> int:
    return sum(failure.pods for failure in group)


def _last_warning(client: Any, failure: Failure) -> str:
    if not failure.uid:
        return ""
    path = f"/api/v1/namespaces/{failure.namespace}/events"
    try:
        with kubernetes_errors(f"Listing the events of pod {failure.where}"):
            selector = f"involvedObject.uid={failure.uid},type=Warning"
            answer = client.request("get", path, serialize=False, field_selector=selector)
            events = json.loads(answer.data).get("items") or []
    except KubernetesError:
        # Without the right to read events, or an API server, the reason has to do.
        return ""
    newest: dict[str, Any] = max(events, key=_when, default={})
    return str(newest.get("message") or "")


def _when(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
