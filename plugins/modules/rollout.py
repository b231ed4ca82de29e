#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Bring Deployments to their replica counts at no more than so many pods a minute
version_added: 0.1.0
description:
  - Makes thousands of pods in waves, so that no more than O(pods_per_minute) are asked for in any minute, whether the Deployments are
    there yet or not, and waits until all of them are ready.
  - Readiness is watched, with one watch on Deployments and one on pods, and not polled. What is sent grows with the number of Deployments
    and waves, and not with that of pods.
  - Holds as soon as more pods fail than O(failure_budget) allows, and says which and why. Run it again to go on.
  - An interrupted run can be run again; pods that were made in the last minute count against the rate.
  - Refuses, before anything is written, what the virtual nodes have no room for.
  - Scales down as well, at the same pace, and before anything is scaled up.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  definitions:
    description:
      - Complete manifests of Deployments (C(apps/v1)), with C(metadata.namespace) and C(spec.replicas). The namespaces have to exist.
      - A Deployment that is not there is made without pods first, and then raised by server-side apply of the whole manifest, as
        M(aks.virtual_nodes.kubernetes_objects) applies it.
      - Of a Deployment whose pod template changes, all pods are replaced by the Deployment controller at its own pace
        (C(maxSurge), C(maxUnavailable)), which this module cannot cut into waves. It changes one such Deployment after the other, and
        counts all its pods against the rate. Where that matters, bound the pace by C(maxSurge) and C(maxUnavailable).
    type: list
    elements: dict
    default: []
  deployments:
    description:
      - Deployments that are there, of which nothing but the number of replicas shall change.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description:
          - Namespace of the Deployment.
        type: str
        required: true
      name:
        description:
          - Name of the Deployment.
        type: str
        required: true
      replicas:
        description:
          - Number of pods that it shall have.
        type: int
        required: true
  pods_per_minute:
    description:
      - How many pods may be asked for, or ended, in any minute.
    type: int
    default: 1000
  wave_seconds:
    description:
      - About how many seconds apart the waves are. A wave has as many pods as the rate gives in that time.
    type: float
    default: 6.0
  failure_budget:
    description:
      - How many pods may fail at the same time before no more are asked for. A number, or a share of all pods of the rollout,
        such as V(2%).
      - A pod fails that says so itself (its image cannot be pulled, its container crashes again and again, the container group cannot be
        made), that is not ready O(ready_timeout) seconds after its creation, or that cannot be created at all.
      - With no more than so many failing pods the rollout goes on, and in the end succeeds with a warning.
    type: str
    default: 2%
  ready_timeout:
    description:
      - Seconds from the creation of a pod until it counts as failed if it is not ready.
      - Also how long nothing at all may move, and how long the API server may be away.
    type: int
    default: 300
  check_room:
    description:
      - Refuse more pods than the virtual nodes have room for. Only Deployments whose pods select virtual nodes
        (C(virtualization=virtualnode2)) are looked at.
      - With V(false), what does not fit waits for a node, and counts as failed after O(ready_timeout).
    type: bool
    default: true
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - aks.virtual_nodes.progress
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
notes:
  - Where the Deployments are in more than one namespace, the principal needs the right to list and watch Deployments and pods in all of
    them at once (a ClusterRole). To check the room it needs to list nodes, pods and StatefulSets of the cluster.
attributes:
  check_mode:
    support: full
    description: Says the waves, and whether there is room for them. The API server is asked for updates only, by dry run.
  diff_mode:
    support: full
    description: Shows the Deployments as they will be in the end, without what only the server writes.
seealso:
  - module: aks.virtual_nodes.kubernetes_objects
  - module: kubernetes.core.k8s_scale
"""

EXAMPLES = r"""
- name: Bring 2,400 pods to virtual nodes
  aks.virtual_nodes.rollout:
    definitions: "{{ lookup('ansible.builtin.file', 'deployments.yaml') | from_yaml_all | list }}"
    pods_per_minute: 1000

- name: Scale what is there, carefully
  aks.virtual_nodes.rollout:
    deployments:
      - namespace: shop
        name: orders
        replicas: 800
      - namespace: shop
        name: reports
        replicas: 0
    pods_per_minute: 300
    failure_budget: "10"
  register: scaled

- name: Say how it went
  ansible.builtin.debug:
    msg: >-
      {{ scaled.rollout.ready }} pods are ready, at {{ scaled.rollout.achieved_rate }} a minute;
      half of them took less than {{ scaled.rollout.p50_ready_s }} s.
"""

RETURN = r"""
deployments:
  description: The Deployments, those of O(definitions) first, and what became of each.
  returned: success, or when the rollout holds
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the Deployment.
      type: str
      returned: always
      sample: shop
    name:
      description: Name of the Deployment.
      type: str
      returned: always
      sample: orders
    before:
      description: Replicas that it was set to; null if it was not there.
      type: int
      returned: always
      sample: 200
    replicas:
      description: Replicas that it shall have.
      type: int
      returned: always
      sample: 800
    action:
      description: V(create), V(update), or V(none).
      type: str
      returned: always
      sample: update
