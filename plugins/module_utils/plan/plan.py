# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans, and how they are carried out: changes of one chain one after the other, chains side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..change import Action, Change, State, States
from ..errors import VirtualNodesError
from ..progress import Tally

# Writes one change and returns the state that the service then reports (None after a deletion). It may look up in the
# states what an earlier change of its chain produced, such as the principal id of a new identity.
Apply = Callable[[Change, States], "State | None"]


@dataclass(frozen=True)
class Plan:
    """What is there, what is to change, and how to tell the user of it.

    :ivar observed: states as read, by resource id.
    :ivar chains: changes; within a chain the order matters, between chains it does not.
    :ivar then: further stages of chains; each begins when the one before it has ended.
    :ivar apply: writes one change.
    :ivar report: makes the module's return values from the states after the changes (predicted ones in check mode).
    :ivar workers: how many chains are worked on at the same time.
    """

    observed: States
    chains: Sequence[Sequence[Change]]
    apply: Apply
    report: Callable[[States], Mapping[str, Any]]
    workers: int = 1
    then: Sequence[Sequence[Sequence[Change]]] = ()

    @property
    def stages(self) -> Sequence[Sequence[Sequence[Change]]]:
        return (self.chains, *self.then)

    @property
    def changes(self) -> list[Change]:
        return [change for stage in self.stages for chain in stage for change in chain]


@dataclass
class Outcome:
    """What became of a plan."""

    states: States
    applied: list[Change] = field(default_factory=list)
    failures: list[tuple[Change, VirtualNodesError]] = field(default_factory=list)


def predict(plan: Plan) -> Outcome:
    """The outcome if every change succeeded, without writing."""
    outcome = Outcome(States(plan.observed))
    for change in plan.changes:
        _note(outcome, change, change.after)
    return outcome


def execute(plan: Plan, tally: Tally | None = None) -> Outcome:
    """Apply the plan. A chain stops at its first failure, the other chains go on, so nothing that succeeded is lost.

    :param tally: told of each change.
    """
    outcome = Outcome(States(plan.observed))
    tally = tally or Tally()
    tally.begin("writing", len(plan.changes))
    for stage in plan.stages:
        _work_through_all([chain for chain in stage if chain], plan, outcome, tally)
    return outcome


def _work_through_all(chains: Sequence[Sequence[Change]], plan: Plan, outcome: Outcome, tally: Tally) -> None:
    if plan.workers == 1 or len(chains) <= 1:
        for chain in chains:
            _work_through(chain, plan.apply, outcome, tally)
        return
    with ThreadPoolExecutor(max_workers=min(plan.workers, len(chains))) as pool:
        for finished in [pool.submit(_work_through, chain, plan.apply, outcome, tally) for chain in chains]:
            finished.result()


def _work_through(chain: Sequence[Change], apply: Apply, outcome: Outcome, tally: Tally) -> None:
    for change in chain:
        try:
            state = apply(change, outcome.states)
        except VirtualNodesError as error:
            outcome.failures.append((change, error))
            tally.add(failed=True)
            return
        _note(outcome, change, state)
        tally.add()


def _note(outcome: Outcome, change: Change, state: State | None) -> None:
    if change.action is Action.DELETE:
        outcome.states.pop(change.resource_id, None)
    elif state is not None:
        outcome.states[change.resource_id] = state
    outcome.applied.append(change)
