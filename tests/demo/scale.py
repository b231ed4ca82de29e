# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m demo.scale`, which `make demo-scale` runs: thousands of pods at 1,000 a minute, without kube-proxy and with it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo import plot, stage
from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.laboratory import REPOSITORY, Lab, LabError, running_lab

RATE = 1000
DEPLOYMENTS = 24
NAMESPACES = 4
PODS_PER_NODE = 200
# What the acceptance of this project asks of the lab.
TOLERANCE = 0.05
IMAGE = "registry.example.com/orders:1"

_OPT_OUT = "microsoft.containerinstance.virtualnode.injectkubeproxy"
_CLUSTER = {
    "properties": {
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
    }
}


def scenario(pods: int) -> dict[str, Any]:
    """A cluster that is ready, with as many virtual nodes as the pods need, and one more."""
    return {
        "cluster": _CLUSTER,
        "virtual_nodes": -(-pods // PODS_PER_NODE) + 1,
        "ordinary_nodes": 4,
        "pod_start_seconds": 2.0,
        "pod_start_spread": 0.3,
        "listener_cost": True,
        "throttling": False,
        "credential_propagation_seconds": 0.0,
        "principal_replication_seconds": 0.0,
    }


def applications(pods: int, kube_proxy: bool) -> list[dict[str, Any]]:
    """So many Deployments in a few namespaces, each with an identity of its own."""
    amounts = {"cpu": "250m", "memory": "256Mi"}
    names = [f"orders-{number:02}" for number in range(DEPLOYMENTS)]
    return [
        {
            "name": name,
            "namespace": f"shop-{number % NAMESPACES}",
            "identity": {"name": f"id-{name}"},
            "deployment": {
                "image": IMAGE,
                "replicas": pods // DEPLOYMENTS,
                "resources": {"requests": amounts, "limits": amounts},
                **({"inject_kube_proxy": True} if kube_proxy else {}),
            },
        }
        for number, name in enumerate(names)
    ]


class Scale:
    """One rollout on a lab of its own."""

    def __init__(self, lab: Lab, directory: Path, pods: int, kube_proxy: bool) -> None:
        self._lab = lab
        self._pods = pods
        self._kube_proxy = kube_proxy
        self._ansible = AnsiblePlaybook(directory / "ansible", lab.environment, stage.task, _progress)
        self._variables = {
            "resource_group": lab.environment["LAB_RESOURCE_GROUP"],
            "cluster_name": lab.environment["LAB_CLUSTER"],
            "pods_per_minute": RATE,
        }
        self._file = directory / "applications.json"
        self._file.write_text(json.dumps({"applications": applications(pods, kube_proxy)}), encoding="utf-8")

    def federate(self) -> None:
        run = self._play("playbooks/workload_identity.yml")
        stage.promise(
            run.returncode == 0, f"{DEPLOYMENTS} ServiceAccounts get tokens of {DEPLOYMENTS} identities.", run.output
        )

    def roll(self) -> dict[str, Any]:
        run = self._play("playbooks/rollout.yml")
        stage.promise(run.returncode == 0, f"All {self._pods:,} pods are ready.", run.output)
        found: dict[str, Any] = run.result_of("rollout")["rollout"]
        cluster = self._lab.figures()
        stage.quotation(f"{plot.sparkline(found['curve'])}  {found['ready']:,} pods in {found['seconds']:.0f} s")
        return found | {
            "listeners": cluster["listeners"],
            "api_server_cpu_seconds": cluster["listener_cpu_seconds"],
        }

    def look_at_pods(self) -> None:
        """Each by itself, and not what the rollout says of them."""
        pods = [
            pod
            for pod in self._lab.state()["kubernetes"]["pods"].values()
            if pod["metadata"]["namespace"].startswith("shop-")
        ]
        stage.promise(len(pods) == self._pods, f"The API server has {self._pods:,} pods.", str(len(pods)))
        nodes = {pod["spec"]["nodeName"] for pod in pods}
        virtual = all(pod["spec"]["nodeSelector"] == {"virtualization": "virtualnode2"} for pod in pods)
        stage.promise(virtual, f"Every one is on one of {len(nodes)} virtual nodes.", str(nodes))
        stage.promise(
            all(pod["metadata"]["annotations"].get(_OPT_OUT) == "false" for pod in pods),
            "Every one has opted out of kube-proxy.",
        )
        stage.promise(
            all(_has_identity(pod) for pod in pods),
            "Every one has the variables of its identity and the volume of its token.",
        )

    def repeat(self) -> None:
        self._lab.forget_requests()
        run = self._play("playbooks/rollout.yml")
        nothing = run.returncode == 0 and not run.changed and not self._lab.writes()
        stage.promise(nothing, "The second run changed nothing and wrote nothing.", run.output)

    def _play(self, playbook: str) -> PlaybookRun:
        stage.command(["ansible-playbook", playbook, "--extra-vars", f"@{self._file.name}"])
        run = self._ansible.run(playbook, self._variables, vars_files=[self._file])
        stage.recap(run)
        return run


def _progress(line: str) -> None:
    heading = "localhost | rollout | "
    if line.startswith(heading):
        stage.quotation(line.removeprefix(heading))


def _has_identity(pod: Mapping[str, Any]) -> bool:
    names = {each["name"] for container in pod["spec"]["containers"] for each in container.get("env") or []}
    tokens = [
        source["serviceAccountToken"]["audience"]
        for volume in pod["spec"].get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
        if "audience" in source.get("serviceAccountToken", {})
    ]
    wanted = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"}
    return wanted <= names and tokens == ["api://AzureADTokenExchange"]


def _perform(pods: int, build: Path, directory: Path) -> None:
    with running_lab(directory / "lab", scenario(pods)) as lab:
        scale = Scale(lab, directory, pods, kube_proxy=False)
        with stage.step(1, f"A lab with room for {pods:,} pods, {DEPLOYMENTS} identities, their ServiceAccounts"):
            scale.federate()
        with stage.step(2, f"{pods:,} pods at {RATE:,} a minute, without kube-proxy"):
            found = scale.roll()
            off = abs(found["achieved_rate"] / RATE - 1)
            said = f"They came at {found['achieved_rate']:,.0f} a minute, within {TOLERANCE:.0%} of what was asked for."
            stage.promise(off <= TOLERANCE, said, str(found["achieved_rate"]))
            stage.promise(
                found["listeners"] == 0, "No pod holds a listener on the API server.", str(found["listeners"])
            )
            stage.promise(found["watches"] <= 2, f"{found['requests']} requests, {found['watches']} watches.")
        with stage.step(3, "Look at the pods"):
            scale.look_at_pods()
        with stage.step(4, "Do it again"):
            scale.repeat()
    (build / "rollout.svg").write_text(
        plot.svg(f"{pods:,} pods on the lab, a simulator, at {RATE:,} a minute", found["curve"]), encoding="utf-8"
    )
    _write(build, found)
    with running_lab(directory / "lab-kube-proxy", scenario(pods)) as lab:
        scale = Scale(lab, directory, pods, kube_proxy=True)
        with stage.step(5, "The same with kube-proxy, on another lab"):
            scale.federate()
            with_kube_proxy = scale.roll()
            stage.text(
                f"{with_kube_proxy['listeners']:,} listeners on the API server, and {with_kube_proxy['api_server_cpu_seconds']:.0f} s of its CPU time "
                f"for the changes of EndpointSlices, beside {found['api_server_cpu_seconds']:.0f} s without. This is the lab's model, which "
                "tests/lab/README.md explains; it is no figure of Azure's."
            )
    _write(build, found | {"with_kube_proxy": with_kube_proxy})
    stage.quotation(plot.figures(found))
    stage.text(
        f"The plot is in {build.relative_to(REPOSITORY)}/rollout.svg, the figures are in rollout.json beside it."
    )


def _write(build: Path, figures: Mapping[str, Any]) -> None:
    (build / "rollout.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Pods at 1,000 a minute on the lab.")
    parser.add_argument("--pods", type=int, default=2400, help="a multiple of 24; 2,400 unless given")
    arguments = parser.parse_args()
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    started = time.monotonic()
    stage.title(f"aks.virtual_nodes: {arguments.pods:,} pods on virtual nodes at {RATE:,} a minute")
    stage.text("Everything below runs against a simulator on this machine: no figure is one of Azure's.")
    try:
        with tempfile.TemporaryDirectory(prefix="aks-virtual-nodes-scale-") as directory:
            _perform(arguments.pods, build, Path(directory))
    except (stage.BrokenPromise, LabError) as error:
        stage.failure(str(error))
        return 1
    stage.title(f"\nEvery promise held. {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
