# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.lab_load: what the lab itself costs when Deployments grow at a steady rate.

It answers whether a figure measured on the lab is one of the collection's or one of the lab's. Pods are asked for by
the Kubernetes Python client, as C(kubectl scale) would; those of images that the lab does not run have no process.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api

from harness.laboratory import Lab, running_lab
from lab.kubernetes.node_objects import PODS_PER_VIRTUAL_NODE

NAMESPACE = "load"
PODS_PER_DEPLOYMENT = 200
_STEP_S = 1.0
_PATIENCE_S = 120
_TICKS_PER_SECOND = 100


@dataclass(frozen=True)
class Load:
    """
    :ivar asked_rate, achieved_rate: pods a minute; achieved is from the first request to the last pod ready.
    :ivar cpu_s_per_1000: CPU seconds of the lab's process for 1,000 pods.
    :ivar cpu_share: of one processor, while the pods started.
    :ivar peak_rss_mib: the most memory that the lab's process has had.
    """

    pods: int
    asked_rate: float
    achieved_rate: float
    cpu_s_per_1000: float
    cpu_share: float
    peak_rss_mib: float


def deployment(name: str, image: str) -> dict[str, Any]:
    """A Deployment without replicas whose pods go to virtual nodes and opt out of kube-proxy."""
    labels = {"app": name}
    opt_out = {f"microsoft.containerinstance.virtualnode.{each}": "false" for each in ("injectkubeproxy", "injectdns")}
    template = {
        "metadata": {"labels": {**labels, "azure.workload.identity/use": "true"}, "annotations": opt_out},
        "spec": {
            "containers": [{"name": "app", "image": image, "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}],
            "nodeSelector": {"virtualization": "virtualnode2"},
            "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}],
        },
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def grow(client: ApiClient, pods: int, rate: float) -> float:
    """Ask for so many pods at so many a minute, and wait until all are ready.

    :returns: seconds from the first request to the last pod ready.
    """
    apps, count = AppsV1Api(client), math.ceil(pods / PODS_PER_DEPLOYMENT)
    names = [f"load-{number}" for number in range(count)]
    CoreV1Api(client).create_namespace({"metadata": {"name": NAMESPACE}})
    _until(lambda: CoreV1Api(client).list_namespaced_service_account(NAMESPACE).items)
    for name in names:
        apps.create_namespaced_deployment(NAMESPACE, deployment(name, "registry.example.com/none:1"))
    began = time.monotonic()
    replicas = dict.fromkeys(names, 0)
    for asked in _steps(pods, rate, began):
        for number, name in enumerate(names):
            # One Deployment after the other is filled, so that few requests are needed.
            wanted = max(0, min(PODS_PER_DEPLOYMENT, asked - number * PODS_PER_DEPLOYMENT))
            if wanted != replicas[name]:
                replicas[name] = wanted
                apps.patch_namespaced_deployment_scale(name, NAMESPACE, {"spec": {"replicas": wanted}})
    _until(lambda: _ready(apps) >= pods)
    return time.monotonic() - began


def _steps(pods: int, rate: float, began: float) -> Iterator[int]:
    """How many pods are to be asked for by now, once a second, up to all of them."""
    asked = 0
    while asked < pods:
        asked = min(pods, math.ceil((time.monotonic() - began + _STEP_S) * rate / 60))
        yield asked
        time.sleep(_STEP_S)


def _ready(apps: AppsV1Api) -> int:
    return sum(each.status.ready_replicas or 0 for each in apps.list_namespaced_deployment(NAMESPACE).items)


def _until(reached: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_PATIENCE_S} s")
        time.sleep(0.5)


def cpu_seconds(lab: Lab) -> float:
    """User and system time of the lab's process."""
    fields = Path(f"/proc/{_pid(lab)}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def peak_rss_mib(lab: Lab) -> float:
    lines = Path(f"/proc/{_pid(lab)}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _pid(lab: Lab) -> int:
    pid: int = json.loads((lab.directory / "lab.json").read_text(encoding="utf-8"))["pid"]
    return pid


def measure(pods: int, rate: float, directory: Path) -> Load:
    features = {
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
    }
    scenario = {
        "virtual_nodes": math.ceil(pods / PODS_PER_VIRTUAL_NODE),
        "pod_start_seconds": 1.0,
        "cluster": {"properties": features},
    }
    with running_lab(directory, scenario) as lab:
        client = config.new_client_from_config(config_file=lab.environment["KUBECONFIG"])
        before = cpu_seconds(lab)
        seconds = grow(client, pods, rate)
        spent = cpu_seconds(lab) - before
        return Load(
            pods=pods,
            asked_rate=rate,
            achieved_rate=round(60 * pods / seconds, 1),
            cpu_s_per_1000=round(1000 * spent / pods, 2),
            cpu_share=round(spent / seconds, 3),
            peak_rss_mib=round(peak_rss_mib(lab), 1),
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.lab_load", description=__doc__)
    parser.add_argument("--pods", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=1000.0, help="pods a minute")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asdict(measure(arguments.pods, arguments.rate, Path(directory)))))


if __name__ == "__main__":
    main()
