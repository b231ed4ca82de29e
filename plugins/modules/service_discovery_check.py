#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_discovery_check
short_description: Wait until Services are found by name, and tell why if they are not
version_added: 0.1.0
description:
  - Waits until each Service has the address of its load balancer, and until the private DNS zone has a record with that address, read back
    from Azure.
  - When that does not happen, it tells what stands in the way. That is the last event of the Service, such as a subnet that does not exist;
    a record that belongs to another owner; or the state of external-dns' pods and the last error in their log.
  - It asks Azure and the API server, and resolves no name itself, so it runs outside the virtual network as well.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the private DNS zone.
    type: str
    required: true
  zone:
    description:
      - Name of the private DNS zone.
    type: str
    required: true
  hosts:
    description:
      - The Services, and the name that each is found by.
    type: list
    elements: dict
    required: true
    suboptions:
      namespace:
        description:
          - Namespace of the Service.
        type: str
        required: true
      service:
        description:
          - Name of the Service.
        type: str
        required: true
      hostname:
        description:
          - The whole name, within O(zone).
        type: str
        required: true
  owner_id:
    description:
      - What external-dns was given as C(--txt-owner-id). Records of other owners it leaves alone.
    type: str
    required: true
  external_dns_namespace:
    description:
      - Namespace of external-dns.
    type: str
    default: external-dns
  external_dns_name:
    description:
      - Name of its Deployment, which its pods have as label C(app.kubernetes.io/name).
    type: str
    default: external-dns
  wait_timeout:
    description:
      - How long to wait, in seconds, for all of it.
    type: int
    default: 600
  state:
    description:
      - With V(absent), it waits until external-dns has taken back its records of these names. Records of others are of no concern, and so are the
        Services.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - aks.virtual_nodes.azure
  - kubernetes.core.k8s_auth_options
requirements:
  - azure-mgmt-privatedns >= 2.0.0
  - kubernetes >= 24.2.0
attributes:
  check_mode:
    support: full
    description: Does not wait; an address that is not there yet is V((known after apply\)).
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.private_dns_zone
  - module: aks.virtual_nodes.kubernetes_objects
"""

EXAMPLES = r"""
- name: Wait until the orders are found
  aks.virtual_nodes.service_discovery_check:
    resource_group: rg-shop
    zone: shop.internal
    owner_id: aks-shop
    hosts:
      - namespace: shop
        service: orders
        hostname: orders.shop.internal
  register: discovery

- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ discovery.hosts | items2dict(key_name='hostname', value_name='address') }}"
"""

RETURN = r"""
hosts:
  description: What was found, in the order of O(hosts). Empty with O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the Service.
      type: str
      returned: always
      sample: shop
    service:
      description: Name of the Service.
      type: str
      returned: always
      sample: orders
    hostname:
      description: The name that it is found by.
      type: str
      returned: always
      sample: orders.shop.internal
    address:
      description: Address of its load balancer, which the record has.
      type: str
      returned: always
      sample: 10.224.0.9
    ttl:
      description: How long an answer may be kept, in seconds; V(0) in check mode.
      type: int
      returned: always
      sample: 300
    seconds:
      description: After how many seconds of the task the record was there.
      type: float
      returned: always
      sample: 7.2
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.kube.objects import ObjectClient
from ..module_utils.resources.private_dns_zone import validate_name
from ..module_utils.azure_session import open_session
from ..module_utils.cluster_client import open_cluster
from ..module_utils.runner import with_errors
from ..module_utils.service_discovery_check import Check, ExternalDns, Host, Zone, distinct
from ..module_utils.waiting import Deadline


def check(module: AnsibleModule) -> None:
    params = module.params
    validate_name(params["zone"])
    hosts = distinct(Host(each["namespace"], each["service"], each["hostname"]) for each in params["hosts"])
    zone = Zone(params["resource_group"], params["zone"], params["owner_id"])
    external_dns = ExternalDns(params["external_dns_namespace"], params["external_dns_name"])
    for host in hosts:
        host.relative(zone.name)
    work = Check(open_session(module), ObjectClient(open_cluster(module)), zone, hosts, external_dns)
    deadline = Deadline(params["wait_timeout"])
    if params["state"] == "absent":
        if not module.check_mode:
            work.wait_absent(deadline)
        module.exit_json(changed=False, hosts=[])
    found = work.predicted() if module.check_mode else work.wait_present(deadline)
    module.exit_json(changed=False, hosts=found)


def main() -> None:
    host = dict(
        namespace=dict(type="str", required=True),
        service=dict(type="str", required=True),
        hostname=dict(type="str", required=True),
    )
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            zone=dict(type="str", required=True),
            hosts=dict(type="list", elements="dict", required=True, options=host),
            owner_id=dict(type="str", required=True),
            external_dns_namespace=dict(type="str", default="external-dns"),
            external_dns_name=dict(type="str", default="external-dns"),
            wait_timeout=dict(type="int", default=600),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **AUTH_ARG_SPEC,
        ),
        supports_check_mode=True,
    )
    with_errors(module, lambda: check(module))


if __name__ == "__main__":
    main()
