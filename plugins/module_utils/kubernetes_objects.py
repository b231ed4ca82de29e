# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing Kubernetes objects to their manifests, or removing them: read, plan, apply, wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .change import Change, State, States
from .errors import ConfigurationError, NotReady
from .kube.connection import MOST_CONNECTIONS
from .kube.load_balancer import is_load_balancer, wait_for_addresses
from .kube.objects import Manifest, ObjectClient, ObjectKey
from .kube.rollout import wait_for_rollouts
from .plan.manifests import (
    is_being_deleted,
    is_created_here,
    matches,
    same_apart_from_server_fields,
    shown,
    with_created_label,
)
from .plan.plan import Plan
from .waiting import Deadline

# Requests under way at once; the API server queues what is more than it wants to do for one client.
WORKERS = MOST_CONNECTIONS

_ABSENCE_POLL_S = 0.5

# Kinds that need what others of the same list make: a namespace is there before what is in it, a role before its binding (the API
# server looks at what the role would give), and all of it before pods (which it refuses without their ServiceAccount).
_NAMESPACES, _OTHERS, _BINDINGS, _PODS = range(4)
_STAGES = {
    "Namespace": _NAMESPACES,
    **dict.fromkeys(
        (
            "RoleBinding",
            "ClusterRoleBinding",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicyBinding",
        ),
        _BINDINGS,
    ),
    **dict.fromkeys(("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"), _PODS),
}


def plan_present(client: ObjectClient, definitions: Sequence[Manifest]) -> Plan:
    """
    :raises ConfigurationError: for incomplete or doubled definitions, and kinds that the cluster does not know.
    :raises NotReady: when one of the objects is being deleted: what is written to it would be lost.
    """
    keys = _keys(definitions)
    found = client.read(keys)
    _refuse_leaving(found)
    wishes = {key: with_created_label(wish, found.get(key)) for key, wish in zip(keys, definitions, strict=True)}
    changes = [
        change for key, wish in wishes.items() if (change := _change(client, key, wish, found.get(key))) is not None
    ]
    by_id = {str(key): wish for key, wish in wishes.items()}

    def write(change: Change) -> State:
        return shown(client.apply(by_id[change.resource_id]))

    return _plan(keys, found, _in_stages(keys, changes), write)


def plan_absent(client: ObjectClient, definitions: Sequence[Manifest], *, created_here_only: bool) -> Plan:
    """
    :param created_here_only: leave alone what existed before this collection, which is told by its label.
    """
    keys = _keys(definitions)
    found = client.read(keys)
    if created_here_only:
        ours = {key: each for key, each in found.items() if is_created_here(each)}
        found = {
            key: each
            for key, each in ours.items()
            if not (key.kind == "Namespace" and _holds_others(client, key.name, ours))
        }
    by_id = {str(key): key for key in keys}
    staying = {key for key, each in found.items() if not is_being_deleted(each)}
    changes = [Change.delete(str(key), shown(found[key])) for key in reversed(keys) if key in staying]

    def delete(change: Change) -> None:
        client.delete(by_id[change.resource_id])

    return _plan(keys, found, _in_stages(keys, changes)[::-1], delete)


def wait_present(client: ObjectClient, definitions: Sequence[Manifest], deadline: Deadline) -> None:
    """Wait for the Deployments and load balancers among the definitions; other kinds are there once they are written."""
    wait_for_rollouts(client, [key for key in _keys(definitions) if key.kind == "Deployment"], deadline)
    wait_for_addresses(client, [ObjectKey.of(each) for each in definitions if is_load_balancer(each)], deadline)


def wait_absent(client: ObjectClient, definitions: Sequence[Manifest], deadline: Deadline) -> None:
    """Wait until those of the objects that are being deleted, by this run or an earlier one, are gone.

    :raises NotReady: when one is still there at the deadline.
    """
    keys = _keys(definitions)
    while left := [key for key, each in client.read(keys).items() if is_being_deleted(each)]:
        if deadline.over:
            names = ", ".join(str(key) for key in left)
            raise NotReady(f"Still there {deadline.elapsed:.0f} s after the deletion (finalizers?): {names}")
        deadline.pause(_ABSENCE_POLL_S)


def _refuse_leaving(found: Mapping[ObjectKey, Manifest]) -> None:
    leaving = [str(key) for key, each in found.items() if is_being_deleted(each)]
    if leaving:
        raise NotReady(
            f"Being deleted, so nothing can be written to it: {', '.join(leaving)}. Run again once it is gone."
        )


def _holds_others(client: ObjectClient, namespace: str, ours: Mapping[ObjectKey, Manifest]) -> bool:
    """Whether deleting the namespace would delete what somebody else put there."""
    return any(key not in ours and not is_created_here(each) for key, each in client.made_by_hand(namespace).items())


def _keys(definitions: Sequence[Manifest]) -> list[ObjectKey]:
    keys = [ObjectKey.of(each) for each in definitions]
    doubled = sorted({str(key) for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    if doubled:
        raise ConfigurationError(f"definitions: listed more than once: {', '.join(doubled)}.")
    return keys


def _change(client: ObjectClient, key: ObjectKey, wish: Manifest, observed: Manifest | None) -> Change | None:
    if observed is None:
        return Change.create(str(key), shown(wish))
    if matches(wish, observed):
        return None
    # The server knows best what its defaults and notations ("1000m" is "1") make of it.
    predicted = client.apply(wish, dry_run=True)
    if same_apart_from_server_fields(predicted, observed):
        return None
    return Change.update(str(key), shown(observed), shown(predicted))


def _in_stages(keys: Sequence[ObjectKey], changes: Sequence[Change]) -> list[list[list[Change]]]:
    """In the order in which they are made; they are deleted in the opposite one."""
    rank = {str(key): _STAGES.get(key.kind, _OTHERS) for key in keys}
    return [
        [[change] for change in changes if rank[change.resource_id] == stage]
        for stage in (_NAMESPACES, _OTHERS, _BINDINGS, _PODS)
    ]


def _plan(
    keys: Sequence[ObjectKey],
    found: Mapping[ObjectKey, Manifest],
    stages: Sequence[Sequence[Sequence[Change]]],
    write: Any,
) -> Plan:
    first, *then = stages
    actions = {change.resource_id: str(change.action) for stage in stages for (change,) in stage}

    def apply(change: Change, _states: States) -> State | None:
        written: State | None = write(change)
        return written

    return Plan(
        observed=States({str(key): shown(each) for key, each in found.items()}),
        chains=first,
        then=then,
        apply=apply,
        report=lambda _states: {"objects": [_reported(key, actions.get(str(key), "none")) for key in keys]},
        workers=WORKERS,
    )


def _reported(key: ObjectKey, action: str) -> dict[str, str]:
    return {
        "apiVersion": key.api_version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "action": action,
    }
