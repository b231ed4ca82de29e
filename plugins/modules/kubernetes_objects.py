#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_objects
short_description: Bring many Kubernetes objects to their manifests, writing only what differs
version_added: 0.1.0
description:
  - Applies a list of manifests by server-side apply, or deletes the objects they name, in one task.
  - What is there is listed once for each kind and namespace; objects that already are as their manifest says are not written.
  - Beside M(kubernetes.core.k8s), it predicts in check mode what becomes of objects whose namespace is not there yet, shows objects that
    are created in the diff, and notices fields that an earlier manifest set and this one no longer names.
  - Objects that it creates get the label C(app.kubernetes.io/managed-by=aks.virtual_nodes), so that O(created_here_only) can tell them
    from those that were there before.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  definitions:
    description:
      - The manifests, each with C(apiVersion), C(kind) and C(metadata.name); namespaced ones with C(metadata.namespace).
      - In any order. Namespaces are made first, pods and what makes pods last, bindings of roles and policies before these, and everything else
        after the namespaces; those of one stage side by side.
    type: list
    elements: dict
    required: true
  state:
    description:
      - With V(present), fields that a manifest names get its values, whoever owned them; fields it does not name stay with their owners.
      - With V(absent), the objects are deleted, pods first and Namespaces last.
    type: str
    choices: [present, absent]
    default: present
  created_here_only:
    description:
      - With O(state=absent), leave objects alone that this module did not create, and namespaces that hold such objects.
    type: bool
    default: false
  wait:
    description:
      - Wait until Deployments are rolled out and Services of type LoadBalancer have an address, or with O(state=absent) until the objects are
        gone. What holds them up is told at the end, in the words of pods and events.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait, in seconds.
    type: int
    default: 600
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
attributes:
  check_mode:
    support: full
    description: Predicts the changes; the API server is asked for updates only, by dry run.
  diff_mode:
    support: full
    description: Shows the objects without what only the server writes, and without the values of Secrets.
seealso:
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: A namespace and an annotated ServiceAccount
  aks.virtual_nodes.kubernetes_objects:
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
      - apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: orders
          namespace: shop
          annotations:
            azure.workload.identity/client-id: 11111111-1111-1111-1111-111111111111
"""

RETURN = r"""
objects:
  description: The objects in the order of O(definitions), and what became of each.
  returned: success
  type: list
  elements: dict
  contains:
    apiVersion:
      description: API version of the object.
      type: str
      returned: always
      sample: v1
    kind:
      description: Kind of the object.
      type: str
      returned: always
      sample: ServiceAccount
    namespace:
      description: Namespace of the object; empty for cluster-scoped ones.
      type: str
      returned: always
      sample: shop
    name:
      description: Name of the object.
      type: str
      returned: always
      sample: orders
    action:
      description: V(create), V(update), V(delete), or V(none).
      type: str
      returned: always
      sample: create
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils import kubernetes_objects
from ..module_utils.waiting import Deadline
from ..module_utils.kube.objects import ObjectClient
from ..module_utils.plan.plan import Plan
from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import run_plan


class Task:
    """One call of the module: the client is shared by plan and wait."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._client: ObjectClient | None = None

    @property
    def client(self) -> ObjectClient:
        if self._client is None:
            self._client = ObjectClient(open_cluster(self._module))
        return self._client

    def plan(self) -> Plan:
        params = self._module.params
        if params["state"] == "present":
            return kubernetes_objects.plan_present(self.client, params["definitions"])
        return kubernetes_objects.plan_absent(
            self.client, params["definitions"], created_here_only=params["created_here_only"]
        )

    def wait(self) -> None:
        params = self._module.params
        deadline = Deadline(params["wait_timeout"])
        if params["state"] == "present":
            kubernetes_objects.wait_present(self.client, params["definitions"], deadline)
        else:
            kubernetes_objects.wait_absent(self.client, params["definitions"], deadline)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            definitions=dict(type="list", elements="dict", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            created_here_only=dict(type="bool", default=False),
            wait=dict(type="bool", default=False),
            wait_timeout=dict(type="int", default=600),
            **AUTH_ARG_SPEC,
        ),
        supports_check_mode=True,
    )
    task = Task(module)
    run_plan(module, task.plan, wait=task.wait if module.params["wait"] else None)


if __name__ == "__main__":
    main()
