# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for each test module, in a directory of its own, and the real ansible-playbook to run against it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# The directory tests/, where the packages harness and lab are.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.fixtures import ansible, lab, quiet_lab, site_variables
from harness.laboratory import Lab

__all__ = ["ansible", "applications", "lab", "quiet_lab", "site_variables"]


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
