# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with applications, as sentences."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_problems
short_description: Say what keeps applications from running on virtual nodes as described
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Checks what the argument specification of the role C(aks.virtual_nodes.workload) cannot show, such as two zones, a volume that a virtual
    node does not support, kube-proxy for a confidential pod, or tags that Azure refuses.
positional: _input
options:
  _input:
    description: The applications, as the role C(aks.virtual_nodes.workload) takes them.
    type: list
    elements: dict
    required: true
  inject_kube_proxy:
    description: Whether pods get a kube-proxy sidecar, unless their application says otherwise.
    type: bool
    default: false
  inject_dns:
    description: Whether pods use the cluster's DNS, unless their application says otherwise.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Stop when something is wrong
  ansible.builtin.assert:
    that: applications | aks.virtual_nodes.workload_problems | length == 0
"""

RETURN = r"""
_value:
  description: A sentence or two for each problem, naming the field, its value, the rule and the way out; empty when there is none.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan.workload_problems import problems
from ..module_utils.plan.workloads import Placement, workloads


def workload_problems(applications: Sequence[Mapping[str, Any]], **placement: Any) -> list[str]:
    return problems(workloads(applications, Placement.of(**placement)))


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_problems": workload_problems}
