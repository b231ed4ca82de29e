#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: private_dns_zone_info
short_description: Tell what private DNS zones there are, with their links and records
version_added: 0.1.0
description:
  - Returns one private DNS zone, or all of a resource group, with their virtual network links and, if asked, their record sets.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the zones.
    type: str
    required: true
  name:
    description:
      - Name of one zone. When it does not exist, the list is empty.
    type: str
  records:
    description:
      - Whether the record sets are read as well. Those that Azure registers for virtual machines by itself are left out.
    type: bool
    default: false
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-privatedns >= 2.0.0
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
seealso:
  - module: aks.virtual_nodes.private_dns_zone
  - module: aks.virtual_nodes.service_discovery_check
"""

EXAMPLES = r"""
- name: One zone with its records
  aks.virtual_nodes.private_dns_zone_info:
    resource_group: rg-shop
    name: shop.internal
    records: true
  register: found

- name: The names in it, and who wrote them
  ansible.builtin.debug:
    msg: "{{ item.fqdn }} {{ item.type }} {{ item.records | join(' ') }} ({{ item.owner | default('nobody', true) }})"
  loop: "{{ found.zones | map(attribute='record_sets') | flatten }}"
  loop_control:
    label: "{{ item.fqdn }}"
"""

RETURN = r"""
zones:
  description: The zones.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ARM id of the zone.
      type: str
      returned: always
      sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.Network/privateDnsZones/shop.internal
    name:
      description: Name of the zone.
      type: str
      returned: always
      sample: shop.internal
    resource_group:
      description: Resource group of the zone.
      type: str
      returned: always
      sample: rg-shop
    tags:
      description: Tags of the zone.
      type: dict
      returned: always
      sample: {managed-by: aks.virtual_nodes}
    virtual_network_links:
      description: All links of the zone, each with C(id), C(name), C(virtual_network), C(registration_enabled), C(tags) and C(provisioning_state).
      type: list
      elements: dict
      returned: always
      sample: []
    record_sets:
      description: The record sets of the zone.
      type: list
      elements: dict
      returned: if O(records)
      contains:
        name:
          description: Name, relative to the zone; V(@) for the zone itself.
          type: str
          returned: always
          sample: orders
        type:
          description: Type of the records.
          type: str
          returned: always
          sample: A
        fqdn:
          description: The whole name.
          type: str
          returned: always
          sample: orders.shop.internal
        ttl:
          description: How long an answer may be kept, in seconds.
          type: int
          returned: always
          sample: 300
        records:
          description: The values, in the form of a zone file.
          type: list
          elements: str
          returned: always
          sample: [10.224.0.9]
        owner:
          description: The owner that external-dns wrote it as (C(--txt-owner-id\)); empty for a record that it did not write.
          type: str
          returned: always
          sample: aks-shop
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.session import Session
from ..module_utils.change import State
from ..module_utils.plan.dns_ownership import Owners
from ..module_utils.resources import private_dns_zone
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_info


def read(module: AnsibleModule) -> dict[str, Any]:
    session = open_session(module)
    group, name = module.params["resource_group"], module.params["name"]
    if name:
        private_dns_zone.validate_name(name)
        found = private_dns_zone.read(session, group, name)
        zones = [found] if found else []
    else:
        zones = private_dns_zone.list_in_group(session, group)
    return {"zones": [_with_content(session, zone, module.params["records"]) for zone in zones]}


def _with_content(session: Session, zone: State, records: bool) -> dict[str, Any]:
    group, name = zone["resource_group"], zone["name"]
    links = private_dns_zone.list_links(session, group, name)
    shown: dict[str, Any] = {**zone, "virtual_network_links": [dict(link) for link in links]}
    if records:
        found = private_dns_zone.list_records(session, group, name)
        owners = Owners(found)
        shown["record_sets"] = [
            {
                "name": each.name,
                "type": each.kind,
                "fqdn": each.fqdn,
                "ttl": each.ttl,
                "records": list(each.values),
                "owner": owner.id if (owner := owners.of(each.name, each.kind)) else "",
            }
            for each in found
        ]
    return shown


def main() -> None:
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            name=dict(type="str"),
            records=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    run_info(module, lambda: read(module))


if __name__ == "__main__":
    main()
