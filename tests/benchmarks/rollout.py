# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.rollout: what a rollout of 240, 2,400 and 12,000 pods sends and holds; writes build/bench-rollout.json."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import REPOSITORY, Lab, running_lab

SIZES = (240, 2400, 12_000)
DEPLOYMENTS = 24
PODS_PER_NODE = 200


def deployment(number: int, replicas: int) -> dict[str, Any]:
    """Of an image that the lab runs without a process."""
    labels = {"app.kubernetes.io/name": f"app-{number:02}"}
    amounts = {"cpu": "100m", "memory": "128Mi"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{number:02}", "namespace": "default", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        "microsoft.containerinstance.virtualnode.injectkubeproxy": "false",
                        "microsoft.containerinstance.virtualnode.injectdns": "false",
                    },
                },
                "spec": {
                    "nodeSelector": {"virtualization": "virtualnode2"},
                    "tolerations": [
                        {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}
                    ],
                    "containers": [
                        {
                            "name": "app",
                            "image": "registry.example.com/idle:1",
                            "resources": {"requests": amounts, "limits": amounts},
                        }
                    ],
                },
            },
        },
    }


def measure(pods: int, rate: int) -> dict[str, Any]:
    """A rollout from nothing, and the run after it, which has nothing to do."""
    scenario = {
        "virtual_nodes": pods // PODS_PER_NODE + 1,
        "ordinary_nodes": 4 + pods // 3000,
        "pod_start_seconds": 2.0,
        "pod_start_spread": 0.3,
    }
    with tempfile.TemporaryDirectory(prefix="aks-virtual-nodes-bench-") as name:
        directory = Path(name)
        with running_lab(directory / "lab", scenario) as lab:
            first = _run(lab, directory, pods, rate)
            again = _run(lab, directory, pods, rate)
    return first | {
        "second_run": {key: again[key] for key in ("requests", "requests_seen", "writes", "peak_memory_mib")}
    }


def _run(lab: Lab, directory: Path, pods: int, rate: int) -> dict[str, Any]:
    definitions = [deployment(number, pods // DEPLOYMENTS) for number in range(DEPLOYMENTS)]
    options = {"definitions": definitions, "pods_per_minute": rate}
    task = {"name": "Roll out", "aks.virtual_nodes.rollout": options}
    playbook = directory / "playbook.json"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    lab.forget_requests()
    run = AnsiblePlaybook(directory / "ansible", lab.environment, on_line=_progress).run(playbook)
    if run.returncode:
        raise SystemExit(run.output)
    sent = [each for each in lab.requests() if each["service"] == "kubernetes"]
    found: dict[str, Any] = run.result_of("rollout")["rollout"]
    return found | {
        "deployments": DEPLOYMENTS,
        # What the client asks to know the server comes on top of what the module counts.
        "requests_seen": len(sent),
        "writes": sum(each["write"] for each in sent),
        "kinds": dict(Counter(each["method"] for each in sent)),
    }


def _progress(line: str) -> None:
    if "| rollout | " in line:
        print(f"  {line.rpartition('| ')[2]}", flush=True)


def table(found: Mapping[int, Mapping[str, Any]]) -> str:
    rows = [
        "| pods | Deployments | waves | requests | watches | second run: requests, writes | pods a minute | p50 / p95 to ready | memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for pods, each in found.items():
        again = each["second_run"]
        rows.append(
            f"| {pods:,} | {each['deployments']} | {each['waves']} | {each['requests']} | {each['watches']} "
            f"| {again['requests']}, {again['writes']} | {each['achieved_rate']:.0f} | {each['p50_ready_s']:.1f} s / {each['p95_ready_s']:.1f} s "
            f"| {max(each['peak_memory_mib'], again['peak_memory_mib']):.0f} MiB |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="What a rollout costs, on the lab.")
    parser.add_argument("--rate", type=int, default=1000, help="pods a minute")
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="pods, multiples of 24")
    arguments = parser.parse_args()
    found = {}
    for pods in arguments.sizes:
        print(f"{pods:,} pods at {arguments.rate:,} a minute:", flush=True)
        found[pods] = measure(pods, arguments.rate)
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    (build / "bench-rollout.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    print(f"\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
