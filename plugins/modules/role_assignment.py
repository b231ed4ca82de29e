#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_assignment
short_description: Give a principal a role at a scope, or take it away
version_added: 0.1.0
description:
  - Manages one role assignment. For the roles of many identities at once use M(aks.virtual_nodes.workload_identities).
  - An assignment is what it grants - a role to a principal at exactly one scope. One that exists under any name counts, and is left as it is.
  - New assignments are named by a GUID that follows from scope, role and principal, so that a repeated write is not a second assignment.
  - A principal that is too new for the authorization service is waited for, up to O(wait_timeout).
  - Conditions are neither compared nor set.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  scope:
    description:
      - ARM id of the subscription, resource group, resource or management group. Assignments above and below it do not count.
    type: str
    required: true
  role:
    description:
      - Name of a built-in or custom role, its GUID, or its id.
    type: str
    required: true
  principal_id:
    description:
      - Object id of the principal, which for an application is neither its client id nor the object id of its registration.
      - Give this, or O(identity) and O(resource_group).
    type: str
  identity:
    description:
      - Name of a user-assigned identity, whose principal id is looked up.
      - With O(state=absent), an identity that does not exist has no role to lose. What is left of a deleted identity's roles
        is taken away by its O(principal_id).
    type: str
    aliases: [identity_name]
  resource_group:
    description:
      - Resource group of O(identity).
    type: str
  principal_type:
    description:
      - What kind of principal it is. Saying so spares the service a look-up, which fails for a principal that was made a moment ago.
      - Matters when an assignment is made; it is not compared.
    type: str
    choices: [ServicePrincipal, User, Group, ForeignGroup]
    default: ServicePrincipal
  state:
    description:
      - Whether the principal shall have the role at this scope.
      - With V(absent), every assignment that gives it is removed.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout:
    description:
      - How long to wait for a principal that the authorization service does not know yet, in seconds.
    type: int
    default: 180
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-authorization >= 4.0.0
  - azure-mgmt-msi >= 7.1.0 (only for O(identity))
attributes:
  check_mode:
    support: full
    description: Predicts the changes without writing; the principal of an identity that is not there yet is then V((known after apply\)).
  diff_mode:
    support: full
    description: Shows what is managed, before and after.
seealso:
  - module: aks.virtual_nodes.user_assigned_identity
  - module: aks.virtual_nodes.workload_identities
  - name: Troubleshoot Azure RBAC
    description: Limits and rules of the service, such as 4,000 assignments for each subscription.
    link: https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
"""

EXAMPLES = r"""
- name: Let an identity read the secrets of a vault
  aks.virtual_nodes.role_assignment:
    scope: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.KeyVault/vaults/kv-shop
    role: Key Vault Secrets User
    identity: id-orders
    resource_group: rg-shop

- name: Let a group look at the resource group
  aks.virtual_nodes.role_assignment:
    scope: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop
    role: Reader
    principal_id: 55555555-5555-5555-5555-555555555555
    principal_type: Group

- name: Take the role away again
  aks.virtual_nodes.role_assignment:
    scope: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop
    role: Reader
    principal_id: 55555555-5555-5555-5555-555555555555
    state: absent
"""

RETURN = r"""
role_assignment:
  description: The assignment after the change, in check mode as it would be; empty when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: ARM id of the assignment.
      type: str
      returned: always
      sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.Authorization/roleAssignments/66666666-6666-6666-6666-666666666666
    name:
      description: Name of the assignment, a GUID.
      type: str
      returned: always
      sample: 66666666-6666-6666-6666-666666666666
    scope:
      description: Where the role is given.
      type: str
      returned: always
      sample: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop
    role_definition_id:
      description: ARM id of the role.
      type: str
      returned: always
      sample: /subscriptions/0000/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7
    principal_id:
      description: Object id of the principal.
      type: str
      returned: always
      sample: 55555555-5555-5555-5555-555555555555
    principal_type:
      description: What kind of principal it is.
      type: str
      returned: always
      sample: Group
"""

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.session import Session
from ..module_utils.change import UNKNOWN, States
from ..module_utils.errors import AzureError, ConfigurationError
from ..module_utils.plan.plan import Plan
from ..module_utils.plan.role_assignments import PrincipalSpec, plan_absent, plan_present
from ..module_utils.resources import role_assignment, user_assigned_identity
from ..module_utils.resources.role_assignment import AssignmentIndex, RoleAssignment, RoleGrant
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan


def make_plan(module: AnsibleModule) -> Plan:
    params = module.params
    grant = RoleGrant(params["role"], params["scope"])
    grant.validate(within="")
    principal = PrincipalSpec(params["principal_id"], params["identity"], params["principal_type"])
    principal.validate(predicting=module.check_mode)
    session = open_session(module)
    present = params["state"] == "present"
    principal_id = _principal_id(session, params, needed=present and not module.check_mode)
    definition, equal = _observed(session, grant, principal_id, present=present)
    wish = RoleAssignment.wished(grant.scope, definition, principal_id, principal.type)
    return Plan(
        observed=States({each.id: each.facts() for each in equal}),
        chains=[plan_present(equal, wish)] if present else [[change] for change in plan_absent(equal)],
        apply=lambda change, _states: role_assignment.write(
            session, change, principal_id, wait_s=params["wait_timeout"]
        ),
        report=lambda states: {"role_assignment": dict(next(iter(states.values()), {}))},
    )


def _principal_id(session: Session, params: dict[str, Any], *, needed: bool) -> str:
    name, group = params["identity"], params["resource_group"]
    if name is None:
        return str(params["principal_id"]).lower()
    try:
        found = user_assigned_identity.read(session, group, name)
    except AzureError as error:
        if params["state"] == "present" or error.code != "ResourceGroupNotFound":
            raise
        found = None
    if found:
        return str(found["principal_id"])
    if needed:
        raise ConfigurationError(
            f"identity '{name}' does not exist in resource group '{group}'; "
            "create it first (aks.virtual_nodes.user_assigned_identity), or give principal_id."
        )
    # In check mode an earlier task may be about to create it; and without it there is nothing to take away.
    return UNKNOWN


def _observed(
    session: Session, grant: RoleGrant, principal_id: str, *, present: bool
) -> tuple[str, Sequence[RoleAssignment]]:
    try:
        definition = role_assignment.role_definition_id(session, grant)
        there = AssignmentIndex(role_assignment.list_at_scope(session, grant.scope))
    except AzureError as error:
        if not present and error.code in ("ResourceNotFound", "ResourceGroupNotFound"):
            return "", ()  # assignments go with what they are at
        raise
    return definition, there.equal(grant.scope, definition, principal_id)


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            scope=dict(type="str", required=True),
            role=dict(type="str", required=True),
            principal_id=dict(type="str"),
            identity=dict(type="str", aliases=["identity_name"]),
            resource_group=dict(type="str"),
            principal_type=dict(
                type="str",
                choices=list(role_assignment.PRINCIPAL_TYPES),
                default=role_assignment.SERVICE_PRINCIPAL,
            ),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            wait_timeout=dict(type="int", default=int(role_assignment.REPLICATION_WAIT_S)),
        ),
        required_one_of=[("principal_id", "identity")],
        mutually_exclusive=[("principal_id", "identity")],
        required_by={"identity": ["resource_group"]},
        supports_check_mode=True,
    )
    run_plan(module, lambda: make_plan(module))


if __name__ == "__main__":
    main()
