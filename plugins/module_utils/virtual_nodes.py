# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual nodes: what the fleet is like, and the removal of Nodes that nothing is behind any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from .change import Change, State, States
from .errors import KubernetesError
from .kube.virtual_nodes import delete_node, read_fleet, reread_node
from .plan.plan import Plan
from .plan.virtual_nodes import Fleet, VirtualNode, Workload, why_kept

# Deletions under way at once.
WORKERS = 8
# A Node that changes between reading and deleting is read again so often; whoever keeps it alive writes every ten seconds.
_ATTEMPTS = 5


def report(client: Any, selector: str, *, details: bool) -> dict[str, Any]:
    """The fleet as return values of a module.

    :param details: with the nodes and workloads, and not only how many there are.
    """
    fleet = read_fleet(client, selector)
    told: dict[str, Any] = {"fleet": totals(fleet)}
    if details:
        now = datetime.now(UTC)
        told["nodes"] = [shown(node, now) for node in fleet.nodes]
        told["with_kube_proxy"] = _listed(fleet.with_kube_proxy)
        told["without_identity"] = _listed(fleet.without_identity)
    return told


def totals(fleet: Fleet) -> dict[str, int]:
    return {
        "nodes": len(fleet.nodes),
        "ready": sum(node.ready for node in fleet.nodes),
        "cordoned": sum(node.cordoned for node in fleet.nodes),
        "stale": len(fleet.stale),
        "foreign": sum(bool(node.foreign) for node in fleet.nodes),
        "capacity": fleet.capacity,
        "pods": fleet.pods,
        "room": fleet.room,
        "waiting": fleet.waiting,
        "pods_with_kube_proxy": sum(each.pods for each in fleet.with_kube_proxy),
        "pods_without_identity": sum(each.pods for each in fleet.without_identity),
    }


def shown(node: VirtualNode, now: datetime) -> dict[str, Any]:
    """A node as people are told of it."""
    told = asdict(node)
    for internal in ("uid", "resource_version", "deleting"):
        del told[internal]
    age = int((now - datetime.fromisoformat(node.created)).total_seconds()) if node.created else 0
    return {**told, "age": age, "room": node.room, "stale": node.stale}


def plan_prune(client: Any, selector: str, *, with_pods: bool) -> Plan:
    """
    :param with_pods: also those that pods are bound to, which Kubernetes then deletes.
    """
    fleet = read_fleet(client, selector)
    kept = {node.name: why_kept(node, with_pods=with_pods) for node in fleet.nodes}
    doomed = {_key(node): node for node in fleet.nodes if not kept[node.name]}

    def apply(change: Change, _states: States) -> None:
        _delete(client, doomed[change.resource_id], with_pods=with_pods)

    def reported(states: States) -> Mapping[str, Any]:
        return {
            "deleted": [node.name for key, node in doomed.items() if key not in states],
            "kept": [{"name": name, "why": why} for name, why in kept.items() if why],
        }

    return Plan(
        observed=States({_key(node): _state(node) for node in fleet.nodes}),
        chains=[[Change.delete(key, _state(node))] for key, node in doomed.items()],
        apply=apply,
        report=reported,
        workers=WORKERS,
    )


def _delete(client: Any, seen: VirtualNode, *, with_pods: bool) -> None:
    """Delete the Node if it is the one that was seen, and still as stale, at the very moment.

    :raises KubernetesError: reason C(Conflict) if it is not.
    """
    attempts = _ATTEMPTS
    while True:
        attempts -= 1
        present = next(iter(reread_node(client, seen.name).nodes), None)
        if present is None:
            return
        why = "it has been registered anew" if present.uid != seen.uid else why_kept(present, with_pods=with_pods)
        if why:
            raise KubernetesError(
                f"Node {seen.name} was stale when it was looked at first, and is not to be deleted now: {why}.",
                reason="Conflict",
                status=409,
            )
        try:
            delete_node(client, present)
            return
        except KubernetesError as error:
            if not attempts or error.status != 409:
                raise


def _listed(workloads: tuple[Workload, ...]) -> list[dict[str, Any]]:
    return [asdict(each) for each in workloads]


def _key(node: VirtualNode) -> str:
    return f"Node {node.name}"


def _state(node: VirtualNode) -> State:
    """What a diff shows; nothing that changes by itself."""
    return {
        "name": node.name,
        "kubelet_version": node.kubelet_version,
        "ready": node.ready,
        "cordoned": node.cordoned,
        "pods": node.pods,
        "backing_pod": None,
    }
