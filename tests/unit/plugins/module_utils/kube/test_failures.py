# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.failures import Failure, causes
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.pods import Trouble
from kubernetes.client.exceptions import ApiException


class Events:
    """An API server with some events, or one that shows none to us."""

    def __init__(self, *events: dict[str, Any], refused: bool = False) -> None:
        self._events = events
        self._refused = refused
        self.asked: list[str] = []

    def request(self, _method: str, path: str, **options: Any) -> Any:
        self.asked.append(f"{path}?{options['field_selector']}")
        if self._refused:
            raise ApiException(status=403, reason="Forbidden")
        return SimpleNamespace(data=json.dumps({"items": self._events}))


def failure(name: str, reason: str, message: str = "") -> Failure:
    return Failure("shop", "orders", name, f"uid-{name}", Trouble(reason, message))


def test_pods_that_fail_for_the_same_cause_are_told_of_once_the_most_frequent_first() -> None:
    crash = "back-off 10s restarting failed container=app pod={}_shop"
    crashing = [failure(name, "CrashLoopBackOff", crash.format(name)) for name in ("pod-5", "pod-4", "pod-3", "pod-2")]

    found = causes(Events(), [failure("pod-1", "ProviderFailed", "quota exceeded"), *crashing])

    assert [(each.pods, each.reason) for each in found] == [(4, "CrashLoopBackOff"), (1, "ProviderFailed")]
    assert found[0].examples == ("shop/pod-2", "shop/pod-3", "shop/pod-4")
    assert str(found[1]) == "1 pod: ProviderFailed: quota exceeded (e.g. shop/pod-1)"


def test_where_a_pod_says_nothing_the_last_warning_does() -> None:
    server = Events(
        {"metadata": {}, "lastTimestamp": "2026-01-01T00:00:01Z", "message": "the first"},
        {"metadata": {}, "lastTimestamp": "2026-01-01T00:00:09Z", "message": 'secret "token" not found'},
    )

    (found,) = causes(server, [failure("a", "ContainerCreating"), failure("b", "ContainerCreating")])

    assert found.message == 'secret "token" not found'
    assert server.asked == ["/api/v1/namespaces/shop/events?involvedObject.uid=uid-a,type=Warning"]


def test_without_the_right_to_read_events_the_reason_has_to_do() -> None:
    (found,) = causes(Events(refused=True), [failure("a", "ContainerCreating")])

    assert str(found) == "1 pod: ContainerCreating (e.g. shop/a)"


def test_no_more_than_five_causes_are_told_of_and_asked_about() -> None:
    server = Events()

    assert len(causes(server, [failure(str(number), f"Reason{number}") for number in range(20)])) == 5
    assert len(server.asked) == 5
