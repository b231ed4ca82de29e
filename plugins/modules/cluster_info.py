#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Tell what AKS clusters are like
version_added: 0.1.0
description:
  - Returns the properties of AKS clusters that virtual nodes and workload identity depend on.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the clusters. Without it, those of the whole subscription are returned.
    type: str
  name:
    description:
      - Name of one cluster. It is an error when it does not exist. Needs O(resource_group).
    type: str
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-containerservice >= 41.0.0
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.cluster_features
"""

EXAMPLES = r"""
- name: Look at one cluster
  aks.virtual_nodes.cluster_info:
    resource_group: rg-shop
    name: aks-shop
  register: found

- name: Its issuer is what federated credentials have to name
  ansible.builtin.debug:
    var: found.clusters[0].oidc_issuer_url
"""

RETURN = r"""
clusters:
  description: The clusters.
  returned: success
  type: list
  elements: dict
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
from ..module_utils.resources import managed_cluster
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_info


def read(module: AnsibleModule) -> dict[str, Any]:
    session = open_session(module)
    group, name = module.params["resource_group"], module.params["name"]
    if name:
        return {"clusters": [managed_cluster.read(session, group, name).state]}
    return {"clusters": managed_cluster.list_all(session, group)}


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(resource_group=dict(type="str"), name=dict(type="str")),
        required_by={"name": ["resource_group"]},
        supports_check_mode=True,
    )
    run_info(module, lambda: read(module))


if __name__ == "__main__":
    main()
