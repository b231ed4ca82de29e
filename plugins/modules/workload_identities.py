#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_identities
short_description: Bring many identities, their federated credentials and role assignments to the wished-for state
version_added: 0.1.0
description:
  - For each identity, creates or corrects the user-assigned identity, one federated credential for every ServiceAccount and issuer
    (or an AKS identity binding for every cluster), and its role assignments.
  - What is there is read with list requests first, everything is checked, and only then is anything written. Different identities
    are written side by side; the credentials of one identity one after the other, as the service demands.
  - A failure at one identity does not stop the others; the module then fails and tells what succeeded. A second run does the rest.
  - A trust that exists under another name (made by C(az) or Terraform) is accepted as it is.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the identities. It must exist.
    type: str
    required: true
  location:
    description:
      - Azure region of new identities; by default the resource group's.
    type: str
  issuers:
    description:
      - OIDC issuer URLs of the clusters whose ServiceAccounts shall be trusted, with their trailing slash.
    type: list
    elements: str
    default: []
  clusters:
    description:
      - AKS clusters that identities with O(identities[].federation=binding) are bound to. They must be in O(subscription_id).
      - Nothing is asked about them unless there is such an identity.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the cluster.
        type: str
        required: true
      resource_group:
        description:
          - Resource group of the cluster; by default O(resource_group).
        type: str
  identities:
    description:
      - The identities.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the identity, 3 to 128 letters, digits, hyphens and underscores.
        type: str
        required: true
      tags:
        description:
          - Tags of the identity, added to those it has. Without it, tags are left as they are.
        type: dict
      service_accounts:
        description:
          - Kubernetes ServiceAccounts that may act as the identity.
          - Together with the credentials that the identity has already, at most 20 for each identity (and issuer);
            O(identities[].shard) takes any number.
        type: list
        elements: dict
        default: []
        suboptions:
          namespace:
            description:
              - Namespace of the ServiceAccount.
            type: str
            required: true
          name:
            description:
              - Name of the ServiceAccount.
            type: str
            required: true
      federation:
        description:
          - How pods of the ServiceAccounts come to act as the identity.
          - V(credential) makes a federated credential for each of O(identities[].service_accounts) and each of O(issuers).
          - V(binding) makes an AKS identity binding for each of O(clusters), whatever the number of ServiceAccounts. Which of them may use it is
            then decided by RBAC on the cluster, and the pods and applications have to ask for it; see the collection's guide on identity
            bindings for what that takes.
          - A binding of the identity that is there under another name is accepted as it is. A new one has the identity's name.
          - Credentials that an identity had before it got V(binding) stay, unless O(exclusive). The one that AKS itself keeps on the identity is
            never touched.
        type: str
        choices: [credential, binding]
        default: credential
      shard:
        description:
          - Spread the ServiceAccounts over as many identities as are needed, named O(identities[].name) with V(-1), V(-2) and so on
            appended. Each of them gets the tags and role assignments. No identity has the name itself.
          - A ServiceAccount that is trusted by one of these identities stays there, whichever others are added or removed. A new one goes to
            the lowest number with room. Identities are never removed because they are no longer needed.
          - Each ServiceAccount is to be annotated with the client id of its own identity, see RV(identities[].service_accounts).
          - The names are reserved for this. An identity of such a name counts as one of them if the numbers before its own exist as well, or
            if it trusts one of the ServiceAccounts.
        type: bool
        default: false
      role_assignments:
        description:
          - Roles that the identity shall have.
        type: list
        elements: dict
        default: []
        suboptions:
          role:
            description:
              - Name of a built-in or custom role, its GUID, or its id.
            type: str
            required: true
          scope:
            description:
              - ARM id of the subscription, resource group or resource.
            type: str
            required: true
  state:
    description:
      - With V(present), everything listed is made. Credentials that are not listed stay unless O(exclusive); roles always do.
      - With V(absent), the listed ServiceAccounts are no longer trusted (with O(identities[].federation=binding), the bindings to O(clusters)
        are deleted) and the listed roles are taken away; the identities themselves stay unless O(delete_identities).
    type: str
    choices: [present, absent]
    default: present
  delete_identities:
    description:
      - With O(state=absent), delete the identities themselves as well, and with them all their credentials.
    type: bool
    default: false
  exclusive:
    description:
      - With O(state=present), delete the federated credentials of the listed identities that are not wished for, whoever made them.
        Identities that are not listed are left alone.
      - B(Every) cluster whose ServiceAccounts use the identities must then be in O(issuers), otherwise its pods lose their access.
      - Within an identity, they are deleted last; only where there is no room for the new ones otherwise, first.
    type: bool
    default: false
  pending_scopes:
    description:
      - ARM ids of resources, among the scopes of O(identities[].role_assignments), that need not be there. In check mode an earlier task may be
        about to make them, and after a teardown they are gone; they have no role assignments then. Any other scope that does not exist is an
        error.
    type: list
    elements: str
    default: []
  wait_timeout:
    description:
      - Seconds that AKS may take for each identity binding.
    type: int
    default: 600
