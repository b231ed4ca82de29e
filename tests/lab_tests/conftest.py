# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for each test module, and the official clients to judge it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config
from kubernetes.client import ApiClient

# The directory tests/, where the packages harness and lab are.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.azure_clients import AzureClients
from harness.fixtures import lab
from harness.laboratory import Lab

__all__ = ["azure", "direct_connections", "kube", "lab", "name"]


@pytest.fixture(scope="module", autouse=True)
def direct_connections() -> Iterator[None]:
    """A proxy cannot reach this machine's loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("NO_PROXY", "no_proxy"):
            patch.setenv(variable, "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="module")
def azure(lab: Lab) -> AzureClients:
    return AzureClients(lab)


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"x-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def kube(lab: Lab) -> ApiClient:
    """The API server by the Kubernetes Python client."""
    return config.new_client_from_config(config_file=lab.environment["KUBECONFIG"])
