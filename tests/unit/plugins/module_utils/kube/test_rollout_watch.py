# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.rollout_watch import RolloutWatch, common_selector
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.watching import Traffic

ORDERS = ("shop", "orders")


class Clock:
    """Ours, as monotonic as the real one, and in step with the server's."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> RolloutWatch:
    return RolloutWatch(None, [ORDERS], [{"app": "orders"}], Traffic(), clock)


def stamp(seconds_ago: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    name: str, *, ready: bool = False, made: float = 0.0, template: str = "aaa", owner: str = "orders", **status: Any
) -> Any:
    if ready:
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp()}]
    metadata = {
        "namespace": "shop",
        "name": name,
        "uid": name,
        "creationTimestamp": stamp(made),
        "labels": {"pod-template-hash": template},
        "ownerReferences": [{"kind": "ReplicaSet", "name": f"{owner}-{template}", "controller": True}],
    }
    return {"metadata": metadata, "status": {"phase": "Pending", **status}}


def without_image(name: str, **options: Any) -> Any:
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    return pod(name, containerStatuses=[{"state": state}], **options)


def failing(watch: RolloutWatch, wanted: int = 2, ready_timeout: float = 60.0) -> list[str]:
    return sorted(f"{each.name}: {each.trouble}" for each in watch.failures({ORDERS: wanted}, ready_timeout))


def test_pods_are_counted_as_they_come_get_ready_and_go(watch: RolloutWatch) -> None:
    watch.see_pod("ADDED", pod("a"))
    watch.see_pod("ADDED", pod("b"))
    watch.see_pod("ADDED", pod("stranger", owner="reports"))
    assert (watch.active(ORDERS), watch.ready) == (2, 0)

    watch.see_pod("MODIFIED", pod("a", ready=True))
    assert (watch.active(ORDERS), watch.ready) == (2, 1)

    watch.see_pod("DELETED", pod("a", ready=True))
    assert (watch.active(ORDERS), watch.ready) == (1, 0)


def test_after_a_new_list_what_is_not_in_it_is_gone(watch: RolloutWatch) -> None:
    watch.see_pod("ADDED", pod("a", ready=True))
    watch.see_pod("ADDED", pod("b"))

    watch.see_pods(iter([pod("b", ready=True), pod("c")]))

    assert (watch.active(ORDERS), watch.ready) == (2, 1)


def test_the_time_to_ready_is_that_from_creation_to_ready_and_is_counted_once(
    watch: RolloutWatch, clock: Clock
) -> None:
    watch.see_pod("ADDED", pod("a"))
    clock.ahead += 3.0
    watch.see_pod("MODIFIED", pod("a", ready=True))
    watch.see_pod("MODIFIED", pod("a", ready=True))

    assert watch.seconds_to_ready == [pytest.approx(3.0, abs=0.5)]
    assert len(watch.came_ready) == 1


def test_pods_from_before_are_no_part_of_the_figures(watch: RolloutWatch) -> None:
    watch.see_pods(iter([pod("old", ready=True, made=3600)]))

    assert watch.ready == 1
    assert watch.came_ready == []


def test_a_pod_fails_when_it_says_so_and_when_it_is_late(watch: RolloutWatch, clock: Clock) -> None:
    watch.see_pod("ADDED", without_image("a"))
    watch.see_pod("ADDED", pod("b"))
    assert failing(watch) == ["a: ImagePullBackOff: no such image"]

    clock.ahead += 61.0

    assert failing(watch) == ["a: ImagePullBackOff: no such image", "b: Pending, not ready after 60 s"]


def test_a_pod_that_recovers_fails_no_more(watch: RolloutWatch) -> None:
    watch.see_pod("ADDED", without_image("a"))
    watch.see_pod("MODIFIED", pod("a", ready=True))

    assert failing(watch) == []


def test_pods_of_a_template_that_is_replaced_fail_no_more(watch: RolloutWatch) -> None:
    watch.see_pod("ADDED", without_image("a", template="aaa"))
    watch.forget_template(ORDERS)
    watch.see_pod("ADDED", without_image("b", template="bbb"))

    assert failing(watch) == ["b: ImagePullBackOff: no such image"]


def test_what_failed_before_and_was_replaced_is_no_failure_of_ours(watch: RolloutWatch) -> None:
    watch.see_pods(iter([pod("old", made=3600, phase="Failed", reason="Evicted")]))
    watch.see_pod("ADDED", pod("new", phase="Failed", reason="Evicted"))

    assert failing(watch) == ["new: Evicted"]


def test_pods_that_cannot_be_made_fail_in_the_words_of_the_refusal(watch: RolloutWatch) -> None:
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota: pods=1",
    }
    watch.see_deployments(
        [
            {
                "metadata": {"namespace": "shop", "name": "orders", "generation": 1},
                "spec": {"replicas": 5},
                "status": {"observedGeneration": 1, "replicas": 2, "conditions": [refused]},
            }
        ]
    )
    watch.see_pod("ADDED", pod("a"))
    watch.see_pod("ADDED", pod("b"))

    (found,) = watch.failures({ORDERS: 5}, 60.0)

    assert (found.pods, found.where, str(found.trouble)) == (3, "shop/orders", "FailedCreate: exceeded quota: pods=1")


def test_a_deployment_that_is_scaled_down_is_not_complete_while_it_has_too_many(watch: RolloutWatch) -> None:
    def state(replicas: int) -> Any:
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
        metadata = {"namespace": "shop", "name": "orders", "generation": 2}
        return {"metadata": metadata, "spec": {"replicas": 1}, "status": {"observedGeneration": 2, **counts}}

    watch.see_deployment("MODIFIED", state(3))
    assert not watch.deployment(ORDERS).complete

    watch.see_deployment("MODIFIED", state(1))
    assert watch.deployment(ORDERS).complete


def test_pods_of_the_last_minute_are_told_by_their_creation_time(watch: RolloutWatch, clock: Clock) -> None:
    watch.see_pods(iter([pod("a", made=10), pod("b", made=10), pod("c", made=300)]))

    made = watch.made_since(clock() - 60)

    assert list(made.values()) == [2]
    assert clock() - next(iter(made)) == pytest.approx(9.5, abs=1.1)


def test_pods_are_asked_for_by_the_label_that_all_deployments_have() -> None:
    selectors = [{"app": "orders", "team": "shop"}, {"app": "reports", "team": "shop"}]

    assert common_selector(selectors) == "app in (orders,reports)"
    assert common_selector(selectors[:1]) in ("app=orders", "team=shop")
    assert common_selector([{"app": "a"}, {"name": "b"}]) == ""
    assert common_selector([{"app": "a"}, {}]) == ""
    assert common_selector([{"app": f"application-number-{number}"} for number in range(500)]) == ""
