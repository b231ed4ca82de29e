# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods in waves, and what may go wrong meanwhile: a killed run, an API server that goes and comes back, expired watches, failing pods."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.laboratory import Lab, running_lab

DEPLOYMENTS, EACH = 8, 10
PODS = DEPLOYMENTS * EACH
# 20 pods a second: four seconds for all.
RATE, WAVE_SECONDS = 1200, 1.0
WAVE = 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path / "lab", {"pod_start_seconds": 0.3, "virtual_nodes": 2}) as running:
        yield running


@pytest.fixture
def ansible(lab: Lab, tmp_path: Path) -> AnsiblePlaybook:
    return AnsiblePlaybook(tmp_path / "ansible", lab.environment)


def deployment(number: int, image: str = "registry.example.com/idle:1", replicas: int = EACH) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": f"app-{number}"}
    amounts = {"cpu": "100m", "memory": "128Mi"}
    container = {"name": "app", "image": image, "resources": {"requests": amounts, "limits": amounts}}
    pod = {
        "nodeSelector": {"virtualization": "virtualnode2"},
        "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
    }
    annotations = {"microsoft.containerinstance.virtualnode.injectkubeproxy": "false"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{number}", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
        },
    }


@pytest.fixture
def playbook(tmp_path: Path) -> Any:
    """Makes a playbook with one task."""

    def make(**options: Any) -> Path:
        given = {
            "definitions": [deployment(number) for number in range(DEPLOYMENTS)],
            "pods_per_minute": RATE,
            "wave_seconds": WAVE_SECONDS,
            "ready_timeout": 30,
            "progress_interval": 1,
        } | options
        task = {"name": "Roll out", "aks.virtual_nodes.rollout": given}
        file = tmp_path / "rollout.json"
        file.write_text(
            json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]),
            encoding="utf-8",
        )
        return file

    return make


def pods(lab: Lab) -> list[dict[str, Any]]:
    """Those of the applications."""
    found = lab.state()["kubernetes"].get("pods", {}).values()
    return [pod for pod in found if pod["metadata"]["namespace"] == "default"]


def made_at(lab: Lab) -> list[float]:
    return sorted(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp() for pod in pods(lab))


def assert_the_rate_was_kept(lab: Lab) -> None:
    """Time stamps have whole seconds, so a stretch of so many of them is a second longer; and the controller takes a moment."""
    moments = made_at(lab)
    for length in range(1, 8):
        most = max(sum(first <= moment < first + length for moment in moments) for first in moments)
        assert most <= RATE / 60 * (length + 1) + WAVE * 1.25, f"{most} pods in {length} s"


