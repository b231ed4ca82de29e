#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_node_info
short_description: Tell what the virtual nodes of a cluster are like, and how many pods they have room for
version_added: 0.1.0
description:
  - Returns the virtual nodes of the cluster with the pods on each, the room that is left, and the infrastructure pod behind it.
  - Tells which workloads on virtual nodes still get a kube-proxy, and which ask for workload identity without having got it.
  - The API server is asked for nodes, StatefulSets and pods, 500 at a time, so 12,000 pods are less than 30 requests.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  node_selector:
    description:
      - Labels of the nodes to look at, as V(key=value) separated by commas.
    type: str
    default: virtualization=virtualnode2
  details:
    description:
      - Return the nodes and workloads one by one. Without it, only RV(fleet), the totals, is returned.
    type: bool
    default: true
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
notes:
  - The caller needs the right to list nodes, and pods and StatefulSets in all namespaces.
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.virtual_node_prune
  - name: Virtual nodes on Azure Container Instances
    description: The chart, and its documentation.
    link: https://github.com/microsoft/virtualnodesOnAzureContainerInstances
"""

EXAMPLES = r"""
- name: Look at the virtual nodes
  aks.virtual_nodes.virtual_node_info:
  register: found

- name: There must be room for 400 more pods
  ansible.builtin.assert:
    that: found.fleet.room - found.fleet.waiting >= 400
    fail_msg: "The {{ found.fleet.nodes }} virtual nodes have room for {{ found.fleet.room }} pods; {{ found.fleet.waiting }} wait already."

- name: No workload may come with a kube-proxy
  ansible.builtin.assert:
    that: found.with_kube_proxy == []
    fail_msg: "{{ found.with_kube_proxy | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
fleet:
  description: The fleet in numbers.
  returned: success
  type: dict
  contains:
    nodes:
      description: Nodes that the selector chose.
      type: int
      returned: always
      sample: 12
    ready:
      description: Those that are Ready. Stale ones are, mostly.
      type: int
      returned: always
      sample: 12
    cordoned:
      description: Those that take no new pods because somebody said so.
      type: int
      returned: always
      sample: 0
    stale:
      description: Those that nothing is behind any more. The scheduler still binds pods to them, which then never start.
      type: int
      returned: always
      sample: 2
    foreign:
      description: Those that have the labels and are something else than virtual nodes on Azure Container Instances.
      type: int
      returned: always
      sample: 0
    capacity:
      description: Pods that fit on the nodes that start pods, those that are there included.
      type: int
      returned: always
      sample: 2000
    pods:
      description: Pods that are bound to the nodes and not over.
      type: int
      returned: always
      sample: 1600
    room:
      description: Pods that can still come, on nodes that are Ready, not cordoned, and backed by a pod.
      type: int
      returned: always
      sample: 400
    waiting:
      description: Pods that select these nodes and have none yet.
      type: int
      returned: always
      sample: 0
    pods_with_kube_proxy:
      description: Pods on these nodes that get a kube-proxy.
      type: int
      returned: always
      sample: 0
    pods_without_identity:
      description: Pods on these nodes that ask for workload identity and lack the client id or the token.
      type: int
      returned: always
      sample: 0
nodes:
  description: The nodes, by name.
  returned: when O(details=true)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      returned: always
      sample: virtualnode-0
    created:
      description: When the node was registered, in UTC.
      type: str
      returned: always
      sample: '2026-01-01T00:00:00Z'
    age:
      description: The same, as seconds ago.
      type: int
      returned: always
      sample: 86400
    ready:
      description: Whether its condition says Ready.
      type: bool
      returned: always
      sample: true
    cordoned:
      description: Whether it takes no new pods.
      type: bool
      returned: always
      sample: false
    kubelet_version:
      description: Version of its kubelet, which the chart brings.
      type: str
      returned: always
      sample: v1.34.6
    chart:
      description: Chart and version, from the label of the StatefulSet; empty without one.
      type: str
      returned: always
      sample: virtualnode-1.3409.26080501
    kube_proxy:
      description: Whether its pods may get a kube-proxy. V(false) if the chart was installed with C(kubeProxy.enabled=false).
      type: bool
      returned: always
      sample: true
    capacity:
      description: How many pods may be bound to it.
      type: int
      returned: always
      sample: 200
    pods:
      description: How many pods are bound to it and not over.
      type: int
      returned: always
      sample: 160
    room:
      description: How many more it takes now.
      type: int
      returned: always
      sample: 40
    backing_pod:
      description: The infrastructure pod of its name; none for a stale node.
      type: dict
      returned: always
      contains:
        namespace:
          description: Namespace of the pod.
          type: str
          returned: always
          sample: vn2
        name:
          description: Name of the pod.
          type: str
          returned: always
          sample: virtualnode-0
        phase:
          description: Phase of the pod.
          type: str
          returned: always
          sample: Running
        terminating:
          description: Whether it has been deleted and is still there.
          type: bool
          returned: always
          sample: false
    awaited:
      description: Whether a StatefulSet keeps or is about to make the pod behind it.
      type: bool
      returned: always
      sample: true
    stale:
      description: Whether nothing is behind it and nothing will be.
      type: bool
      returned: always
      sample: false
    foreign:
      description: Why it is not a virtual node on Azure Container Instances; empty if it is one.
      type: str
      returned: always
      sample: ''
with_kube_proxy:
  description: Workloads whose pods on these nodes get a kube-proxy, since their pod template does not opt out.
  returned: when O(details=true)
  type: list
  elements: dict
  contains: &workload
    namespace:
      description: Namespace of the workload.
      type: str
      returned: always
      sample: shop
    kind:
      description: Kind of the workload; V(Pod) for a pod without a controller.
      type: str
      returned: always
      sample: Deployment
    name:
      description: Name of the workload.
      type: str
      returned: always
      sample: orders
    pods:
      description: How many pods of it are concerned.
      type: int
      returned: always
      sample: 120
without_identity:
  description: Workloads whose pods on these nodes have the label C(azure.workload.identity/use=true), and no C(AZURE_CLIENT_ID) or no token.
  returned: when O(details=true)
  type: list
  elements: dict
  contains: *workload
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import run_info
from ..module_utils.virtual_nodes import report


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            node_selector=dict(type="str", default="virtualization=virtualnode2"),
            details=dict(type="bool", default=True),
            **AUTH_ARG_SPEC,
        ),
        supports_check_mode=True,
    )
    params = module.params
    run_info(module, lambda: report(open_cluster(module), params["node_selector"], details=params["details"]))


if __name__ == "__main__":
    main()
