# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real az, which `make test-clients` installs from PyPI into a virtual environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CLOUD = "AksVirtualNodesLab"


class AzureCli:
    """
    :param directory: for its settings and tokens, so that those of the user are not touched.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        program = os.environ.get("AZ") or shutil.which("az")
        if program is None:
            pytest.fail("az was not found; make test-clients installs it, or the variable AZ names it")
        self.program = str(Path(program).absolute())
        self._settings = environment
        self.environment = {
            **environment,
            "AZURE_CONFIG_DIR": str(directory),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
        }

    def sign_in(self) -> None:
        given = self._settings
        manager, authority = given["AZURE_CLOUD_ENVIRONMENT"], given["LAB_AUTHORITY_URL"]
        endpoints = {
            "resource-manager": manager,
            "active-directory": authority,
            "active-directory-resource-id": f"{manager}/",
            "active-directory-graph-resource-id": authority,
            "microsoft-graph-resource-id": authority,
        }
        options = [word for name, url in endpoints.items() for word in (f"--endpoint-{name}", url)]
        self.run("cloud", "register", "--name", CLOUD, *options)
        self.run("cloud", "set", "--name", CLOUD)
        user = ["--username", given["AZURE_CLIENT_ID"], "--password", given["AZURE_SECRET"]]
        self.run("login", "--service-principal", *user, "--tenant", given["AZURE_TENANT"])

    def run(self, *arguments: str) -> Any:
        """What the command prints, as JSON; a test that waits for a failure uses `refusal`."""
        done = self._start(arguments)
        assert done.returncode == 0, f"az {' '.join(arguments[:2])} failed:\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run_once_replicated(self, *arguments: str, seconds: float = 30) -> None:
        """Again while the authorization service does not know a new identity, as scripts with az have to."""
        deadline = time.monotonic() + seconds
        while (done := self._start(arguments)).returncode != 0:
            assert "PrincipalNotFound" in done.stderr, done.stderr
            assert time.monotonic() < deadline, done.stderr
            time.sleep(1)

    def refusal(self, *arguments: str) -> str:
        done = self._start(arguments)
        assert done.returncode != 0, f"az {' '.join(arguments)} was not refused:\n{done.stdout}"
        return done.stderr

    def _start(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        argv = [self.program, *arguments, "--output", "json"]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
