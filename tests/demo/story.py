# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: the whole recipe on the lab, each promise checked."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo import stage
from demo.pods import Cluster
from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.laboratory import REPOSITORY, Lab, LabError

_EXAMPLE = "docs/examples/applications.yml"
_NAMESPACE = "greetings"
_SERVICE_ACCOUNT = "keyvault-reader"
_IDENTITY = "id-keyvault-reader"
_MISSPELT = "keyvault-raeder"


class Demo:
    def __init__(self, lab: Lab, directory: Path) -> None:
        environment = lab.environment
        self._lab = lab
        self._ansible = AnsiblePlaybook(directory, environment, stage.task)
        self._cluster = Cluster(Path(environment["KUBECONFIG"]), environment)
        self._of_the_lab = {
            "resource_group": environment["LAB_RESOURCE_GROUP"],
            "cluster_name": environment["LAB_CLUSTER"],
            "key_vault_url": environment["LAB_VAULT_URL"],
            "key_vault_id": environment["LAB_VAULT_ID"],
            "keyvault_reader_image": environment["LAB_IMAGE"],
        }

    def predict(self) -> None:
        self._lab.forget_requests()
        run = self._play("site.yml", arguments=["--check", "--diff"])
        stage.promise(run.returncode == 0 and bool(run.changed), "Check mode says what will change.", run.output)
        stage.promise(not self._lab.writes(), "The lab's request log holds no write.", str(self._lab.writes()))
        self._predicted = [task.title for task in run.changed]

    def build(self) -> None:
        run = self._play("site.yml")
        stage.promise(run.returncode == 0, "The cluster, the identity and the application are there.", run.output)
        changed = [task.title for task in run.changed]
        stage.promise(
            changed == self._predicted, "It changed what check mode had said.", f"{changed} {self._predicted}"
        )
        proofs = run.result_of("workload_identity_check")["checks"]
        proven = bool(proofs) and all(proof["valid"] for proof in proofs)
        stage.promise(proven, "The ServiceAccount's token was exchanged for one of its identity.", str(proofs))

    def show_pods(self) -> None:
        argv, table = self._cluster.table(_NAMESPACE)
        stage.command(argv)
        stage.quotation(table)
        pods = self._cluster.pods(_NAMESPACE)
        nodes = {pod.spec.node_name for pod in pods}
        on_virtual_node = all(pod.spec.node_selector == {"virtualization": "virtualnode2"} for pod in pods)
        stage.promise(
            len(pods) == 2 and on_virtual_node, f"Both pods are on a virtual node: {', '.join(sorted(nodes))}."
        )
        containers = [container.name for pod in pods for container in pod.spec.containers]
        stage.promise(set(containers) == {_SERVICE_ACCOUNT}, "No kube-proxy beside them.", str(containers))
        for pod in pods:
            line = self._cluster.wait_for_line(_NAMESPACE, pod.metadata.name, "Read the secret", seconds=60)
            stage.command(["kubectl", "logs", "--namespace", _NAMESPACE, pod.metadata.name])
            stage.quotation(line)
            stage.promise(line.startswith("Read the secret"), f"Pod {pod.metadata.name} read the secret.")

    def repeat(self) -> None:
        self._lab.forget_requests()
        run = self._play("site.yml")
        unchanged = run.returncode == 0 and not run.changed and " changed=0 " in run.recap
        stage.promise(unchanged, "The second run changed nothing: changed=0.", run.output)
        stage.promise(not self._lab.writes(), "The lab's request log holds no write.", str(self._lab.writes()))

    def misspell(self) -> None:
        target = {"identity": _IDENTITY, "application_namespace": _NAMESPACE}
        run = self._play("tests/demo/playbooks/wrong_subject.yml", target | {"service_account": _MISSPELT})
        stage.promise(run.returncode == 0, "Azure stores a wrong subject without a word.", run.output)
        run = self._play("tests/demo/playbooks/check.yml", target | {"service_account": _SERVICE_ACCOUNT})
        refused = run.returncode != 0 and len(run.failures) == 1
        stage.promise(refused, "workload_identity_check does not: it says what is wrong.", run.output)
        diagnosis = run.failures[0].result["msg"]
        stage.quotation(diagnosis)
        expected = [f"system:serviceaccount:{_NAMESPACE}:{name}" for name in (_MISSPELT, _SERVICE_ACCOUNT)]
        named = all(subject in diagnosis for subject in expected)
        stage.promise(named, "The diagnosis names the subject that is stored and the one that the pod has.", diagnosis)

    def repair(self) -> None:
        run = self._play("site.yml")
        repaired = run.returncode == 0 and [task.action.rpartition(".")[2] for task in run.changed] == [
            "workload_identities"
        ]
        stage.promise(repaired, "site.yml put the subject right, changed nothing else, and proved it.", run.output)

    def tear_down(self) -> None:
        run = self._play("teardown.yml", {"delete_identities": True})
        stage.promise(run.returncode == 0, "What site.yml made is removed.", run.output)
        stage.promise(not self._cluster.has_namespace(_NAMESPACE), "The namespace is gone.")
        run = self._play("teardown.yml", {"delete_identities": True})
        stage.promise(run.returncode == 0 and not run.changed, "There is nothing left to remove.", run.output)

    def _play(
        self, playbook: str, extra_vars: Mapping[str, Any] | None = None, arguments: Sequence[str] = ()
    ) -> PlaybookRun:
        path = playbook if "/" in playbook else f"playbooks/{playbook}"
        given = [f"--extra-vars {name}={value}" for name, value in (extra_vars or {}).items()]
        stage.command(["ansible-playbook", path, "--extra-vars", f"@{_EXAMPLE}", *given, *arguments])
        run = self._ansible.run(
            path, self._of_the_lab | dict(extra_vars or {}), vars_files=[REPOSITORY / _EXAMPLE], arguments=arguments
        )
        stage.recap(run)
        return run


def _acts(directory: Path) -> None:
    with stage.step(1, "Start the lab: a simulator of Entra, ARM, AKS and Key Vault on this machine"):
        lab = Lab.start(directory / "lab")
        stage.promise(
            bool(lab.environment["AZURE_CLOUD_ENVIRONMENT"]), "It answers, on loopback only, by TLS of its own CA."
        )
    try:
        demo = Demo(lab, directory / "ansible")
        for number, (headline, act) in enumerate(
            (
                ("Ask what would be done, without doing it", demo.predict),
                ("Do it: cluster, identity, proof, deployment", demo.build),
                ("Look at the pods, and at what the application says", demo.show_pods),
                ("Do it again", demo.repeat),
                ("Misspell a ServiceAccount in the federated credential", demo.misspell),
                ("Repair it", demo.repair),
                ("Remove everything", demo.tear_down),
            ),
            start=2,
        ):
            with stage.step(number, headline):
                act()
    finally:
        lab.stop()


def perform() -> int:
    """0 if every promise held; else 1, after saying which one did not."""
    started = time.monotonic()
    stage.title("aks.virtual_nodes: identity-enabled pods on AKS virtual nodes, without kube-proxy")
    stage.text(
        "Everything below runs against a simulator on this machine: nothing reaches Azure, no figure is one of Azure's."
    )
    try:
        with tempfile.TemporaryDirectory(prefix="aks-virtual-nodes-demo-") as directory:
            _acts(Path(directory))
    except (stage.BrokenPromise, LabError, subprocess.CalledProcessError) as error:
        stage.failure(str(error))
        return 1
    stage.title(f"\nEvery promise held. {time.monotonic() - started:.0f} s.")
    return 0
