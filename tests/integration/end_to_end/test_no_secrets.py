# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret and no token in any output at -vvv, any result, any file left by a run, or the lab's inspectable state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.fixtures import EXAMPLE
from harness.laboratory import Lab

# Three parts of base64url, the first two of them JSON objects: what every token looks like.
TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
PLAYBOOKS = "tests/integration/end_to_end/playbooks"
WRONG_SECRET = "a-secret-that-must-not-be-seen-9f3b"


@pytest.fixture(scope="module")
def secrets(lab: Lab) -> dict[str, str]:
    """Everything that must not be seen, by what it is."""
    environment = lab.environment
    kubeconfig = Path(environment["KUBECONFIG"]).read_text(encoding="utf-8")
    kubernetes_token = re.search(r"token: *\"?([^\s\"]+)", kubeconfig)
    assert kubernetes_token, "the lab's kubeconfig has no token to look for"
    return {
        "the service principal's secret": environment["AZURE_SECRET"],
        "the Kubernetes token": kubernetes_token.group(1),
    }


@pytest.fixture(scope="module")
def runs(ansible: AnsiblePlaybook, lab: Lab, site_variables: dict[str, Any]) -> list[PlaybookRun]:
    """A run that makes everything, one that fails for a wrong secret, and the proof refused."""

    def play(playbook: str, variables: dict[str, Any], **how: Any) -> PlaybookRun:
        return ansible.run(playbook, site_variables | variables, vars_files=[EXAMPLE], **how)

    verbose = ["-vvv", "--diff"]
    made = play("playbooks/site.yml", {}, arguments=verbose)
    assert made.returncode == 0, made.output
    crossed = {"identity": "id-keyvault-reader", "application_namespace": "greetings", "service_account": "default"}
    refused = play("tests/demo/playbooks/check.yml", crossed, arguments=verbose)
    assert refused.returncode != 0, refused.output
    wrong_secret = {"AZURE_SECRET": WRONG_SECRET, "AZURE_CLIENT_SECRET": WRONG_SECRET}
    wrong = play("playbooks/site.yml", {}, arguments=verbose, environment=wrong_secret)
    assert wrong.returncode != 0, wrong.output
    given = {"AZURE_SECRET": None, "AZURE_CLIENT_SECRET": None, "GIVEN_SECRET": lab.environment["AZURE_SECRET"]}
    option = play(f"{PLAYBOOKS}/secret_as_option.yml", {}, arguments=verbose, environment=given)
    assert option.returncode == 0, option.output
    return [made, refused, wrong, option]


def findings(text: str, secrets: dict[str, str]) -> list[str]:
    found = [name for name, value in secrets.items() if value in text]
    return found + [f"a token: {match.group(0)[:20]}..." for match in TOKEN.finditer(text)]


def files_below(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file() and "collections" not in path.parts)


def test_no_output_at_the_highest_verbosity_holds_a_secret(runs: list[PlaybookRun], secrets: dict[str, str]) -> None:
    for run in runs:
        assert findings(run.output, secrets) == []
        assert WRONG_SECRET not in run.output


def test_no_returned_value_holds_a_secret(runs: list[PlaybookRun], secrets: dict[str, str]) -> None:
    results = [json.dumps(task.result) for run in runs for task in run.tasks]
    assert results, "no task was recorded"
    for result in results:
        assert findings(result, secrets) == []
        assert WRONG_SECRET not in result


def test_no_file_that_a_run_leaves_holds_a_secret(
    runs: list[PlaybookRun], ansible: AnsiblePlaybook, secrets: dict[str, str]
) -> None:
    for path in files_below(ansible.directory):
        assert findings(path.read_text(encoding="utf-8", errors="replace"), secrets) == [], path


def test_the_inspectable_state_of_the_lab_holds_no_secret(
    runs: list[PlaybookRun], lab: Lab, secrets: dict[str, str]
) -> None:
    assert findings(json.dumps(lab.state()), secrets) == []
    assert findings(json.dumps(lab.requests()), secrets) == []


def test_what_the_lab_keeps_for_its_clients_only_its_owner_can_read(lab: Lab) -> None:
    assert lab.directory.stat().st_mode & 0o077 == 0
    for name in ("env.json", "env.sh", "kubeconfig"):
        assert (lab.directory / name).stat().st_mode & 0o077 == 0, name