def failing_before_the_last_wave(lab: Lab) -> int:
    """Pods that had failed when the youngest one was made; of their time stamps, which have whole seconds."""
    found = pods(lab)
    last = max(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in found)
    broken = [pod for pod in found if not is_ready(pod)]
    return sum(
        (last - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds() > 2 for pod in broken
    )


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def figures(run: PlaybookRun) -> dict[str, Any]:
    return run.result_of("rollout")["rollout"]


def test_check_mode_says_the_waves_the_run_keeps_the_rate_and_the_next_writes_nothing(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Any
) -> None:
    file = playbook()

    predicted = ansible.run(file, arguments=["--check", "--diff"])

    assert predicted.returncode == 0, predicted.output
    assert lab.writes() == []
    result = predicted.result_of("rollout")
    assert [wave["pods"] for wave in result["waves"]] == [WAVE] * (PODS // WAVE)
    assert {each["action"] for each in result["deployments"]} == {"create"}
    lab.forget_requests()

    real = ansible.run(file, arguments=["--diff"])

    assert real.returncode == 0, real.output
    assert real.result_of("rollout")["diff"] == result["diff"]
    assert_the_rate_was_kept(lab)
    found = figures(real)
    assert (found["desired"], found["ready"], found["failing"]) == (PODS, PODS, 0)
    assert found["achieved_rate"] == pytest.approx(RATE, rel=0.15)
    assert found["curve"][-1]["ready"] == PODS
    assert "| rollout | ready " in real.output
    assert all(pod["spec"]["nodeName"].startswith("virtualnode-") for pod in pods(lab))
    # Requests grow with waves and Deployments; beside them there are reads and watches.
    assert found["watches"] == 2
    assert found["requests"] <= 14 + DEPLOYMENTS + 4 * found["waves"]
    sent = [request for request in lab.requests() if request["service"] == "kubernetes"]
    # What the client asks to know the server comes on top.
    assert found["requests"] <= len(sent) <= found["requests"] + 5
    lab.forget_requests()

    again = ansible.run(file)

    assert again.returncode == 0, again.output
    assert again.changed == ()
    assert lab.writes() == []


def test_a_killed_rollout_is_taken_up_within_the_rate(ansible: AnsiblePlaybook, lab: Lab, playbook: Any) -> None:
    file = playbook()
    ansible.run_and_kill_when(file, lambda: len(pods(lab)) > 2 * WAVE)
    before = len(pods(lab))
    assert 2 * WAVE < before < PODS

    run = ansible.run(file)

    assert run.returncode == 0, run.output
    assert figures(run)["ready"] == PODS == len(pods(lab))
    assert_the_rate_was_kept(lab)


def test_broken_connections_change_nothing_in_the_end(ansible: AnsiblePlaybook, lab: Lab, playbook: Any) -> None:
    lab.inject(
        {"service": "kubernetes", "method": "GET", "path": "/deployments$", "times": 2, "every": 3, "action": "reset"},
        {"service": "kubernetes", "method": "PATCH", "times": 4, "every": 6, "action": "reset"},
        {
            "service": "kubernetes",
            "method": "PATCH",
            "times": 2,
            "every": 9,
            "status": 503,
            "body": {"message": "busy"},
        },
    )

    run = ansible.run(playbook())

    assert run.returncode == 0, run.output
    assert figures(run)["ready"] == PODS == len(pods(lab))
    assert_the_rate_was_kept(lab)


@pytest.mark.parametrize("trouble", ["the API server restarts", "the watches expire"])
def test_what_happens_to_the_api_server_midway_changes_nothing_in_the_end(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Any, trouble: str
) -> None:
    def make_it() -> None:
        while len(pods(lab)) <= 2 * WAVE:
            time.sleep(0.05)
        if trouble == "the watches expire":
            lab.compact(running_watches="expire")
        else:
            lab.restart_api_server(seconds=3)

    with ThreadPoolExecutor() as pool:
        made = pool.submit(make_it)
        run = ansible.run(playbook())
        made.result()

    assert run.returncode == 0, run.output
    assert figures(run)["ready"] == PODS == len(pods(lab))
    assert figures(run)["watches"] == 2
    assert_the_rate_was_kept(lab)


def test_it_holds_within_one_wave_when_more_fail_than_may_and_goes_on_when_that_is_put_right(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Any
) -> None:
    # One Deployment of eight has no image.
    broken = [deployment(0, image="registry.example.com/missing:1"), *map(deployment, range(1, DEPLOYMENTS))]

    held = ansible.run(playbook(definitions=broken, failure_budget="2%"))

    assert held.returncode != 0
    result = held.failures[0].result
    assert result["changed"]
    assert "pods fail, and 1 may (failure_budget 2% of 80)" in result["msg"]
    assert "ImagePull" in result["msg"]
    assert "missing:1" in result["msg"]
    assert "default/app-0-" in result["msg"]
    # The wave in which they were asked for, and at most the one that went out while they failed.
    assert result["rollout"]["waves"] <= 2
    assert sum(cause["pods"] for cause in result["causes"]) == result["rollout"]["failing"]

    righted = ansible.run(playbook(failure_budget="2%"))
    assert righted.returncode == 0, righted.output
    assert figures(righted)["ready"] == PODS


def test_five_of_a_hundred_pods_that_fail_are_held_at_two_of_a_hundred(tmp_path: Path, playbook: Any) -> None:
    scenario = {"pod_start_seconds": 0.3, "pod_failure_rate": 0.05, "pod_failures": ["image", "quota"], "pod_seed": 4}
    with running_lab(tmp_path / "lab", scenario) as failing:
        ansible = AnsiblePlaybook(tmp_path / "ansible", failing.environment)

        held = ansible.run(playbook(failure_budget="2%"))

        assert held.returncode != 0
        result = held.failures[0].result
        found = result["rollout"]
        assert found["failing"] > found["failure_budget"] == 1
        assert found["desired"] == len(pods(failing)) < PODS
        # Held in the tick in which the third failed: no wave went out after it.
        assert failing_before_the_last_wave(failing) <= found["failure_budget"]
        assert sum(cause["pods"] for cause in result["causes"]) == found["failing"]
        assert all(cause["message"] and cause["examples"] for cause in result["causes"])
        assert "Put right what is wrong and run this again" in result["msg"]


def test_pods_that_azure_has_no_quota_for_are_told_in_its_words(tmp_path: Path, playbook: Any) -> None:
    """They only wait; what Azure answered stands in their events."""
    scenario = {"pod_start_seconds": 0.3, "pod_failure_rate": 1.0, "pod_failures": ["quota"]}
    with running_lab(tmp_path / "lab", scenario) as failing:
        ansible = AnsiblePlaybook(tmp_path / "ansible", failing.environment)

        held = ansible.run(playbook(failure_budget="2%", ready_timeout=3))

        assert held.returncode != 0
        message = held.failures[0].result["msg"]
        assert "ContainerCreating, not ready after 3 s" in message
        assert "container group quota 'StandardCores' exceeded" in message


def test_what_may_fail_does_and_is_warned_of(ansible: AnsiblePlaybook, lab: Lab, playbook: Any) -> None:
    broken = [deployment(0, image="registry.example.com/missing:1", replicas=2), deployment(1), deployment(2)]

    run = ansible.run(playbook(definitions=broken, failure_budget="2", ready_timeout=3))

    assert run.returncode == 0, run.output
    result = run.result_of("rollout")
    assert (result["rollout"]["ready"], result["rollout"]["failing"]) == (2 * EACH, 2)
    assert "2 of 22 pods are not ready" in " ".join(run.output.split())


def test_the_playbook_takes_the_applications_and_says_how_it_went(ansible: AnsiblePlaybook, lab: Lab) -> None:
    amounts = {"cpu": "100m", "memory": "128Mi"}
    applications = [
        {
            "name": name,
            "namespace": "default",
            "service_account": "default",
            "deployment": {
                "image": "registry.example.com/idle:1",
                "replicas": 12,
                "resources": {"requests": amounts, "limits": amounts},
            },
        }
        for name in ("orders", "reports")
    ]
    variables = {"applications": applications, "pods_per_minute": RATE}

    run = ansible.run("playbooks/rollout.yml", variables)

    assert run.returncode == 0, run.output
    assert "24 of 24 pods are ready" in run.output
    assert Counter(pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods(lab)) == {
        "orders": 12,
        "reports": 12,
    }
    again = ansible.run("playbooks/rollout.yml", variables)
    assert (again.returncode, again.changed) == (0, ()), again.output
    # What the role does without waves finds nothing to change either.
    assert ansible.run("playbooks/workload.yml", variables).changed == ()


def test_more_pods_than_there_is_room_for_are_refused_with_numbers(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Any
) -> None:
    many = [deployment(number, replicas=300) for number in range(3)]

    run = ansible.run(playbook(definitions=many))

    assert run.returncode != 0
    message = run.failures[0].result["msg"]
    assert "adds 900 pods on virtual nodes, and there is room for 400" in message
    assert "500 places are missing, which is 3 virtual nodes of 200 pods" in message
    assert lab.writes() == []


def test_changed_templates_replace_one_deployment_after_the_other_and_scaling_down_goes_before_growth(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Any
) -> None:
    assert ansible.run(playbook()).returncode == 0
    newer = [deployment(number, image="registry.example.com/idle:2") for number in range(DEPLOYMENTS)]

    replaced = ansible.run(playbook(definitions=newer))

    assert replaced.returncode == 0, replaced.output
    assert {wave["deployments"] for wave in replaced.result_of("rollout")["waves"]} == {2}
    images = Counter(pod["spec"]["containers"][0]["image"] for pod in pods(lab))
    assert images == {"registry.example.com/idle:2": PODS}

    scaled = [{"namespace": "default", "name": f"app-{number}", "replicas": 0 if number else 30} for number in range(3)]
    lab.forget_requests()

    run = ansible.run(playbook(definitions=[], deployments=scaled))

    assert run.returncode == 0, run.output
    owners = Counter(pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods(lab))
    assert (owners["app-0"], owners["app-1"], owners["app-2"]) == (30, 0, 0)
    writes = [write["path"] for write in lab.writes()]
    assert all(path.endswith("/scale") for path in writes)
    assert "app-0" not in writes[0]