extends_documentation_fragment:
  - aks.virtual_nodes.azure
  - aks.virtual_nodes.progress
requirements:
  - azure-mgmt-msi >= 7.1.0
  - azure-mgmt-authorization >= 4.0.0 (only for role assignments)
  - azure-mgmt-containerservice >= 41.0.0 (only for identity bindings)
attributes:
  check_mode:
    support: full
    description: Predicts the changes without writing; ids that only Azure can give are then V((known after apply\)).
  diff_mode:
    support: full
    description: Shows what is managed, before and after.
seealso:
  - module: aks.virtual_nodes.cluster_features
  - module: aks.virtual_nodes.workload_identity_check
"""

EXAMPLES = r"""
- name: Two applications of one cluster, one of them with a role
  aks.virtual_nodes.workload_identities:
    resource_group: rg-shop
    issuers:
      - https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
    identities:
      - name: id-orders
        service_accounts:
          - namespace: shop
            name: orders
        role_assignments:
          - role: Key Vault Secrets User
            scope: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.KeyVault/vaults/kv-shop
      - name: id-payments
        service_accounts:
          - namespace: shop
            name: payments
  register: made

- name: Exactly these, and no other credential that somebody made on the identity
  aks.virtual_nodes.workload_identities:
    resource_group: rg-shop
    issuers: ["{{ cluster_oidc_issuer_url }}"]
    exclusive: true
    identities:
      - name: id-orders
        service_accounts:
          - namespace: shop
            name: orders

- name: One ServiceAccount for each of a hundred tenants, on id-tenants-1 to id-tenants-5
  aks.virtual_nodes.workload_identities:
    resource_group: rg-shop
    issuers: ["{{ cluster_oidc_issuer_url }}"]
    identities:
      - name: id-tenants
        shard: true
        service_accounts: "{{ tenant_accounts }}" # a list of a hundred namespaces and names
  register: tenants

- name: An identity for any number of the cluster's ServiceAccounts
  aks.virtual_nodes.workload_identities:
    resource_group: rg-shop
    clusters:
      - name: aks-shop
    identities:
      - name: id-shop
        federation: binding

- name: Whom each of them trusts, and the client id to annotate them with
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.client_id }}: {{ item.service_accounts | map(attribute='namespace') | join(', ') }}"
  loop: "{{ tenants.identities }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
identities:
  description:
    - The identities in the order of O(identities), after the change, in check mode as they would be.
    - With O(identities[].shard), each of an entry's identities by itself, in the order of their numbers.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ARM id of the identity.
      type: str
      returned: always
      sample: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders
    name:
      description: Name of the identity.
      type: str
      returned: always
      sample: id-orders
    resource_group:
      description: Resource group of the identity.
      type: str
      returned: always
      sample: rg-shop
    location:
      description: Azure region.
      type: str
      returned: always
      sample: westeurope
    tags:
      description: Tags of the identity.
      type: dict
      returned: always
      sample: {team: shop}
    isolation_scope:
      description: V(None) or V(Regional).
      type: str
      returned: always
      sample: None
    client_id:
      description: Client id, which ServiceAccounts are annotated with. V((known after apply\)) in check mode for an identity that is not there yet.
      type: str
      returned: always
      sample: 11111111-1111-1111-1111-111111111111
    principal_id:
      description: Object id of the identity's service principal, which roles are assigned to.
      type: str
      returned: always
      sample: 44444444-4444-4444-4444-444444444444
    tenant_id:
      description: Tenant of the identity.
      type: str
      returned: always
      sample: 22222222-2222-2222-2222-222222222222
    federation:
      description: V(credential) or V(binding), as in O(identities[].federation).
      type: str
      returned: always
      sample: credential
    identity_bindings:
      description: The bindings of the identity to O(clusters), with O(identities[].federation=binding).
      type: list
      elements: dict
      returned: always
      sample: []
    service_accounts:
      description: The ServiceAccounts of the input; with O(identities[].shard), those that this identity trusts.
      type: list
      elements: dict
      returned: always
      sample: [{namespace: shop, name: orders}]
    federated_credentials:
      description: The credentials that trust them.
      type: list
      elements: dict
      returned: always
      sample: []
