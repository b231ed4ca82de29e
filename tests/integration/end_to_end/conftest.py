# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for each test module, in a directory of its own, and the real ansible-playbook to run against it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The directory tests/, where the packages harness and lab are.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def ansible(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AnsiblePlaybook:
    return AnsiblePlaybook(tmp_path_factory.mktemp("ansible"), lab.environment)


@pytest.fixture
def quiet_lab(lab: Lab) -> Lab:
    """The lab with an empty request log and without faults."""
    lab.forget_requests()
    lab.forget_faults()
    return lab


@pytest.fixture(scope="module")
def site_variables(lab: Lab) -> dict[str, Any]:
    """What docs/examples/applications.yml leaves to the user."""
    environment = lab.environment
    return {
        "resource_group": environment["LAB_RESOURCE_GROUP"],
        "cluster_name": environment["LAB_CLUSTER"],
        "key_vault_url": environment["LAB_VAULT_URL"],
        "key_vault_id": environment["LAB_VAULT_ID"],
        "keyvault_reader_image": environment["LAB_IMAGE"],
    }


@pytest.fixture(scope="module")
def applications(lab: Lab) -> Callable[[int], list[dict[str, Any]]]:
    """As many applications as asked for, each with an identity, a role, a ServiceAccount and a Deployment."""
    amounts = {"cpu": "100m", "memory": "128Mi"}

    def make(count: int) -> list[dict[str, Any]]:
        return [
            {
                "name": f"app-{number}",
                "namespace": f"team-{number % 3}",
                "identity": {
                    "name": f"id-app-{number}",
                    "role_assignments": [{"role": "Key Vault Secrets User", "scope": lab.environment["LAB_VAULT_ID"]}],
                },
                "deployment": {
                    "image": "registry.example.com/idle:1",
                    "resources": {"requests": amounts, "limits": amounts},
                },
            }
            for number in range(count)
        ]

    return make
