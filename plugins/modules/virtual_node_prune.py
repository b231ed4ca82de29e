#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_node_prune
short_description: Delete the Nodes that scaled-down virtual nodes leave behind
version_added: 0.1.0
description:
  - When virtual nodes are scaled down, their infrastructure pods go and their Nodes stay, still Ready. The scheduler binds pods to them
    that never start. This module deletes those Nodes.
  - A Node is deleted only if it is a virtual node on Azure Container Instances, no pod of its name exists in any namespace, whatever its
    phase, and no StatefulSet is about to make one.
  - Each is looked at again right before, and deleted on condition that it has not changed since.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  node_selector:
    description:
      - Labels of the nodes to look at, as V(key=value) separated by commas, to narrow it down further.
      - Nodes without the label C(virtualization=virtualnode2) are never deleted.
    type: str
    default: virtualization=virtualnode2
  with_pods:
    description:
      - Also delete stale Nodes that pods are bound to. Kubernetes then deletes these pods; those of a Deployment come back on other nodes.
      - Otherwise such Nodes are kept and reported.
    type: bool
    default: false
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
notes:
  - The caller needs the right to list and delete nodes, and to list pods and StatefulSets in all namespaces.
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
attributes:
  check_mode:
    support: full
    description: Tells which Nodes would be deleted.
  diff_mode:
    support: full
    description: Shows the Nodes that are deleted.
seealso:
  - module: aks.virtual_nodes.virtual_node_info
  - name: Scaling virtual nodes up and down
    description: What the chart's documentation says of the Nodes that stay.
    link: https://github.com/microsoft/virtualnodesOnAzureContainerInstances/blob/main/Docs/NodeCustomizations.md
"""

EXAMPLES = r"""
- name: Delete what scaling down has left behind
  aks.virtual_nodes.virtual_node_prune:
  register: pruned

- name: Say what was kept, and why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.why }}"
  loop: "{{ pruned.kept }}"

- name: Also those that pods are still bound to
  aks.virtual_nodes.virtual_node_prune:
    with_pods: true
"""

RETURN = r"""
deleted:
  description: Names of the Nodes that have been, or in check mode would be, deleted.
  returned: success
  type: list
  elements: str
  sample: [virtualnode-2, virtualnode-3]
kept:
  description: The other Nodes that were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the Node.
      type: str
      returned: always
      sample: virtualnode-0
    why:
      description: Why it was kept.
      type: str
      returned: always
      sample: backed by pod vn2/virtualnode-0 (Running)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import run_plan
from ..module_utils.virtual_nodes import plan_prune


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            node_selector=dict(type="str", default="virtualization=virtualnode2"),
            with_pods=dict(type="bool", default=False),
            **AUTH_ARG_SPEC,
        ),
        supports_check_mode=True,
    )
    params = module.params
    run_plan(module, lambda: plan_prune(open_cluster(module), params["node_selector"], with_pods=params["with_pods"]))


if __name__ == "__main__":
    main()
