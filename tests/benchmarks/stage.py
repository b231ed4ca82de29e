# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for a measurement, and what is measured of a process."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab, running_lab

LATENCY_S = 0.05
# A cluster that is ready, and an authorization service that knows new identities at once: neither is what is compared.
_READY = {
    "latency_seconds": LATENCY_S,
    "cluster": {
        "properties": {
            "oidcIssuerProfile": {"enabled": True},
            "securityProfile": {"workloadIdentity": {"enabled": True}},
        }
    },
}


@dataclass(frozen=True)
class Stage:
    directory: Path
    lab: Lab
    ansible: AnsiblePlaybook

    @property
    def issuer(self) -> str:
        azure = self.lab.state()["azure"].values()
        return next(
            str(each["properties"]["oidcIssuerProfile"]["issuerURL"])
            for each in azure
            if str(each.get("type", "")).endswith("ManagedClusters")
        )


@contextmanager
def stage(**scenario: Any) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="aks-virtual-nodes-bench-") as name:
        directory = Path(name)
        with running_lab(directory / "lab", _READY | scenario) as lab:
            yield Stage(directory, lab, AnsiblePlaybook(directory / "ansible", lab.environment))


@dataclass(frozen=True)
class Measured:
    """
    :ivar seconds: wall clock of the whole process.
    :ivar peak_memory_mib: resident, of the largest process that it started or was.
    :ivar azure_seconds: from its first request to Azure Resource Manager to the last one's answer.
    """

    seconds: float
    peak_memory_mib: float
    reads: int
    writes: int
    throttled: int
    azure_seconds: float


def measure(lab: Lab, argv: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Measured:
    """Run a command that must succeed."""
    lab.forget_requests()
    # On any other machine bytecode is kept; without it, nobody would run az or Ansible.
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    output = cwd / "output"
    started = time.monotonic()
    with (
        output.open("wb") as log,
        subprocess.Popen(
            argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        # wait4 alone tells the memory of this child and of its descendants.
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"{argv[0]} ended with {process.returncode}:\n{output.read_text(errors='replace')[-4000:]}")
    requests = [request for request in lab.requests() if request["service"] == "arm"]
    kinds = Counter(map(_kind, requests))
    times = [datetime.fromisoformat(request["time"]).timestamp() for request in requests]
    azure_seconds = max(times) - min(times) + LATENCY_S if times else 0.0
    return Measured(seconds, usage.ru_maxrss / 1024, kinds["read"], kinds["write"], kinds["throttled"], azure_seconds)


def _kind(request: Mapping[str, Any]) -> str:
    if request["status"] == 429:
        return "throttled"
    return "write" if request["write"] else "read"
