#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: identity_binding
short_description: Bind a user-assigned identity to an AKS cluster, or take the binding away
version_added: 0.1.0
description:
  - Manages one identity binding, with which any number of a cluster's ServiceAccounts use an identity. AKS keeps a single
    federated credential for all bindings of an identity, so the limit of 20 does not matter.
  - Which ServiceAccounts may use the identity is decided by Kubernetes RBAC on the cluster. The guide of identity bindings shows
    the C(ClusterRole) and C(ClusterRoleBinding), and what pods need.
  - A cluster or binding that is busy with another operation is waited for, up to O(wait_timeout).
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the cluster.
    type: str
    required: true
  cluster:
    description:
      - Name of the cluster. It must exist and have workload identity switched on.
    type: str
    required: true
    aliases: [cluster_name]
  name:
    description:
      - Name of the binding.
    type: str
    required: true
  identity:
    description:
      - The user-assigned identity, by its name in O(identity_resource_group) or by its ARM id. It must exist.
      - AKS cannot change the identity of a binding, and takes one binding for an identity and a cluster.
      - Required for a binding that shall be present.
    type: str
  identity_resource_group:
    description:
      - Resource group of an identity that is given by name. Without it, O(resource_group).
    type: str
  wait:
    description:
      - Whether to wait until AKS has made or deleted the binding. With V(false), its acceptance is enough.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait for a busy cluster and for the operation itself, in seconds.
    type: int
    default: 600
  state:
    description:
      - Whether the binding shall exist.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-containerservice >= 41.8.0
