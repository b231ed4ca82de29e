#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_features
short_description: Switch OIDC issuer and workload identity of an AKS cluster on
version_added: 0.1.0
description:
  - Does what C(az aks update --enable-oidc-issuer --enable-workload-identity) does, but only where it is needed.
  - The cluster is read, changed and written back whole, on condition that nobody wrote in between (ETag). What others set is kept,
    whether this collection knows it or not.
  - A cluster that is busy with another operation is waited for, up to O(wait_timeout).
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the cluster.
    type: str
    required: true
  name:
    description:
      - Name of the cluster.
    type: str
    required: true
  oidc_issuer:
    description:
      - Whether the OIDC issuer shall be on. Without it, the issuer is left as it is.
      - The service cannot switch the issuer off again, so V(false) is an error for a cluster whose issuer is on.
    type: bool
  workload_identity:
    description:
      - Whether workload identity (the webhook that gives pods their token) shall be on. Without it, it is left as it is.
      - V(true) needs the OIDC issuer on; both can be switched on together.
    type: bool
  wait_timeout:
    description:
      - How long to wait for a busy cluster and for the update itself, in seconds.
    type: int
    default: 1800
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-containerservice >= 41.0.0
attributes:
  check_mode:
    support: full
    description: Predicts the change; the URL of an issuer that is not on yet is then V((known after apply\)).
  diff_mode:
    support: full
    description: Shows what is managed, before and after.
seealso:
  - module: aks.virtual_nodes.cluster_info
  - name: Create an OpenID Connect provider on AKS
    description: Microsoft's documentation of the issuer.
    link: https://learn.microsoft.com/azure/aks/use-oidc-issuer
"""

EXAMPLES = r"""
- name: Make a cluster ready for workload identity
  aks.virtual_nodes.cluster_features:
    resource_group: rg-shop
    name: aks-shop
    oidc_issuer: true
    workload_identity: true
  register: ready

- name: Switch workload identity off; the issuer stays on
  aks.virtual_nodes.cluster_features:
    resource_group: rg-shop
    name: aks-shop
    workload_identity: false
"""

RETURN = r"""
oidc_issuer_url:
  description:
    - URL of the cluster's OIDC issuer, with its trailing slash; empty while the issuer is off.
    - V((known after apply\)) in check mode when the issuer would be switched on.
  returned: success
  type: str
  sample: https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
cluster:
  description: The cluster after the change, in check mode as it would be.
  returned: success
  type: dict
  contains:
    id:
      description: ARM id of the cluster.
      type: str
      returned: always
      sample: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/aks-shop
    name:
      description: Name of the cluster.
      type: str
      returned: always
      sample: aks-shop
    resource_group:
      description: Resource group of the cluster.
      type: str
      returned: always
      sample: rg-shop
    location:
      description: Azure region.
      type: str
      returned: always
      sample: westeurope
    tags:
      description: Tags of the cluster.
      type: dict
      returned: always
      sample: {}
    kubernetes_version:
      description: Kubernetes version of the control plane.
      type: str
      returned: always
      sample: 1.33.5
    provisioning_state:
      description: State of the last operation, such as V(Succeeded), V(Updating) or V(Failed).
      type: str
      returned: always
      sample: Succeeded
    power_state:
      description: V(Running) or V(Stopped).
      type: str
      returned: always
      sample: Running
    fqdn:
      description: DNS name of the API server (the private one for a private cluster).
      type: str
      returned: always
      sample: aks-shop-12345678.hcp.westeurope.azmk8s.io
    node_resource_group:
      description: Resource group that AKS made for the nodes.
      type: str
      returned: always
      sample: MC_rg-shop_aks-shop_westeurope
    kubelet_client_id:
      description: Client id of the kubelet's identity; null when the cluster has none.
      type: str
      returned: always
      sample: 11111111-1111-1111-1111-111111111111
    local_accounts_disabled:
      description: Whether the cluster's admin credentials are switched off.
      type: bool
      returned: always
      sample: false
    oidc_issuer_enabled:
      description: Whether the OIDC issuer is on.
      type: bool
      returned: always
      sample: true
    oidc_issuer_url:
      description: URL of the OIDC issuer, with its trailing slash; empty while the issuer is off.
      type: str
      returned: always
      sample: https://westeurope.oic.prod-aks.azure.com/22222222-2222-2222-2222-222222222222/33333333-3333-3333-3333-333333333333/
    workload_identity_enabled:
      description: Whether workload identity is on.
      type: bool
      returned: always
      sample: true
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.waiting import Deadline
from ..module_utils.change import States
from ..module_utils.plan.plan import Plan
from ..module_utils.resources import managed_cluster
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan


def make_plan(module: AnsibleModule) -> Plan:
    session = open_session(module)
    group, name = module.params["resource_group"], module.params["name"]
    spec = managed_cluster.FeaturesSpec(module.params["oidc_issuer"], module.params["workload_identity"])
    observed = managed_cluster.read(session, group, name).state
    change = managed_cluster.diff(observed, spec)
    deadline = Deadline(module.params["wait_timeout"])

    def report(states: States) -> dict[str, Any]:
        cluster = {**observed, **states[observed["id"]]}
        return {"cluster": cluster, "oidc_issuer_url": cluster["oidc_issuer_url"]}

    return Plan(
        observed=States({observed["id"]: observed}),
        chains=[[change]] if change else [],
        apply=lambda _change, _states: managed_cluster.update(session, group, name, spec, deadline),
        report=report,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            name=dict(type="str", required=True),
            oidc_issuer=dict(type="bool"),
            workload_identity=dict(type="bool"),
            wait_timeout=dict(type="int", default=1800),
        ),
        required_one_of=[("oidc_issuer", "workload_identity")],
        supports_check_mode=True,
    )
    run_plan(module, lambda: make_plan(module))


if __name__ == "__main__":
    main()
