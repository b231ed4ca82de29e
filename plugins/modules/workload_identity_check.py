#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_identity_check
short_description: Prove that ServiceAccounts can act as their identities
version_added: 0.1.0
description:
  - For each ServiceAccount, asks the cluster for a token with the audience that Entra expects, and exchanges it at Entra for a token of the
    identity, as the Azure SDK in a pod will.
  - A credential that was written moments ago takes a while to work; that is waited out, up to O(wait_timeout). What cannot become right by
    waiting is not waited for.
  - On refusal, it compares the token with the identity's credentials and says what does not match - issuer, subject, audience, client id,
    tenant, clock or signature.
  - No token is returned, shown or stored.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the identities.
    type: str
    required: true
  checks:
    description:
      - What to prove.
    type: list
    elements: dict
    required: true
    suboptions:
      identity:
        description:
          - Name of the user-assigned identity.
        type: str
        required: true
      namespace:
        description:
          - Namespace of the ServiceAccount.
        type: str
        required: true
      service_account:
        description:
          - Name of the ServiceAccount.
        type: str
        required: true
      audience:
        description:
          - Audience of the token.
        type: str
        default: api://AzureADTokenExchange
      client_id:
        description:
          - Show the token as this client instead of the identity's own client id; for finding out what a pod with another
            client id would get.
        type: str
  wait_timeout:
    description:
      - How long to wait for new credentials to work, in seconds, for all checks together.
    type: int
    default: 120
  fail_on_invalid:
    description:
      - Whether the task fails when a check does. With V(false), look at RV(checks[].valid).
    type: bool
    default: true
extends_documentation_fragment:
  - aks.virtual_nodes.azure
  - kubernetes.core.k8s_auth_options
requirements:
  - azure-mgmt-msi >= 7.1.0
  - kubernetes >= 24.2.0
attributes:
  check_mode:
    support: none
    description: Skipped in check mode, since what it would prove may not be there yet.
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.workload_identities
  - name: Troubleshooting of Microsoft Entra Workload ID
    description: The error codes and their usual causes.
    link: https://azure.github.io/azure-workload-identity/docs/troubleshooting.html
"""

EXAMPLES = r"""
- name: Can the pods of shop/orders act as id-orders?
  aks.virtual_nodes.workload_identity_check:
    resource_group: rg-shop
    checks:
      - identity: id-orders
        namespace: shop
        service_account: orders
"""

RETURN = r"""
checks:
  description: What came of each check, in the order of O(checks).
  returned: always
  type: list
  elements: dict
  contains:
    identity:
      description: Name of the identity.
      type: str
      returned: always
      sample: id-orders
    namespace:
      description: Namespace of the ServiceAccount.
      type: str
      returned: always
      sample: shop
    service_account:
      description: Name of the ServiceAccount.
      type: str
      returned: always
      sample: orders
    client_id:
      description: Client id that the token was shown as.
      type: str
      returned: always
      sample: 11111111-1111-1111-1111-111111111111
    issuer:
      description: Issuer of the ServiceAccount's token.
      type: str
      returned: always
      sample: https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
    subject:
      description: Subject of the ServiceAccount's token.
      type: str
      returned: always
      sample: system:serviceaccount:shop:orders
    audience:
      description: Audience of the ServiceAccount's token.
      type: str
      returned: always
      sample: api://AzureADTokenExchange
    valid:
      description: Whether Entra gave a token, and the ServiceAccount's annotation names the same client id.
      type: bool
      returned: always
      sample: true
    attempts:
      description: How many exchanges were tried.
      type: int
      returned: always
      sample: 2
    seconds:
      description: After how many seconds of the task the result was known.
      type: float
      returned: always
      sample: 1.4
    findings:
      description: What does not match, each with the field and a sentence.
      type: list
      elements: dict
      returned: always
      sample: []
    error_code:
      description: Entra's code, empty when it gave a token.
      type: str
      returned: always
      sample: AADSTS700213
    error:
      description: Entra's words, empty when it gave a token.
      type: str
      returned: always
      sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.waiting import Deadline
from ..module_utils.azure_session import open_session
from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import with_errors
from ..module_utils.workload_identity_check import Check, check_all


def check(module: AnsibleModule) -> None:
    params = module.params
    checks = [
        Check(each["identity"], each["namespace"], each["service_account"], each["audience"], each["client_id"] or "")
        for each in params["checks"]
    ]
    for each in checks:
        each.validate()
    verdicts = check_all(
        open_session(module), open_cluster(module), params["resource_group"], checks, Deadline(params["wait_timeout"])
    )
    results = [verdict.as_result() for verdict in verdicts]
    refused = [verdict.sentence for verdict in verdicts if not verdict.valid]
    if refused and params["fail_on_invalid"]:
        module.fail_json(msg="\n".join(refused), checks=results)
    module.exit_json(changed=False, checks=results)


def main() -> None:
    one = dict(
        identity=dict(type="str", required=True),
        namespace=dict(type="str", required=True),
        service_account=dict(type="str", required=True),
        audience=dict(type="str", default="api://AzureADTokenExchange"),
        client_id=dict(type="str"),
    )
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            checks=dict(type="list", elements="dict", required=True, options=one),
            wait_timeout=dict(type="int", default=120),
            fail_on_invalid=dict(type="bool", default=True),
            **AUTH_ARG_SPEC,
        ),
    )
    with_errors(module, lambda: check(module))


if __name__ == "__main__":
    main()
