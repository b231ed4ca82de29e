# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name into the admission policies that hold pods to the opt-out of kube-proxy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: opt_out_policy_manifests
short_description: Make the admission policies that hold pods on virtual nodes to the opt-out of kube-proxy
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Makes a ValidatingAdmissionPolicy and its binding, which Kubernetes has since 1.30, and if wanted a MutatingAdmissionPolicy and its binding.
  - It is what the role C(aks.virtual_nodes.opt_out_policy) installs.
positional: _input
options:
  _input:
    description: Name of the policies and their bindings.
    type: str
    required: true
  node_names:
    description: Names of the virtual nodes without their numbers, for pods that name their node; of V(virtualnode-0), V(virtualnode).
    type: list
    elements: str
    default: []
  namespaces:
    description: Names of the namespaces that are judged; all unless given.
    type: list
    elements: str
    default: []
  exempt_label:
    description: Label of namespaces that are left alone.
    type: str
    default: aks-virtual-nodes/opt-out-policy
  exempt_value:
    description: Value of O(exempt_label).
    type: str
    default: exempt
  exempt_namespaces:
    description: Names of namespaces that are left alone.
    type: list
    elements: str
    default: [kube-system]
  actions:
    description: What is done about a pod without the opt-out. V(Deny) and V(Warn) exclude each other.
    type: list
    elements: str
    choices: [Deny, Warn, Audit]
    default: [Deny]
  completing:
    description: API version of the MutatingAdmissionPolicy that adds the annotations; without it, there is none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the policy
  ansible.builtin.debug:
    msg: "{{ 'virtual-nodes-opt-out' | aks.virtual_nodes.opt_out_policy_manifests(node_names=['virtualnode']) }}"
"""

RETURN = r"""
_value:
  description: The manifests.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.objects import Manifest
from ..module_utils.plan.opt_out_policy import OptOutPolicy


def opt_out_policy_manifests(
    name: str,
    exempt_label: str = "aks-virtual-nodes/opt-out-policy",
    exempt_value: str = "exempt",
    **more: Any,
) -> list[Manifest]:
    return OptOutPolicy(name, exempt_label=(exempt_label, exempt_value), **more).manifests()


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"opt_out_policy_manifests": opt_out_policy_manifests}
