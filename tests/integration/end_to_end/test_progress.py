# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees of a long run while it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab, running_lab

COUNT = 40
LINE = re.compile(r"^localhost \| workload_identities \| writing: (\d+) of 80", re.MULTILINE)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """So slow that the writes of a run, four of them one after the other, take at least 3.2 seconds."""
    scenario = {"latency_seconds": 0.8, "throttling": False}
    with running_lab(tmp_path_factory.mktemp("lab"), scenario) as running:
        yield running


@pytest.fixture
def play(lab: Lab, tmp_path: Path) -> Any:
    """Runs the module for identities of a name of their own; standard output and standard error apart."""
    ansible = AnsiblePlaybook(tmp_path / "ansible", lab.environment)

    def run(
        prefix: str, *, environment: Mapping[str, str] | None = None, no_log: bool = False, interval: int = 1
    ) -> subprocess.CompletedProcess[str]:
        task = {
            "name": "Federate",
            "no_log": no_log,
            "aks.virtual_nodes.workload_identities": {
                "resource_group": lab.environment["LAB_RESOURCE_GROUP"],
                "issuers": ["https://issuer.example.com/tenant/cluster/"],
                "identities": [
                    {"name": f"{prefix}-{number}", "service_accounts": [{"namespace": prefix, "name": f"app-{number}"}]}
                    for number in range(COUNT)
                ],
                "progress_interval": interval,
            },
        }
        playbook = tmp_path / f"{prefix}.json"
        content = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
        playbook.write_text(json.dumps(content), encoding="utf-8")
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [program, str(playbook)],
            env=ansible.environment_alone() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def test_lines_tell_how_far_it_is_and_standard_output_stays_what_a_callback_made_of_it(play: Any) -> None:
    done = play("as-json", environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"})

    counts = [int(count) for count in LINE.findall(done.stderr)]
    assert counts, done.stderr
    assert counts == sorted(counts)
    assert all(count < 80 for count in counts)
    (task,) = json.loads(done.stdout)["plays"][0]["tasks"]
    assert task["hosts"]["localhost"]["timing"]["writing_seconds"] >= 3.2


def test_a_task_with_no_log_tells_nothing(play: Any) -> None:
    done = play("no-log", no_log=True)

    assert "workload_identities |" not in done.stdout + done.stderr


def test_who_wants_no_lines_gets_none(play: Any) -> None:
    done = play("quiet", interval=0)

    assert "workload_identities |" not in done.stdout + done.stderr
