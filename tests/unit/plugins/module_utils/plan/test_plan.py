# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import Change, States
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import AzureError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.plan import Plan, execute, predict


def make(name: str) -> Change:
    return Change.create(f"/Id/{name}", {"name": name})


def plan_of(*chains, apply=lambda change, states: change.after, workers=1) -> Plan:
    return Plan(States(), chains, apply, dict, workers)


def test_prediction_reaches_the_wished_for_states_without_a_write():
    def apply(change, states):
        raise AssertionError("check mode must not write")

    outcome = predict(plan_of([make("a")], [make("b")], apply=apply))

    assert sorted(state["name"] for state in outcome.states.values()) == ["a", "b"]


def test_execution_reports_what_the_service_answered_and_not_what_was_predicted():
    outcome = execute(plan_of([make("a")], apply=lambda change, states: {"name": "a", "client_id": "1"}))

    assert outcome.states["/id/A"] == {"name": "a", "client_id": "1"}


def test_a_later_change_of_a_chain_sees_the_state_that_an_earlier_one_produced():
    seen = []

    def apply(change, states):
        seen.append(dict(states.get("/id/first") or {}))
        return change.after

    execute(plan_of([make("first"), make("second")], apply=apply))

    assert seen == [{}, {"name": "first"}]


def test_a_failure_ends_its_own_chain_and_no_other():
    def apply(change, states):
        if change.resource_id == "/Id/bad":
            raise AzureError("no", code="Forbidden")
        return change.after

    outcome = execute(plan_of([make("bad"), make("after-bad")], [make("good")], apply=apply, workers=4))

    assert [change.resource_id for change, _error in outcome.failures] == ["/Id/bad"]
    assert [change.resource_id for change in outcome.applied] == ["/Id/good"]


def test_chains_run_side_by_side():
    meeting = threading.Barrier(2, timeout=5)

    def apply(change, states):
        meeting.wait()  # passes only when both chains are under way at the same time
        return change.after

    outcome = execute(plan_of([make("a")], [make("b")], apply=apply, workers=2))

    assert len(outcome.applied) == 2


def test_a_deletion_removes_the_state():
    gone = Change.delete("/ID/a", {"name": "a"})
    plan = Plan(States({"/id/A": {"name": "a"}}), [[gone]], lambda change, states: None, dict)

    assert len(execute(plan).states) == 0
    assert len(plan.observed) == 1


def test_a_diff_names_resource_and_action():
    shown = Change.update("/id/a", {"issuer": "old"}, {"issuer": "new"}).as_diff()

    assert shown["before"] == {"issuer": "old"}
    assert shown["after"] == {"issuer": "new"}
    assert "/id/a" in shown["before_header"]
    assert "update" in shown["before_header"]
