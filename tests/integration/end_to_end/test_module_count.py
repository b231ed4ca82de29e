# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs does not grow with the number of applications: nothing loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.laboratory import Lab


def invocations(run: PlaybookRun) -> Counter[str]:
    assert run.returncode == 0, run.output
    return Counter(task.action for task in run.module_invocations)


def test_ten_applications_run_as_many_modules_as_one(
    ansible: AnsiblePlaybook,
    lab: Lab,
    site_variables: dict[str, Any],
    applications: Callable[[int], list[dict[str, Any]]],
) -> None:
    given = {name: site_variables[name] for name in ("resource_group", "cluster_name")}
    of_one = invocations(ansible.run("playbooks/site.yml", given | {"applications": applications(1)}))
    of_ten = invocations(ansible.run("playbooks/site.yml", given | {"applications": applications(10)}))
    assert of_ten == of_one
    assert of_one["aks.virtual_nodes.workload_identities"] == 2, "once to check the input, once to do it"


def test_ten_applications_are_torn_down_by_as_many_modules_as_one(
    ansible: AnsiblePlaybook,
    lab: Lab,
    site_variables: dict[str, Any],
    applications: Callable[[int], list[dict[str, Any]]],
) -> None:
    given = {name: site_variables[name] for name in ("resource_group", "cluster_name")} | {"delete_identities": True}
    of_ten = invocations(ansible.run("playbooks/teardown.yml", given | {"applications": applications(10)}))
    of_one = invocations(ansible.run("playbooks/teardown.yml", given | {"applications": applications(1)}))
    assert of_ten == of_one
