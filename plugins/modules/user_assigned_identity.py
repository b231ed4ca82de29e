#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_assigned_identity
short_description: Create, change or delete a user-assigned managed identity
version_added: 0.1.0
description:
  - Manages one user-assigned managed identity. For many at once, with their credentials and roles,
    use M(aks.virtual_nodes.workload_identities).
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the identity. It must exist.
    type: str
    required: true
  name:
    description:
      - Name of the identity, 3 to 128 letters, digits, hyphens and underscores.
    type: str
    required: true
  location:
    description:
      - Azure region of a new identity; by default the resource group's. It cannot be changed later.
    type: str
  tags:
    description:
      - Tags of the identity. Without it, tags are left as they are.
    type: dict
  append_tags:
    description:
      - Whether tags that are not listed stay.
    type: bool
    default: true
  isolation_scope:
    description:
      - Whether the identity may be used only in its own region. Without it, it is left as it is.
    type: str
    choices: ["None", Regional]
  state:
    description:
      - Whether the identity shall exist. Deleting it deletes its federated credentials with it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-msi >= 7.1.0
attributes:
  check_mode:
    support: full
    description: Predicts the changes without writing.
  diff_mode:
    support: full
    description: Shows what is managed, before and after.
seealso:
  - module: aks.virtual_nodes.user_assigned_identity_info
  - module: aks.virtual_nodes.federated_credential
  - module: aks.virtual_nodes.workload_identities
"""

EXAMPLES = r"""
- name: An identity for the orders application
  aks.virtual_nodes.user_assigned_identity:
    resource_group: rg-shop
    name: id-orders
    tags:
      team: shop
  register: orders

- name: Its client id is what a ServiceAccount is annotated with
  ansible.builtin.debug:
    var: orders.identity.client_id

- name: Take it away
  aks.virtual_nodes.user_assigned_identity:
    resource_group: rg-shop
    name: id-orders
    state: absent
"""

RETURN = r"""
identity:
  description: The identity after the change, in check mode as it would be; empty when it is absent.
  returned: success
  type: dict
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
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.change import Change, State, States
from ..module_utils.errors import AzureError
from ..module_utils.plan.plan import Plan
from ..module_utils.resources import resource_group, user_assigned_identity
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan


def make_plan(module: AnsibleModule) -> Plan:
    params = module.params
    spec = user_assigned_identity.IdentitySpec(
        params["name"], params["location"], params["tags"], params["append_tags"], params["isolation_scope"]
    )
    spec.validate()
    session = open_session(module)
    resource_id = user_assigned_identity.identity_id(session, params["resource_group"], spec.name)
    observed = _read(session, params)
    change: Change | None
    if params["state"] == "absent":
        change = Change.delete(resource_id, observed) if observed else None
    else:
        needs_location = observed is None and not spec.location
        location = resource_group.location_of(session, params["resource_group"]) if needs_location else ""
        change = user_assigned_identity.diff(resource_id, spec, observed, location)
    return Plan(
        observed=States({resource_id: observed} if observed else {}),
        chains=[[change]] if change else [],
        apply=lambda change, _states: user_assigned_identity.write(session, change),
        report=lambda states: {"identity": dict(states.get(resource_id) or {})},
    )


def _read(session: Any, params: dict[str, Any]) -> State | None:
    try:
        return user_assigned_identity.read(session, params["resource_group"], params["name"])
    except AzureError as error:
        if params["state"] == "absent" and error.code == "ResourceGroupNotFound":
            return None
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            name=dict(type="str", required=True),
            location=dict(type="str"),
            tags=dict(type="dict"),
            append_tags=dict(type="bool", default=True),
            isolation_scope=dict(type="str", choices=["None", "Regional"]),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    run_plan(module, lambda: make_plan(module))


if __name__ == "__main__":
    main()
