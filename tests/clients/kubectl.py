# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real kubectl."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


class Kubectl:
    """
    :param directory: for its cache.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        program = shutil.which("kubectl")
        if program is None:
            pytest.skip("kubectl is not installed")
        self._program = program
        self._environment = {**environment, "KUBECACHEDIR": str(directory)}

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        done = self._start(arguments, stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} failed:\n{done.stderr}"
        return done.stdout

    def refusal(self, *arguments: str, stdin: str | None = None) -> str:
        done = self._start(arguments, stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} was not refused:\n{done.stdout}"
        return done.stderr

    def get(self, *arguments: str) -> Any:
        return json.loads(self.run("get", *arguments, "--output", "json"))

    def apply(self, manifest: Any, *arguments: str) -> str:
        return self.run("apply", "--filename", "-", *arguments, stdin=json.dumps(manifest))

    def _start(self, arguments: tuple[str, ...], stdin: str | None) -> subprocess.CompletedProcess[str]:
        argv = [self._program, *arguments]
        return subprocess.run(
            argv, env=self._environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
