#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_assigned_identity_info
short_description: Tell what user-assigned managed identities there are
version_added: 0.1.0
description:
  - Returns one user-assigned managed identity, or all of a resource group or of the subscription.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the identities. Without it, those of the whole subscription are returned.
    type: str
  name:
    description:
      - Name of one identity. When it does not exist, the list is empty. Needs O(resource_group).
    type: str
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-msi >= 7.1.0
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.user_assigned_identity
"""

EXAMPLES = r"""
- name: All identities of a resource group
  aks.virtual_nodes.user_assigned_identity_info:
    resource_group: rg-shop
  register: found

- name: One identity
  aks.virtual_nodes.user_assigned_identity_info:
    resource_group: rg-shop
    name: id-orders
"""

RETURN = r"""
identities:
  description: The identities.
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
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.resources import user_assigned_identity
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_info


def read(module: AnsibleModule) -> dict[str, Any]:
    session = open_session(module)
    group, name = module.params["resource_group"], module.params["name"]
    if name:
        user_assigned_identity.validate_name(name)
        found = user_assigned_identity.read(session, group, name)
        return {"identities": [found] if found else []}
    if group:
        return {"identities": list(user_assigned_identity.each_in_group(session, group))}
    return {"identities": user_assigned_identity.list_in_subscription(session)}


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(resource_group=dict(type="str"), name=dict(type="str")),
        required_by={"name": ["resource_group"]},
        supports_check_mode=True,
    )
    run_info(module, lambda: read(module))


if __name__ == "__main__":
    main()
