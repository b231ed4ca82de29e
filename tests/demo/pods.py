# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of the demo, as the Kubernetes API tells of them."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

_COLUMNS = "POD:.metadata.name,PHASE:.status.phase,NODE:.spec.nodeName"


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    environment: Mapping[str, str]

    def _core(self) -> client.CoreV1Api:
        return client.CoreV1Api(config.new_client_from_config(config_file=str(self.kubeconfig)))

    def pods(self, namespace: str) -> list[Any]:
        return self._core().list_namespaced_pod(namespace).items

    def has_namespace(self, name: str) -> bool:
        return any(item.metadata.name == name for item in self._core().list_namespace().items)

    def table(self, namespace: str) -> tuple[list[str], str]:
        """The command that shows the pods, and what it shows; without kubectl, the same from the Python client."""
        argv = ["kubectl", "get", "pods", "--namespace", namespace, "--output", f"custom-columns={_COLUMNS}"]
        if shutil.which("kubectl"):
            done = subprocess.run(argv, env=dict(self.environment), capture_output=True, text=True, check=True)
            return argv, done.stdout
        rows = [("POD", "PHASE", "NODE")]
        rows += [(pod.metadata.name, pod.status.phase, pod.spec.node_name or "") for pod in self.pods(namespace)]
        return argv, "\n".join("   ".join(cell.ljust(42) for cell in row).rstrip() for row in rows)

    def wait_for_line(self, namespace: str, pod: str, beginning: str, seconds: float) -> str:
        """The first line of the pod's log with this beginning; all of the log if there is none in time."""
        deadline = time.monotonic() + seconds
        log = ""
        while time.monotonic() < deadline:
            try:
                log = self._core().read_namespaced_pod_log(pod, namespace)
            except ApiException as error:
                log = f"{error.status} {error.reason}"
            for line in log.splitlines():
                if line.startswith(beginning):
                    return line
            time.sleep(0.5)
        return log
