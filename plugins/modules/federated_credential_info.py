#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federated_credential_info
short_description: Tell what federated identity credentials an identity has
version_added: 0.1.0
description:
  - Returns the federated identity credentials of one user-assigned identity.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the identity.
    type: str
    required: true
  identity:
    description:
      - Name of the user-assigned identity. It must exist.
    type: str
    required: true
    aliases: [identity_name]
  name:
    description:
      - Name of one credential. When it does not exist, the list is empty.
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
  - module: aks.virtual_nodes.federated_credential
"""

EXAMPLES = r"""
- name: Whom does this identity trust?
  aks.virtual_nodes.federated_credential_info:
    resource_group: rg-shop
    identity: id-orders
  register: found

- name: Their subjects
  ansible.builtin.debug:
    msg: "{{ found.federated_credentials | map(attribute='subject') }}"
"""

RETURN = r"""
federated_credentials:
  description: The credentials.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ARM id of the credential.
      type: str
      returned: always
      sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id/federatedIdentityCredentials/orders
    name:
      description: Name of the credential.
      type: str
      returned: always
      sample: orders
    issuer:
      description: Issuer that is trusted.
      type: str
      returned: always
      sample: https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
    subject:
      description: Subject that is trusted.
      type: str
      returned: always
      sample: system:serviceaccount:shop:orders
    audiences:
      description: Audience that is trusted, a list of one.
      type: list
      elements: str
      returned: always
      sample: [api://AzureADTokenExchange]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.resources import federated_credential, user_assigned_identity
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_info


def read(module: AnsibleModule) -> dict[str, Any]:
    group, identity, name = (module.params[option] for option in ("resource_group", "identity", "name"))
    user_assigned_identity.validate_name(identity)
    session = open_session(module)
    parent_id = user_assigned_identity.identity_id(session, group, identity)
    found = federated_credential.list_of(session, group, identity)
    return {
        "federated_credentials": [
            each.state(parent_id) for each in found if not name or each.name.lower() == name.lower()
        ]
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            identity=dict(type="str", required=True, aliases=["identity_name"]),
            name=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    run_info(module, lambda: read(module))


if __name__ == "__main__":
    main()
