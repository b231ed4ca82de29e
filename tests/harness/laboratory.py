# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in a directory of its own: started, asked, given faults, stopped."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

# What would lead a client to the caller's own cloud and cluster.
_FOREIGN_PREFIXES = ("AZURE_", "ARM_", "K8S_AUTH_", "LAB_", "ANSIBLE_")
_FOREIGN_NAMES = ("KUBECONFIG", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


class LabError(Exception):
    """The lab did not do what it was asked."""


def clean_environment() -> dict[str, str]:
    """The caller's environment without anything that signs in anywhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN_PREFIXES) and name not in _FOREIGN_NAMES
    }
    # A proxy cannot reach this machine's loopback.
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1,localhost"
    return kept


@dataclass(frozen=True)
class Lab:
    directory: Path

    @classmethod
    def start(cls, directory: Path, scenario: Mapping[str, Any] | None = None) -> Lab:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        arguments = []
        if scenario is not None:
            file = directory / "scenario.json"
            file.write_text(json.dumps(scenario), encoding="utf-8")
            arguments = ["--scenario", str(file)]
        lab = cls(directory)
        lab._command("start", *arguments)
        return lab

    def stop(self) -> None:
        self._command("stop")

    @cached_property
    def environment(self) -> dict[str, str]:
        """The caller's environment, leading to this lab and to nothing else."""
        given: dict[str, str] = json.loads((self.directory / "env.json").read_text(encoding="utf-8"))
        return clean_environment() | given

    def state(self) -> dict[str, Any]:
        return self._control("GET", "/state")

    def requests(self) -> list[dict[str, Any]]:
        return self._control("GET", "/requests")

    def writes(self) -> list[dict[str, Any]]:
        return [request for request in self.requests() if request["write"]]

    def forget_requests(self) -> None:
        self._control("DELETE", "/requests")

    def inject(self, *faults: Mapping[str, Any]) -> None:
        self._control("POST", "/faults", list(faults))

    def forget_faults(self) -> None:
        self._control("DELETE", "/faults")

    def set_clock(self, offset_seconds: int) -> None:
        """Let the API server issue tokens as if it were so much later, or earlier."""
        self._control("POST", "/kubernetes/clock", {"offset_seconds": offset_seconds})

    def rotate_signing_keys(self) -> None:
        """Sign tokens with a new key; the one before it is still published."""
        self._control("POST", "/kubernetes/rotate-signing-keys")

    def figures(self) -> dict[str, Any]:
        """The cluster in numbers: pods, ready ones, listeners of kube-proxies, watches."""
        return self._control("GET", "/kubernetes/figures")

    def change_pods(self, **settings: Any) -> None:
        """Let pods start otherwise from now on: C(start_seconds), C(failure_rate) and so on."""
        self._control("POST", "/kubernetes/pods", settings)

    def compact(self, *, running_watches: str = "keep", new_watches: str = "event") -> None:
        """Let the API server forget what has happened so far."""
        self._control("POST", "/kubernetes/compact", {"running_watches": running_watches, "new_watches": new_watches})

    def restart_api_server(self, seconds: float) -> None:
        """Cut its connections, and refuse new ones for so long; returns at once."""
        self._control("POST", "/kubernetes/restart", {"seconds": seconds})

    def _command(self, command: str, *arguments: str) -> None:
        environment = clean_environment() | {"PYTHONPATH": str(REPOSITORY / "tests")}
        argv = [sys.executable, "-m", "lab", command, "--directory", str(self.directory), *arguments]
        # Not through a pipe: the lab in the background would keep it open.
        with (self.directory / f"{command}.log").open("w+", encoding="utf-8") as log:
            done = subprocess.run(argv, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
            log.seek(0)
            if done.returncode != 0:
                raise LabError(f"lab {command} ended with {done.returncode}:\n{log.read()}")

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        url = self.environment["LAB_CONTROL_URL"].rstrip("/") + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if url.startswith("https:"):
            context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
            handlers.append(urllib.request.HTTPSHandler(context=context))
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None


@contextmanager
def running_lab(directory: Path, scenario: Mapping[str, Any] | None = None) -> Iterator[Lab]:
    lab = Lab.start(directory, scenario)
    try:
        yield lab
    finally:
        lab.stop()
