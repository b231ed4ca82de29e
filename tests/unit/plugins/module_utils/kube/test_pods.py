# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.pods import Trouble, alike, read_pod, why_not_ready

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:10Z"}


def pod(**status: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "orders-5d9c7b6f4d", "controller": True}
    metadata = {
        "namespace": "shop",
        "name": "orders-5d9c7b6f4d-2x8vq",
        "uid": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"pod-template-hash": "5d9c7b6f4d"},
        "ownerReferences": [owner],
    }
    return {"metadata": metadata, "spec": {}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def test_a_ready_pod_has_no_trouble_and_knows_its_deployment():
    seen = read_pod(pod(phase="Running", conditions=[READY]))

    assert (seen.namespace, seen.deployment, seen.template) == ("shop", "orders", "5d9c7b6f4d")
    assert seen.ready_since == seen.created + 10
    assert (seen.active, seen.failing, seen.trouble) == (True, False, None)


@pytest.mark.parametrize(
    "reason", ["ImagePullBackOff", "ErrImagePull", "CrashLoopBackOff", "CreateContainerConfigError"]
)
def test_a_container_that_will_not_start_by_waiting_fails(reason):
    seen = read_pod(pod(phase="Pending", containerStatuses=[waiting(reason, "why")]))

    assert seen.failing
    assert seen.trouble == Trouble(reason, "why")


def test_a_container_that_is_being_made_does_not_fail():
    seen = read_pod(pod(phase="Pending", containerStatuses=[waiting("ContainerCreating")]))

    assert not seen.failing
    assert seen.trouble == Trouble("ContainerCreating")


def test_the_container_that_fails_is_named_before_the_one_that_only_waits():
    statuses = [waiting("PodInitializing"), waiting("ImagePullBackOff", "no such image")]

    assert why_not_ready({"containerStatuses": statuses}) == Trouble("ImagePullBackOff", "no such image")


def test_a_container_group_that_cannot_be_made_fails_although_the_pod_is_pending():
    seen = read_pod(pod(phase="Pending", reason="ProviderFailed", message="quota of container groups exceeded"))

    assert seen.failing
    assert seen.active
    assert str(seen.trouble) == "ProviderFailed: quota of container groups exceeded"


def test_an_evicted_pod_fails_and_is_no_replica():
    seen = read_pod(pod(phase="Failed", reason="Evicted", message="The node was low on memory."))

    assert (seen.failing, seen.active) == (True, False)


def test_a_pod_that_is_being_deleted_neither_fails_nor_counts():
    leaving = pod(phase="Pending", containerStatuses=[waiting("ImagePullBackOff")])
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"

    seen = read_pod(leaving)

    assert (seen.failing, seen.active) == (False, False)


def test_a_pod_without_a_node_waits_in_the_words_of_the_scheduler():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available",
    }

    seen = read_pod(pod(phase="Pending", conditions=[condition]))

    assert not seen.failing
    assert str(seen.trouble) == "Unschedulable: 0/3 nodes are available"


def test_a_pod_that_somebody_made_by_hand_has_no_deployment():
    by_hand = pod(phase="Running")
    del by_hand["metadata"]["ownerReferences"]

    assert read_pod(by_hand).deployment == ""


def test_messages_that_differ_in_pod_uid_and_seconds_are_alike():
    first = Trouble(
        "CrashLoopBackOff",
        "back-off 10s restarting failed container=a pod=a-1_shop(6b1f4f0e-4f5b-4d9b-9c1e-0a4b0f5e7a11)",
    )
    second = Trouble(
        "CrashLoopBackOff",
        "back-off 1m20s restarting failed container=a pod=a-2_shop(0a4b0f5e-7a11-4d9b-9c1e-6b1f4f0e4f5b)",
    )
    other = Trouble(
        "CrashLoopBackOff",
        "back-off 10s restarting failed container=b pod=a-2_shop(0a4b0f5e-7a11-4d9b-9c1e-6b1f4f0e4f5b)",
    )

    assert alike(first, "a-1") == alike(second, "a-2")
    assert alike(other, "a-2") != alike(second, "a-2")
