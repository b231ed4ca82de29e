#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federated_credential
short_description: Create, correct or delete a federated identity credential of a user-assigned identity
version_added: 0.1.0
description:
  - Manages one federated identity credential, the trust of an identity in a token issuer's subject. For many at once use
    M(aks.virtual_nodes.workload_identities).
  - Issuer, subject and audience are compared to the letter, as Entra does, and corrected where they differ.
  - The service refuses concurrent writes to the credentials of one identity; such a refusal is waited out.
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
      - Name of the credential, 3 to 120 letters, digits, hyphens and underscores. It cannot be changed later.
    type: str
    required: true
  issuer:
    description:
      - URL of the token issuer; for AKS the cluster's issuer URL with its trailing slash, as M(aks.virtual_nodes.cluster_features) returns it.
      - Required to create a credential.
    type: str
  subject:
    description:
      - Subject of the tokens to trust; for a ServiceAccount C(system:serviceaccount:<namespace>:<name>).
      - Give this, or O(namespace) and O(service_account).
    type: str
  namespace:
    description:
      - Namespace of the Kubernetes ServiceAccount to trust.
    type: str
  service_account:
    description:
      - Name of the Kubernetes ServiceAccount to trust.
    type: str
  audiences:
    description:
      - Audience of the tokens to trust. The service takes exactly one.
    type: list
    elements: str
    default: [api://AzureADTokenExchange]
  state:
    description:
      - Whether the credential shall exist.
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
  - module: aks.virtual_nodes.federated_credential_info
  - module: aks.virtual_nodes.workload_identity_check
  - name: Considerations for federated identity credentials
    description: Limits and rules of the service, such as 20 credentials for each identity.
    link: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
"""

EXAMPLES = r"""
- name: Trust the ServiceAccount shop/orders of a cluster
  aks.virtual_nodes.federated_credential:
    resource_group: rg-shop
    identity: id-orders
    name: orders
    issuer: https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
    namespace: shop
    service_account: orders

- name: Trust it no longer
  aks.virtual_nodes.federated_credential:
    resource_group: rg-shop
    identity: id-orders
    name: orders
    state: absent
"""

RETURN = r"""
federated_credential:
  description: The credential after the change, in check mode as it would be; empty when it is absent.
  returned: success
  type: dict
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
from ..module_utils.change import Change, States
from ..module_utils.errors import AzureError
from ..module_utils.plan.federated_credentials import plan_named
from ..module_utils.plan.plan import Plan
from ..module_utils.resources import federated_credential, user_assigned_identity
from ..module_utils.resources.federated_credential import FederatedCredential
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan


def make_plan(module: AnsibleModule) -> Plan:
    params = module.params
    user_assigned_identity.validate_name(params["identity"])
    wish = _wish(params)
    present = params["state"] == "present"
    if present:
        wish.validate(predicting=module.check_mode)
    session = open_session(module)
    group, identity = params["resource_group"], params["identity"]
    parent_id = user_assigned_identity.identity_id(session, group, identity)
    observed = _observed(session, params, predicting=module.check_mode)
    resource_id = federated_credential.credential_id(parent_id, wish.name)
    found = next((each for each in observed if each.name.lower() == wish.name.lower()), None)
    if present:
        change = plan_named(parent_id, observed, wish)
    else:
        change = Change.delete(resource_id, found.state(parent_id)) if found else None
    return Plan(
        observed=States({resource_id: found.state(parent_id)} if found else {}),
        chains=[[change]] if change else [],
        apply=lambda change, _states: federated_credential.write(session, group, identity, change),
        report=lambda states: {"federated_credential": dict(states.get(resource_id) or {})},
    )


def _wish(params: dict[str, Any]) -> FederatedCredential:
    subject = params["subject"]
    if params["service_account"]:
        subject = federated_credential.service_account_subject(params["namespace"], params["service_account"])
    return FederatedCredential(params["name"], params["issuer"] or "", subject or "", tuple(params["audiences"]))


def _observed(session: Any, params: dict[str, Any], *, predicting: bool) -> list[FederatedCredential]:
    try:
        return federated_credential.list_of(session, params["resource_group"], params["identity"])
    except AzureError as error:
        gone = federated_credential.is_missing_identity(error)
        # Without the identity there is nothing to delete; and in check mode an earlier task may be about to create it.
        if (gone and predicting) or (params["state"] == "absent" and (gone or error.code == "ResourceGroupNotFound")):
            return []
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            identity=dict(type="str", required=True, aliases=["identity_name"]),
            name=dict(type="str", required=True),
            issuer=dict(type="str"),
            subject=dict(type="str"),
            namespace=dict(type="str"),
            service_account=dict(type="str"),
            audiences=dict(type="list", elements="str", default=[federated_credential.DEFAULT_AUDIENCE]),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        required_if=[("state", "present", ("issuer",)), ("state", "present", ("subject", "service_account"), True)],
        required_together=[("namespace", "service_account")],
        mutually_exclusive=[("subject", "service_account")],
        supports_check_mode=True,
    )
    run_plan(module, lambda: make_plan(module))


if __name__ == "__main__":
    main()
