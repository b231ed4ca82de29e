# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a plan meets Ansible: exceptions become fail_json; changes become changed, diff and check-mode output."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .change import Change
from .errors import AzureError, KubernetesError, VirtualNodesError
from .plan.plan import Outcome, Plan, execute, predict
from .progress import Tally, reporting

# Top-level package of an import -> the name to install.
_DISTRIBUTIONS = {
    "azure.identity": "azure-identity",
    "azure.core": "azure-core",
    "azure.mgmt.msi": "azure-mgmt-msi",
    "azure.mgmt.containerservice": "azure-mgmt-containerservice",
    "azure.mgmt.authorization": "azure-mgmt-authorization",
    "azure.mgmt.privatedns": "azure-mgmt-privatedns",
    "azure.mgmt.core": "azure-mgmt-core",
    "kubernetes": "kubernetes",
}


def run_plan(
    module: AnsibleModule,
    make_plan: Callable[[], Plan],
    wait: Callable[[], None] | None = None,
    describe: Callable[[], str] | None = None,
) -> NoReturn:
    """Make the plan, apply it unless in check mode, and end the module.

    :param wait: called after the writes (also when there were none, for a run that takes up an interrupted one).
    :param describe: makes a line on the progress for the operator (option C(progress_interval)).
    """

    def work() -> None:
        with reporting(describe, module.params["progress_interval"]) if describe else nullcontext():
            failed, result = _carry_out(module, make_plan(), wait)
        _end(module, failed, result)

    with_errors(module, work)


def run_long_plan(module: AnsibleModule, make_plan: Callable[[Tally], Plan]) -> NoReturn:
    """As C(run_plan), with lines on the progress for the operator (option C(progress_interval)) and C(timing) in the result."""
    tally = Tally()

    def work() -> None:
        with reporting(tally.describe, module.params["progress_interval"]):
            failed, result = _carry_out(module, make_plan(tally), None, tally)
        _end(module, failed, {**result, "timing": tally.timing()})

    with_errors(module, work)


def run_info(module: AnsibleModule, read: Callable[[], Mapping[str, Any]]) -> NoReturn:
    """Read something and end the module, which changes nothing."""
    with_errors(module, lambda: module.exit_json(changed=False, **read()))


def with_errors(module: AnsibleModule, work: Callable[[], Any]) -> NoReturn:
    """Run the work, which ends the module itself, and explain what goes wrong."""
    try:
        work()
    except ImportError as error:
        module.fail_json(msg=missing_required_lib(_distribution(error)), exception=traceback.format_exc())
    except VirtualNodesError as error:
        module.fail_json(msg=str(error), **_details(error))
    raise AssertionError("the work did not end the module")


def _end(module: AnsibleModule, failed: bool, result: Mapping[str, Any]) -> None:
    if failed:
        module.fail_json(**result)
    module.exit_json(**result)


def _carry_out(
    module: AnsibleModule, plan: Plan, wait: Callable[[], None] | None, tally: Tally | None = None
) -> tuple[bool, dict[str, Any]]:
    """Whether it failed, and the result."""
    outcome = predict(plan) if module.check_mode else execute(plan, tally)
    if outcome.failures:
        return True, _failure(module, plan, outcome)
    changed = bool(plan.changes)
    if wait and not module.check_mode:
        try:
            wait()
        except VirtualNodesError as error:
            return True, {"msg": str(error), "changed": changed, **_details(error)}
    return False, {"changed": changed, **_diff(module, plan.changes), **plan.report(outcome.states)}


def _failure(module: AnsibleModule, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    changed = {"changed": bool(outcome.applied), **_diff(module, outcome.applied)}
    first_change, first = outcome.failures[0]
    if len(plan.changes) == 1:
        return {"msg": str(first), **changed, **_details(first)}
    failed = [
        {"resource_id": change.resource_id, "action": str(change.action), "msg": str(error), **_details(error)}
        for change, error in outcome.failures
    ]
    succeeded = len(outcome.applied)
    return {
        "msg": f"{len(failed)} of {len(plan.changes)} changes failed, {succeeded} succeeded; running again does the rest. "
        f"First failure, {first_change.resource_id}: {first}",
        "failures": failed,
        **changed,
        **_details(first),
    }


def _diff(module: AnsibleModule, changes: Sequence[Change]) -> dict[str, Any]:
    # A real run shows the same predicted values as check mode does, so that the two can be compared.
    return {"diff": [change.as_diff() for change in changes]} if module._diff else {}


def _details(error: VirtualNodesError) -> dict[str, Any]:
    return {**_origin(error), **error.results}


def _origin(error: VirtualNodesError) -> dict[str, Any]:
    if isinstance(error, AzureError):
        return {"error_code": error.code, "status": error.status, "request_id": error.request_id}
    if isinstance(error, KubernetesError):
        return {"error_code": error.reason, "status": error.status}
    return {"error_code": type(error).__name__}


def _distribution(error: ImportError) -> str:
    name = error.name or ""
    for package, distribution in _DISTRIBUTIONS.items():
        if name == package or name.startswith(package + "."):
            return distribution
    return "azure-identity" if name == "azure" else name or str(error)
