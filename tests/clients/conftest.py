# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for each test module, and the real az and kubectl to use it with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The directory tests/, where the packages harness and lab are.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clients.azure_cli import AzureCli
from clients.kubectl import Kubectl
from harness.fixtures import ansible, lab, quiet_lab, site_variables
from harness.laboratory import Lab

__all__ = ["ansible", "az", "kubectl", "lab", "quiet_lab", "site_variables"]


@pytest.fixture(scope="module")
def az(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AzureCli:
    """Signed in to the lab as to any custom cloud."""
    cli = AzureCli(lab.environment, tmp_path_factory.mktemp("az"))
    cli.sign_in()
    return cli


@pytest.fixture(scope="module")
def kubectl(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(lab.environment, tmp_path_factory.mktemp("kubectl"))
