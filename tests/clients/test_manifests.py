# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' manifests as kubectl sends them: the server stores what they say, and adds nothing but its defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.kubectl import Kubectl
from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "examples" / "workload_options.yml"
SERVICE = (
    "{'name': 'orders', 'namespace': 'shop', 'service': {'ports': [{'port': 80, 'target_port': 'http'}], 'ttl': 30}}"
)
# What a server adds: its own metadata, and defaults of Kubernetes 1.34.
OWN_METADATA = {"uid", "creationTimestamp", "generation", "resourceVersion", "managedFields", "annotations", "labels"}


@pytest.fixture(scope="module")
def manifests(
    ansible: AnsiblePlaybook, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Of every application of the example, of a name for one, and of the policies, as the filters make them."""
    directory = tmp_path_factory.mktemp("manifests")
    filters = {
        "workloads": "applications | aks.virtual_nodes.workload_manifests",
        "caches": "applications | aks.virtual_nodes.workload_manifests(image_caches=true)",
        "services": f"[{SERVICE}] | aks.virtual_nodes.service_discovery_services('shop.internal')",
        "policies": "'virtual-nodes-opt-out' | aks.virtual_nodes.opt_out_policy_manifests(node_names=['virtualnode'])",
    }
    tasks = [
        {
            "name": f"Write the {name}",
            "ansible.builtin.copy": {
                "content": f"{{{{ {expression} | to_json }}}}",
                "dest": str(directory / f"{name}.json"),
                "mode": "0600",
            },
        }
        for name, expression in filters.items()
    ]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(EXAMPLE)],
        "tasks": tasks,
    }
    playbook = directory / "playbook.json"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    run = ansible.run(playbook)
    assert run.returncode == 0, run.output
    kubectl.run("create", "namespace", "shop")
    return [manifest for name in filters for manifest in _read(directory / f"{name}.json")]


def _read(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))


def changed(wish: Any, stored: Any, path: str = "") -> Iterator[str]:
    """Where what is stored is not what was wished for."""
    if isinstance(wish, dict) and isinstance(stored, dict):
        for name, value in wish.items():
            yield from changed(value, stored.get(name), f"{path}.{name}")
    elif isinstance(wish, list) and isinstance(stored, list) and len(wish) == len(stored):
        for place, (ours, theirs) in enumerate(zip(wish, stored, strict=True)):
            yield from changed(ours, theirs, f"{path}[{place}]")
    elif wish != stored:
        yield f"{path}: {wish!r} became {stored!r}"


def test_the_server_accepts_every_manifest_unchanged(kubectl: Kubectl, manifests: list[dict[str, Any]]) -> None:
    assert {each["kind"] for each in manifests} == {
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    for manifest in manifests:
        stored = json.loads(kubectl.apply(manifest, "--dry-run=server", "--validate=strict", "--output", "json"))
        assert list(changed(manifest, stored)) == []
        assert set(stored["metadata"]) - set(manifest["metadata"]) <= OWN_METADATA


def test_what_the_server_made_of_a_manifest_it_would_store_as_it_is(
    kubectl: Kubectl, manifests: list[dict[str, Any]]
) -> None:
    """Nothing but defaults was added: given in full, they change nothing more."""
    for manifest in manifests:
        arguments = ("--dry-run=server", "--validate=strict", "--output", "json")
        first = json.loads(kubectl.apply(manifest, *arguments))
        full = {name: value for name, value in first.items() if name not in ("metadata", "status")}
        second = json.loads(kubectl.apply({**full, "metadata": manifest["metadata"]}, *arguments))
        assert second["spec"] == first["spec"]


def test_applying_them_twice_by_server_side_apply_changes_nothing(
    kubectl: Kubectl, manifests: list[dict[str, Any]]
) -> None:
    for manifest in manifests:
        kubectl.apply(manifest, "--server-side")
        assert "serverside-applied" in kubectl.apply(manifest, "--server-side")
        assert kubectl.run("diff", "--server-side", "--filename", "-", stdin=json.dumps(manifest)) == ""
