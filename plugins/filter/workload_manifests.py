# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the manifests of their Deployments."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_manifests
short_description: Turn applications into the manifests that run them on virtual nodes
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Makes a Deployment, and a PodDisruptionBudget where one is asked for, of each application that has a C(deployment).
  - It is what the role C(aks.virtual_nodes.workload) does with C(workload_applications), whose documentation describes an application.
  - Nothing is checked; see P(aks.virtual_nodes.workload_problems#filter).
positional: _input
options:
  _input:
    description: The applications.
    type: list
    elements: dict
    required: true
  node_selector:
    description: Node selector of the pods.
    type: dict
    default:
      virtualization: virtualnode2
  tolerations:
    description: Tolerations of the pods, in the form of the Kubernetes API.
    type: list
    elements: dict
    default:
      - key: virtual-kubelet.io/provider
        operator: Exists
        effect: NoSchedule
  inject_kube_proxy:
    description: Whether pods get a kube-proxy sidecar, unless their application says otherwise.
    type: bool
    default: false
  inject_dns:
    description: Whether pods use the cluster's DNS, unless their application says otherwise.
    type: bool
    default: false
  image_caches:
    description:
      - With V(true), only the Deployments of image caches, whose pods never run; with V(false), all others.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the Deployments
  ansible.builtin.debug:
    msg: "{{ applications | aks.virtual_nodes.workload_manifests }}"
"""

RETURN = r"""
_value:
  description: The manifests, in the order of the applications.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.kube.objects import Manifest
from ..module_utils.plan.workload_manifests import manifests
from ..module_utils.plan.workloads import Placement, workloads


def workload_manifests(
    applications: Sequence[Mapping[str, Any]], *, image_caches: bool = False, **placement: Any
) -> list[Manifest]:
    given = Placement.of(**placement)
    chosen = (each for each in workloads(applications, given) if each.image_cache == image_caches)
    return [manifest for each in chosen for manifest in manifests(each, given)]


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_manifests": workload_manifests}