notes:
  - To make a binding, AKS writes the federated credential C(aks-identity-binding) of the identity, with the rights of the principal that
    asks. It needs C(Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/*) on the identity and
    C(Microsoft.ContainerService/managedClusters/identityBindings/*) on the cluster.
  - AKS keeps that credential when the identity's last binding is deleted.
attributes:
  check_mode:
    support: full
    description: >-
      Predicts the change; client id and issuer of a new binding are then V((known after apply\)). An identity that is missing and
      workload identity that is off are no errors then, since an earlier task may be about to change that.
  diff_mode:
    support: full
    description: Shows what is managed, before and after.
seealso:
  - module: aks.virtual_nodes.cluster_features
  - module: aks.virtual_nodes.federated_credential
  - module: aks.virtual_nodes.kubernetes_objects
  - name: Identity bindings for AKS
    description: Microsoft's documentation of the concept and its limits.
    link: https://learn.microsoft.com/azure/aks/identity-bindings-concepts
"""

EXAMPLES = r"""
- name: Bind an identity to a cluster
  aks.virtual_nodes.identity_binding:
    resource_group: rg-shop
    cluster: aks-shop
    name: orders
    identity: id-orders
  register: binding

- name: Let the ServiceAccount shop/orders use it
  aks.virtual_nodes.kubernetes_objects:
    definitions:
      - apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata:
          name: use-id-orders
        rules:
          - apiGroups: [cid.wi.aks.azure.com]
            resources: ["{{ binding.identity_binding.client_id }}"]
            verbs: [use-managed-identity]
      - apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata:
          name: use-id-orders
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: ClusterRole
          name: use-id-orders
        subjects:
          - kind: ServiceAccount
            namespace: shop
            name: orders

- name: Unbind it
  aks.virtual_nodes.identity_binding:
    resource_group: rg-shop
    cluster: aks-shop
    name: orders
    state: absent
"""

RETURN = r"""
identity_binding:
  description: The binding after the change, in check mode as it would be; empty when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: ARM id of the binding.
      type: str
      returned: always
      sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/aks-shop/identityBindings/orders
    name:
      description: Name of the binding.
      type: str
      returned: always
      sample: orders
    identity_id:
      description: ARM id of the identity that is bound.
      type: str
      returned: always
      sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders
    client_id:
      description: Client id of the identity, which the ServiceAccounts' annotation and the C(ClusterRole) name.
      type: str
      returned: always
      sample: 11111111-1111-1111-1111-111111111111
    oidc_issuer_url:
      description: URL of the issuer that AKS keeps for the identity, the same for all clusters.
      type: str
      returned: always
      sample: https://ib.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/11111111-1111-1111-1111-111111111111
    provisioning_state:
      description: State of the last operation, such as V(Succeeded), V(Creating) or V(Failed).
      type: str
      returned: always
      sample: Succeeded
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.resource_id import provider_id
from ..module_utils.arm.session import Session
from ..module_utils.change import UNKNOWN, Change, State, States
from ..module_utils.errors import ConfigurationError
from ..module_utils.plan.plan import Plan
from ..module_utils.resources import identity_binding, managed_cluster
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan
from ..module_utils.waiting import Deadline


class Binding:
    """What the options ask for, and how it is waited for."""

    def __init__(self, module: AnsibleModule) -> None:
        self._params = module.params
        self._predicting = module.check_mode
        self._deadline = Deadline(module.params["wait_timeout"])
        self._session: Session | None = None
        self._settled: State | None = None
        self._module = module

    def make_plan(self) -> Plan:
        session = self._session = open_session(self._module)
        if self._params["state"] == "present":
            cluster, found, change = self._present(session)
        else:
            cluster, found, change = self._absent(session)
        resource_id = identity_binding.binding_id(cluster["id"], self._params["name"])

        def apply(change: Change, _states: States) -> State | None:
            return identity_binding.write(session, change, self._deadline, wait=self._params["wait"])

        def report(states: States) -> dict[str, Any]:
            return {"identity_binding": dict(self._settled or states.get(resource_id) or {})}

        return Plan(
            observed=States({resource_id: found} if found else {}),
            chains=[[change]] if change else [],
            apply=apply,
            report=report,
        )

    def wait(self) -> None:
        """For what an earlier run, or somebody else, began."""
        if self._params["wait"] and self._session:
            group, cluster, name = (self._params[each] for each in ("resource_group", "cluster", "name"))
            self._settled = identity_binding.wait_until_settled(self._session, group, cluster, name, self._deadline)

    def _present(self, session: Session) -> tuple[State, State | None, Change | None]:
        params = self._params
        identity_group = params["identity_resource_group"] or params["resource_group"]
        identity_id = identity_binding.identity_id_of(session, params["identity"], identity_group)
        cluster = managed_cluster.read(session, params["resource_group"], params["cluster"]).state
        bindings = identity_binding.list_of(session, params["resource_group"], cluster["name"])
        found = next((each for each in bindings if each["name"].lower() == params["name"].lower()), None)
        if identity_binding.diff(cluster, bindings, params["name"], identity_id) is None:
            return cluster, found, None
        client_id = identity_binding.client_id_of(session, identity_id)
        if not self._predicting:
            identity_binding.refuse_without_workload_identity(cluster)
            if client_id is None:
                raise ConfigurationError(
                    f"Identity '{identity_id}' does not exist: check identity and identity_resource_group, or create it first "
                    "(aks.virtual_nodes.user_assigned_identity)."
                )
        change = identity_binding.diff(cluster, bindings, params["name"], identity_id, client_id or UNKNOWN)
        return cluster, found, change

    def _absent(self, session: Session) -> tuple[State, State | None, Change | None]:
        group, name = self._params["resource_group"], self._params["cluster"]
        cluster_id = provider_id(session.subscription_id, group, "Microsoft.ContainerService/managedClusters", name)
        cluster = {"id": cluster_id, "name": name, "resource_group": group}
        found = identity_binding.read(session, group, name, self._params["name"])
        if found is None or identity_binding.is_being_deleted(found):
            return cluster, None, None
        return cluster, found, Change.delete(identity_binding.binding_id(cluster_id, found["name"]), found)


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            cluster=dict(type="str", required=True, aliases=["cluster_name"]),
            name=dict(type="str", required=True),
            identity=dict(type="str"),
            identity_resource_group=dict(type="str"),
            wait=dict(type="bool", default=True),
            wait_timeout=dict(type="int", default=600),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        required_if=[("state", "present", ("identity",))],
        supports_check_mode=True,
    )
    binding = Binding(module)
    run_plan(module, binding.make_plan, binding.wait)


if __name__ == "__main__":
    main()
