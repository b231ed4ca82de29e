# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many identities at once, and what may go wrong meanwhile: a killed run, refusals, broken connections."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab, running_lab

COUNT = 40
ISSUER = "https://issuer.example.com/tenant/cluster/"
ROUNDS = 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab for each test, slow enough to be interrupted."""
    with running_lab(tmp_path / "lab", {"latency_seconds": 0.02, "throttling": False}) as running:
        yield running


@pytest.fixture
def ansible(lab: Lab, tmp_path: Path) -> AnsiblePlaybook:
    return AnsiblePlaybook(tmp_path / "ansible", lab.environment)


@pytest.fixture
def playbook(lab: Lab, tmp_path: Path) -> Path:
    """Each identity with two ServiceAccounts and a role."""
    environment = lab.environment
    identities = [
        {
            "name": f"id-{number}",
            "service_accounts": [{"namespace": "bulk", "name": f"{part}-{number}"} for part in ("front", "back")],
            "role_assignments": [{"role": "Key Vault Secrets User", "scope": environment["LAB_VAULT_ID"]}],
        }
        for number in range(COUNT)
    ]
    options = {"resource_group": environment["LAB_RESOURCE_GROUP"], "issuers": [ISSUER], "identities": identities}
    task = {"name": "All of them", "aks.virtual_nodes.workload_identities": options}
    file = tmp_path / "playbook.json"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    file.write_text(json.dumps([play]), encoding="utf-8")
    return file


def made(lab: Lab) -> dict[str, int]:
    """How many there are of what the playbook makes; what is doubled or left over would show."""
    azure = lab.state()["azure"].values()
    types = [str(each.get("type", "")).rsplit("/", 1)[-1] for each in azure]
    return {
        name: types.count(name)
        for name in ("userAssignedIdentities", "federatedIdentityCredentials", "roleAssignments")
    }


# The lab's operator owns the subscription by a role assignment as well.
WANTED = {
    "userAssignedIdentities": COUNT,
    "federatedIdentityCredentials": 2 * COUNT,
    "roleAssignments": COUNT + 1,
}


def trusts(lab: Lab) -> set[tuple[str, str]]:
    credentials = (each for each in lab.state()["azure"].values() if str(each.get("type")).endswith("Credentials"))
    return {(each["id"].split("/")[-3], each["properties"]["subject"]) for each in credentials}


def test_a_run_that_is_killed_at_any_moment_is_taken_up_by_the_next(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Path
) -> None:
    moments = random.Random(20261124)
    # Until the first write, about; machines differ.
    start = ansible.run(playbook, arguments=["--check"]).seconds
    progress = []
    for _round in range(ROUNDS):
        ansible.run_and_kill(playbook, after_seconds=moments.uniform(0.5 * start, 1.7 * start))
        progress.append(sum(made(lab).values()))
    assert progress[-1] > 1, "no run came as far as to write something"
    assert progress == sorted(progress)
    run = ansible.run(playbook)
    assert run.returncode == 0, run.output
    assert made(lab) == WANTED
    assert len(trusts(lab)) == 2 * COUNT
    again = ansible.run(playbook)
    assert again.changed == (), again.output


def test_refusals_and_broken_connections_change_nothing_in_the_end(
    ansible: AnsiblePlaybook, lab: Lab, playbook: Path
) -> None:
    concurrent = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
    unavailable = {"error": {"code": "ServiceUnavailable", "message": "The service is busy."}}
    lab.inject(
        {
            "service": "arm",
            "method": "PUT",
            "path": "(?i)/federatedIdentityCredentials/",
            "times": None,
            "every": 2,
            "status": 409,
            "body": {"error": {"code": concurrent, "message": "Too many are written concurrently."}},
        },
        {
            "service": "arm",
            "times": None,
            "every": 10,
            "status": 503,
            "headers": {"Retry-After": "1"},
            "body": unavailable,
        },
        {"service": "arm", "times": None, "every": 50, "action": "reset"},
    )
    run = ansible.run(playbook)
    assert run.returncode == 0, run.output
    statuses = {request["status"] for request in lab.requests() if request["service"] == "arm"}
    assert {0, 409, 503} <= statuses, "the faults did not happen"
    lab.forget_faults()
    assert made(lab) == WANTED
    assert ansible.run(playbook).changed == ()


def test_one_that_fails_does_not_lose_the_others(ansible: AnsiblePlaybook, lab: Lab, playbook: Path) -> None:
    forbidden = {"error": {"code": "RequestDisallowedByPolicy", "message": "Resource 'id-7' was disallowed by policy."}}
    lab.inject({"service": "arm", "method": "PUT", "path": "/id-7$", "times": None, "status": 403, "body": forbidden})
    run = ansible.run(playbook)
    assert run.returncode != 0
    result = run.failures[0].result
    assert re.search("1 of .* changes failed", result["msg"])
    assert [failure["error_code"] for failure in result["failures"]] == ["RequestDisallowedByPolicy"]
    assert result["changed"]
    assert made(lab)["userAssignedIdentities"] == COUNT - 1
    lab.forget_faults()
    rest = ansible.run(playbook)
    assert rest.returncode == 0, rest.output
    assert made(lab) == WANTED


def test_the_second_run_reads_once_for_each_identity(ansible: AnsiblePlaybook, lab: Lab, playbook: Path) -> None:
    assert ansible.run(playbook).returncode == 0
    lab.forget_requests()
    run: Any = ansible.run(playbook)
    assert run.changed == ()
    reads = [request for request in lab.requests() if request["service"] == "arm" and request["method"] == "GET"]
    pages = COUNT // 20 + 1
    assert lab.writes() == []
    # Metadata, the role's definition, the pages of the identities and of the role assignments, and one list for each identity.
    assert len(reads) <= COUNT + 2 + 2 * (pages + 1)