waves:
  description: The waves as planned, the first 200 of them.
  returned: success, or when the rollout holds
  type: list
  elements: dict
  contains:
    seconds:
      description: When it is sent, in seconds since the first.
      type: float
      returned: always
      sample: 6.0
    pods:
      description: Number of pods that it asks for, ends or replaces.
      type: int
      returned: always
      sample: 100
    deployments:
      description: Number of Deployments that it goes to.
      type: int
      returned: always
      sample: 4
room:
  description: Pods that the virtual nodes shall take, and how many more they can; empty if that was not looked at.
  returned: success, or when the rollout holds
  type: dict
  sample: {pods_to_add: 600, pods_waiting: 0, room: 2400, capacity: 3000}
causes:
  description: Why pods fail, the most frequent causes first.
  returned: when pods were asked for
  type: list
  elements: dict
  contains:
    pods:
      description: Number of pods that fail for this.
      type: int
      returned: always
      sample: 38
    reason:
      description: The reason in one word.
      type: str
      returned: always
      sample: ImagePullBackOff
    message:
      description: What the pod says of it, or else the last warning that Kubernetes recorded of it.
      type: str
      returned: always
      sample: 'Back-off pulling image "registry.example.com/orders:2"'
    examples:
      description: Namespace and name of some of the pods.
      type: list
      elements: str
      returned: always
      sample: [shop/orders-5d9c7b6f4d-2x8vq]
rollout:
  description: How it went. Not returned in check mode.
  returned: when it was carried out
  type: dict
  contains:
    pods:
      description: Pods that there shall be.
      type: int
      returned: always
      sample: 2400
    desired:
      description: Pods that were asked for.
      type: int
      returned: always
      sample: 2400
    ready:
      description: Pods that are ready.
      type: int
      returned: always
      sample: 2400
    failing:
      description: Pods that fail.
      type: int
      returned: always
      sample: 0
    failure_budget:
      description: Pods that may fail.
      type: int
      returned: always
      sample: 48
    waves:
      description: Waves that were sent.
      type: int
      returned: always
      sample: 24
    seconds:
      description: How long it took.
      type: float
      returned: always
      sample: 146.2
    asked_rate:
      description: O(pods_per_minute).
      type: int
      returned: always
      sample: 1000
    achieved_rate:
      description: >-
        Pods that became ready each minute once it was under way, leaving out the first and the last tenth; null for fewer than ten.
      type: float
      returned: always
      sample: 998.4
    p50_ready_s:
      description: Seconds in which half of the new pods became ready, from their creation; null if there are none.
      type: float
      returned: always
      sample: 2.1
    p95_ready_s:
      description: The same for 95 of 100.
      type: float
      returned: always
      sample: 2.9
    requests:
      description: Requests that were sent to the API server, all in all.
      type: int
      returned: always
      sample: 148
    watches:
      description: Watches that were open at the same time, at most.
      type: int
      returned: always
      sample: 2
    peak_memory_mib:
      description: Memory of the module's process at its peak (resident), in MiB.
      type: float
      returned: always
      sample: 74.5
    curve:
      description: At most 60 points of time (C(seconds)), with the pods asked for (C(desired)) and C(ready) by then.
      type: list
      elements: dict
      returned: always
      sample: [{seconds: 0.0, desired: 0, ready: 0}, {seconds: 146.2, desired: 2400, ready: 2400}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils.errors import ConfigurationError
from ..module_utils.plan.plan import Plan
from ..module_utils.plan.rollout import Pace
from ..module_utils.progress import DEFAULT_INTERVAL_S
from ..module_utils.rollout import Rollout
from ..module_utils.rollout_goals import Existing, Settings
from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import run_plan


class Task:
    """One call of the module: plan, waves and progress are of one rollout."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._rollout: Rollout | None = None

    def plan(self) -> Plan:
        params = self._module.params
        if params["pods_per_minute"] < 1 or params["wave_seconds"] <= 0 or params["ready_timeout"] < 1:
            raise ConfigurationError("pods_per_minute, wave_seconds and ready_timeout have to be more than 0.")
        self._rollout = Rollout(
            open_cluster(self._module),
            params["definitions"],
            [Existing(**each) for each in params["deployments"]],
            Settings(
                Pace(params["pods_per_minute"], params["wave_seconds"]),
                params["failure_budget"],
                params["ready_timeout"],
                params["check_room"],
            ),
        )
        return self._rollout.plan()

    def roll(self) -> None:
        if self._rollout:
            self._rollout.roll()

    def describe(self) -> str:
        return self._rollout.describe() if self._rollout else "connecting ..."


def main() -> None:
    existing = dict(
        namespace=dict(type="str", required=True),
        name=dict(type="str", required=True),
        replicas=dict(type="int", required=True),
    )
    module = AnsibleModule(
        argument_spec=dict(
            definitions=dict(type="list", elements="dict", default=[]),
            deployments=dict(type="list", elements="dict", default=[], options=existing),
            pods_per_minute=dict(type="int", default=1000),
            wave_seconds=dict(type="float", default=6.0),
            failure_budget=dict(type="str", default="2%"),
            ready_timeout=dict(type="int", default=300),
            check_room=dict(type="bool", default=True),
            progress_interval=dict(type="int", default=DEFAULT_INTERVAL_S),
            **AUTH_ARG_SPEC,
        ),
        supports_check_mode=True,
    )
    task = Task(module)
    run_plan(module, task.plan, wait=task.roll, describe=task.describe)


if __name__ == "__main__":
    main()
