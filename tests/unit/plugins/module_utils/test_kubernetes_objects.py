# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils import kubernetes_objects
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import NotReady
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.objects import ObjectKey
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.manifests import CREATED_LABEL
from ansible_collections.aks.virtual_nodes.plugins.module_utils.waiting import Deadline

OURS = dict([CREATED_LABEL])


def namespace(name: str = "shop", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def account(name: str = "orders", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "shop", **metadata}}


class Cluster:
    """An API server's objects; `answers` are what the reads give, the last one for ever."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self._answers = [{ObjectKey.of(each): each for each in answer} for answer in answers]

    def read(self, keys: list[ObjectKey]) -> dict[ObjectKey, dict[str, Any]]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return {key: answer[key] for key in keys if key in answer}

    def made_by_hand(self, name: str) -> dict[ObjectKey, dict[str, Any]]:
        return {key: each for key, each in self._answers[0].items() if key.namespace == name}


def test_a_namespace_is_made_before_what_is_in_it() -> None:
    plan = kubernetes_objects.plan_present(Cluster([]), [account(), namespace()])

    assert actions(plan) == [("create", "Namespace shop"), ("create", "ServiceAccount shop/orders")]


def named(kind: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "orders", "namespace": "shop", **metadata}}


def test_what_others_of_the_list_need_has_been_made_before_them() -> None:
    kinds = ["Pod", "RoleBinding", "Role", "Namespace", "ServiceAccount", "Deployment"]

    plan = kubernetes_objects.plan_present(Cluster([]), [named(kind) for kind in kinds])

    stages = [[chain[0].after["kind"] for chain in stage] for stage in plan.stages]
    assert stages == [["Namespace"], ["Role", "ServiceAccount"], ["RoleBinding"], ["Pod", "Deployment"]]


def test_it_is_deleted_after_them() -> None:
    listed = [named(kind) for kind in ("ServiceAccount", "RoleBinding", "Pod", "Role")]

    plan = kubernetes_objects.plan_absent(Cluster(listed), listed, created_here_only=False)

    stages = [[chain[0].before["kind"] for chain in stage] for stage in plan.stages]
    assert stages == [["Pod"], ["RoleBinding"], ["Role", "ServiceAccount"], []]


def actions(plan: Any) -> list[tuple[str, str]]:
    return [(str(change.action), change.resource_id) for change in plan.changes]


def test_what_is_missing_is_created_with_the_label_of_our_creations() -> None:
    plan = kubernetes_objects.plan_present(Cluster([]), [namespace()])

    (change,) = plan.changes
    assert change.after["metadata"]["labels"] == OURS


def test_an_object_that_is_being_deleted_is_not_written_to() -> None:
    leaving = namespace(deletionTimestamp="2026-01-01T00:00:00Z")

    with pytest.raises(NotReady, match="Namespace shop"):
        kubernetes_objects.plan_present(Cluster([leaving]), [namespace(labels={"a": "b"})])


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    leaving = namespace(deletionTimestamp="2026-01-01T00:00:00Z", labels=OURS)

    plan = kubernetes_objects.plan_absent(Cluster([leaving]), [namespace()], created_here_only=False)

    assert plan.changes == []


def test_a_namespace_that_holds_somebody_elses_objects_stays() -> None:
    cluster = Cluster([namespace(labels=OURS), account(labels=OURS), account("theirs")])

    plan = kubernetes_objects.plan_absent(cluster, [namespace(), account()], created_here_only=True)

    assert actions(plan) == [("delete", "ServiceAccount shop/orders")]


def test_what_is_in_a_namespace_goes_before_it() -> None:
    cluster = Cluster([namespace(labels=OURS), account(labels=OURS)])

    plan = kubernetes_objects.plan_absent(cluster, [namespace(), account()], created_here_only=True)

    assert actions(plan) == [("delete", "ServiceAccount shop/orders"), ("delete", "Namespace shop")]


def deadline(seconds: float) -> Deadline:
    now = [0.0]
    return Deadline(seconds, clock=lambda: now[0], sleep=lambda pause: now.__setitem__(0, now[0] + max(pause, 0.1)))


def test_waiting_ends_when_what_was_deleted_is_gone_and_minds_nothing_else() -> None:
    leaving = namespace(deletionTimestamp="2026-01-01T00:00:00Z")

    kubernetes_objects.wait_absent(Cluster([leaving], [], [namespace()]), [namespace()], deadline(10))
    kubernetes_objects.wait_absent(Cluster([namespace()]), [namespace()], deadline(10))


def test_waiting_gives_up_and_names_what_is_left() -> None:
    leaving = namespace(deletionTimestamp="2026-01-01T00:00:00Z")

    with pytest.raises(NotReady, match="Namespace shop"):
        kubernetes_objects.wait_absent(Cluster([leaving]), [namespace()], deadline(10))
