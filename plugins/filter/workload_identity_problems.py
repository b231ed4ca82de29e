# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with applications that are to have identities."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_identity_problems
short_description: Say what keeps applications from having the identities as described
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Checks what the argument specification of the role C(aks.virtual_nodes.workload_identity) cannot show, such as a ServiceAccount that is
    to use two identities, or applications that share an identity and want different things of it.
positional: _input
options:
  _input:
    description: The applications, as the role C(aks.virtual_nodes.workload_identity) takes them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop when something is wrong
  ansible.builtin.assert:
    that: applications | aks.virtual_nodes.workload_identity_problems | length == 0
"""

RETURN = r"""
_value:
  description: A sentence or two for each problem, naming the field, its value, the rule and the way out; empty when there is none.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan import applications as plan


def workload_identity_problems(applications: Sequence[Mapping[str, Any]]) -> list[str]:
    return plan.problems(plan.applications(applications))


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_identity_problems": workload_identity_problems}
