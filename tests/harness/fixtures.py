# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that every kind of test on the lab has; a conftest.py imports those that it wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import REPOSITORY, Lab, running_lab

EXAMPLE = REPOSITORY / "docs" / "examples" / "applications.yml"


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