summary:
  description: Counts of the identities looked after, and of the resources created, updated and deleted.
  returned: success
  type: dict
  sample: {identities: 2, created: 5, updated: 0, deleted: 0}
timing:
  description: Seconds that reading and writing took; in check mode, and where nothing was to be written, reading alone.
  returned: always, once Azure has been asked
  type: dict
  sample: {reading_seconds: 3.1, writing_seconds: 182.4}
failures:
  description: What failed, when something did and there was more than one change to make.
  returned: failure
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.plan.plan import Plan
from ..module_utils.plan.workload_identities import Federation, ServiceAccount, WorkloadIdentity, validate
from ..module_utils.progress import DEFAULT_INTERVAL_S, Tally
from ..module_utils.resources.role_assignment import RoleGrant
from ..module_utils.resources.user_assigned_identity import IdentitySpec
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_long_plan
from ..module_utils.workload_identities import ClusterName, make_plan


def wanted(params: dict[str, Any]) -> list[WorkloadIdentity]:
    return [
        WorkloadIdentity(
            IdentitySpec(each["name"], params["location"], each["tags"]),
            tuple(ServiceAccount(account["namespace"], account["name"]) for account in each["service_accounts"]),
            tuple(RoleGrant(grant["role"], grant["scope"]) for grant in each["role_assignments"]),
            federation=Federation(each["federation"]),
            shard=each["shard"],
        )
        for each in params["identities"]
    ]


def plan(module: AnsibleModule, tally: Tally) -> Plan:
    params = module.params
    identities = wanted(params)
    present = params["state"] == "present"
    clusters = [
        ClusterName(each["name"], each["resource_group"] or params["resource_group"]) for each in params["clusters"]
    ]
    validate(identities, params["issuers"], clusters, present=present, predicting=module.check_mode)
    return make_plan(
        open_session(module),
        params["resource_group"],
        identities,
        params["issuers"],
        clusters,
        present=present,
        delete_identities=params["delete_identities"],
        exclusive=params["exclusive"],
        predicting=module.check_mode,
        pending_scopes=params["pending_scopes"],
        wait_timeout=params["wait_timeout"],
        tally=tally,
    )


def main() -> None:
    service_account = dict(namespace=dict(type="str", required=True), name=dict(type="str", required=True))
    cluster = dict(name=dict(type="str", required=True), resource_group=dict(type="str"))
    role_assignment = dict(role=dict(type="str", required=True), scope=dict(type="str", required=True))
    identity = dict(
        name=dict(type="str", required=True),
        tags=dict(type="dict"),
        service_accounts=dict(type="list", elements="dict", default=[], options=service_account),
        federation=dict(type="str", choices=["credential", "binding"], default="credential"),
        shard=dict(type="bool", default=False),
        role_assignments=dict(type="list", elements="dict", default=[], options=role_assignment),
    )
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            location=dict(type="str"),
            issuers=dict(type="list", elements="str", default=[]),
            clusters=dict(type="list", elements="dict", default=[], options=cluster),
            identities=dict(type="list", elements="dict", required=True, options=identity),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            delete_identities=dict(type="bool", default=False),
            exclusive=dict(type="bool", default=False),
            pending_scopes=dict(type="list", elements="str", default=[]),
            wait_timeout=dict(type="int", default=600),
            progress_interval=dict(type="int", default=DEFAULT_INTERVAL_S),
        ),
        supports_check_mode=True,
    )
    run_long_plan(module, lambda tally: plan(module, tally))


if __name__ == "__main__":
    main()
