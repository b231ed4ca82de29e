# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/site.yml and teardown.yml from an empty cloud: predicted, made, repeated, removed.

The tests of this file follow each other on one lab, as an operator's day does.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun, TaskOutcome
from harness.fixtures import EXAMPLE
from harness.laboratory import Lab

UNKNOWN = "(known after apply)"


@pytest.fixture(scope="module")
def day(lab: Lab) -> dict[str, Any]:
    """What a test leaves for those after it."""
    return {"state before": settled(lab.state())}


def settled(state: Any) -> Any:
    """The lab's state without what every write renews."""
    if isinstance(state, dict):
        renewed = ("etag", "eTag", "resourceVersion", "time", "pid", "requests", "uid")
        return {key: settled(value) for key, value in state.items() if key not in renewed}
    if isinstance(state, list):
        return [settled(item) for item in state]
    return state


def play(ansible: AnsiblePlaybook, playbook: str, variables: dict[str, Any], *arguments: str) -> PlaybookRun:
    return ansible.run(f"playbooks/{playbook}", variables, vars_files=[EXAMPLE], arguments=arguments)


def differences(task: TaskOutcome) -> list[Any]:
    """What `--diff` showed of a task, a list whatever the module gave."""
    diff = task.result.get("diff", [])
    return diff if isinstance(diff, list) else [diff]


def keeps(prediction: Any, real: Any) -> bool:
    """Whether it came as predicted; what could not be known before may be anything."""
    if isinstance(prediction, dict) and isinstance(real, dict):
        return prediction.keys() == real.keys() and all(keeps(value, real[name]) for name, value in prediction.items())
    if isinstance(prediction, list) and isinstance(real, list):
        return len(prediction) == len(real) and all(map(keeps, prediction, real))
    if isinstance(prediction, str) and isinstance(real, str):
        pattern = ".+".join(re.escape(part) for part in prediction.split(UNKNOWN))
        return re.fullmatch(pattern, real, re.DOTALL) is not None
    return bool(prediction == real)


def summary(run: PlaybookRun) -> list[tuple[str, int]]:
    return [(task.task, len(differences(task))) for task in run.changed]


def test_check_mode_on_an_empty_cloud_predicts_and_writes_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", site_variables, "--check", "--diff")
    assert run.returncode == 0, run.output
    assert [task.action.rpartition(".")[2] for task in run.changed] == [
        "cluster_features",
        "workload_identities",
        "kubernetes_objects",
        "kubernetes_objects",
    ]
    assert all(differences(task) for task in run.changed), run.output
    assert quiet_lab.requests(), "the plan was made without reading anything"
    assert quiet_lab.writes() == []
    assert settled(quiet_lab.state()) == day["state before"]
    day["predicted"] = run


def test_the_real_run_makes_exactly_what_was_predicted(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", site_variables, "--diff")
    assert run.returncode == 0, run.output
    assert summary(run) == summary(day["predicted"])
    for predicted, real in zip(day["predicted"].changed, run.changed, strict=True):
        assert keeps(differences(predicted), differences(real)), (predicted.task, differences(real))
    assert quiet_lab.writes(), "the request log shows no write of a run that changed something"


def test_each_service_account_is_proven(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any]
) -> None:
    run = play(ansible, "workload_identity.yml", site_variables)
    assert run.returncode == 0, run.output
    checks = run.result_of("workload_identity_check")["checks"]
    assert [check["subject"] for check in checks] == ["system:serviceaccount:greetings:keyvault-reader"]
    assert all(check["valid"] for check in checks)


def test_the_second_run_changes_and_writes_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", site_variables, "--diff")
    assert run.returncode == 0, run.output
    assert " changed=0 " in run.recap
    assert quiet_lab.writes() == []


@pytest.mark.parametrize("playbook", ["cluster.yml", "workload_identity.yml", "workload.yml"])
def test_each_step_alone_changes_nothing_after_site(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], playbook: str
) -> None:
    run = play(ansible, playbook, site_variables)
    assert run.returncode == 0, run.output
    assert run.changed == ()
    assert quiet_lab.writes() == []


def test_check_mode_of_teardown_writes_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "teardown.yml", site_variables, "--check", "--diff")
    assert run.returncode == 0, run.output
    assert quiet_lab.writes() == []
    day["predicted teardown"] = run


def test_teardown_removes_what_was_predicted_and_keeps_the_identity(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "teardown.yml", site_variables, "--diff")
    assert run.returncode == 0, run.output
    assert summary(run) == summary(day["predicted teardown"])
    deleted = [request["path"] for request in quiet_lab.writes() if request["method"] == "DELETE"]
    assert any("federatedidentitycredentials" in path.lower() for path in deleted)
    assert not any(path.lower().endswith("/userassignedidentities/id-keyvault-reader") for path in deleted)


def test_teardown_deletes_the_identity_when_asked(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any]
) -> None:
    run = play(ansible, "teardown.yml", site_variables | {"delete_identities": True})
    assert run.returncode == 0, run.output
    assert len(run.changed) == 1
    deleted = [request["path"].lower() for request in quiet_lab.writes() if request["method"] == "DELETE"]
    assert any(path.endswith("/userassignedidentities/id-keyvault-reader") for path in deleted)


def test_a_second_teardown_finds_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any]
) -> None:
    run = play(ansible, "teardown.yml", site_variables | {"delete_identities": True})
    assert run.returncode == 0, run.output
    assert run.changed == ()
    assert quiet_lab.writes() == []
