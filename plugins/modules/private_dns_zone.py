#!/usr/bin/python
# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: private_dns_zone
short_description: Make a private DNS zone and link it to virtual networks, or delete it
version_added: 0.1.0
description:
  - Manages one private DNS zone and its virtual network links, without which no network resolves its names.
  - Zones and links that it makes get the tag C(managed-by=aks.virtual_nodes). Other tags, links and records stay as they are.
  - Records are written by external-dns, or whoever else; M(aks.virtual_nodes.private_dns_zone_info) reads them.
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
options:
  resource_group:
    description:
      - Resource group of the zone. It must exist.
    type: str
    required: true
  name:
    description:
      - Name of the zone, such as V(shop.internal).
    type: str
    required: true
  tags:
    description:
      - Tags of the zone. Without it, tags are left as they are.
    type: dict
  append_tags:
    description:
      - Whether tags that O(tags) does not list are kept.
    type: bool
    default: true
  virtual_network_links:
    description:
      - The links that the zone shall have. Others stay; with O(state=absent), those that are listed may be deleted, whoever made them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the link.
        type: str
        required: true
      virtual_network:
        description:
          - ARM id of the virtual network. Azure takes one link for a zone and a network, and cannot change the network of a link.
        type: str
        required: true
      registration_enabled:
        description:
          - Whether the network's virtual machines get records in the zone by themselves.
        type: bool
        default: false
  wait_timeout:
    description:
      - How long to wait for the service to be done, in seconds.
    type: int
    default: 600
  state:
    description:
      - Whether the zone shall exist.
      - V(absent) refuses a zone that still has record sets, or links that were not made by this module; O(owner_id) and O(force) tell
        what may go nevertheless.
    type: str
    choices: [present, absent]
    default: present
  owner_id:
    description:
      - With O(state=absent), the record sets that external-dns wrote as this owner may go with the zone. It is what external-dns was given as
        C(--txt-owner-id).
    type: str
  created_here_only:
    description:
      - With O(state=absent), leave alone a zone that this module did not make. Of its links, those go that the module made and that
        O(virtual_network_links) lists, or all that it made if none is listed.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), delete the zone with all records and links that are in it.
    type: bool
    default: false
extends_documentation_fragment:
  - aks.virtual_nodes.azure
requirements:
  - azure-mgmt-privatedns >= 2.0.0
notes:
  - The principal needs I(Private DNS Zone Contributor) on the resource group, and C(Microsoft.Network/virtualNetworks/join/action) on the networks
    that are linked.
attributes:
  check_mode:
    support: full
    description: Predicts the changes without writing.
  diff_mode:
    support: full
    description: Shows the zone and its links, before and after.
seealso:
  - module: aks.virtual_nodes.private_dns_zone_info
  - module: aks.virtual_nodes.service_discovery_check
"""

EXAMPLES = r"""
- name: A zone that the cluster's network resolves
  aks.virtual_nodes.private_dns_zone:
    resource_group: rg-shop
    name: shop.internal
    virtual_network_links:
      - name: vnet-shop
        virtual_network: /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.Network/virtualNetworks/vnet-shop

- name: Delete it, with the records that the cluster's external-dns wrote, if it holds nothing else
  aks.virtual_nodes.private_dns_zone:
    resource_group: rg-shop
    name: shop.internal
    state: absent
    owner_id: aks-shop
"""

RETURN = r"""
id:
  description: ARM id of the zone, also when it is absent.
  returned: success
  type: str
  sample: /subscriptions/0000/resourceGroups/rg-shop/providers/Microsoft.Network/privateDnsZones/shop.internal
private_dns_zone:
  description: The zone after the change, in check mode as it would be; empty when it is absent.
  returned: success
  type: dict
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
failures:
  description: What failed, when something did and there was more than one change to make.
  returned: failure
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.session import Session
from ..module_utils.change import Change, State, States
from ..module_utils.errors import AzureError
from ..module_utils.plan.dns_ownership import foreign
from ..module_utils.plan.plan import Plan
from ..module_utils.resources import private_dns_zone
from ..module_utils.resources.private_dns_zone import LinkSpec, ZoneSpec
from ..module_utils.azure_session import open_session
from ..module_utils.runner import run_plan
from ..module_utils.waiting import Deadline

# Links that are written at the same time.
WORKERS = 4


class Task:
    """One call of the module: plan and wait share the session and the time."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._params = module.params
        self._deadline = Deadline(module.params["wait_timeout"])
        self._session: Session | None = None
        self._moving: list[str] = []

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = open_session(self._module)
        return self._session

    def plan(self) -> Plan:
        params, session = self._params, self.session
        links = tuple(
            LinkSpec(each["name"], each["virtual_network"], each["registration_enabled"])
            for each in params["virtual_network_links"]
        )
        spec = ZoneSpec(params["name"], params["tags"], params["append_tags"], links)
        spec.validate()
        group, present = params["resource_group"], params["state"] == "present"
        zone_id = private_dns_zone.zone_id(session, group, spec.name)
        zone = _read(session, group, spec.name, present=present)
        observed = private_dns_zone.list_links(session, group, spec.name) if zone else []
        if present:
            self._moving = [each["name"] for each in observed if not private_dns_zone.is_settled(each)]
            change = private_dns_zone.diff(zone_id, spec, zone)
            changes = private_dns_zone.diff_links(zone["id"] if zone else zone_id, spec, observed)
        elif zone:
            changes, change = _deletions(session, params, zone, observed, spec)
        else:
            changes, change = [], None
        of_zone, of_links = [[change]] if change else [], [[each] for each in changes]
        return Plan(
            observed=States({each["id"]: each for each in ([zone] if zone else []) + observed}),
            # A link cannot be before its zone, and a zone not go before its links.
            chains=of_zone if present else of_links,
            then=[of_links if present else of_zone],
            apply=self._apply,
            report=lambda states: {"id": zone_id, "private_dns_zone": _report(zone_id, states)},
            workers=WORKERS,
        )

    def _apply(self, change: Change, _states: States) -> State | None:
        return private_dns_zone.write(self.session, change, self._deadline)

    def wait(self) -> None:
        """For links that an earlier run, or somebody else, began."""
        listed = {each["name"].lower() for each in self._params["virtual_network_links"]}
        names = [name for name in self._moving if name.lower() in listed]
        if names:
            group, zone = self._params["resource_group"], self._params["name"]
            private_dns_zone.wait_until_linked(self.session, group, zone, names, self._deadline)


def _read(session: Session, group: str, name: str, *, present: bool) -> State | None:
    try:
        return private_dns_zone.read(session, group, name)
    except AzureError as error:
        if present or error.code != "ResourceGroupNotFound":
            raise
        return None  # gone with its group


def _deletions(
    session: Session, params: dict[str, Any], zone: State, links: list[State], spec: ZoneSpec
) -> tuple[list[Change], Change | None]:
    owner_id = params["owner_id"] or ""
    records = private_dns_zone.list_records(session, params["resource_group"], spec.name)
    return private_dns_zone.diff_absent(
        zone,
        links,
        foreign(records, owner_id),
        listed=[link.name for link in spec.links],
        force=params["force"],
        created_here_only=params["created_here_only"],
    )


def _report(zone_id: str, states: States) -> dict[str, Any]:
    zone = states.get(zone_id)
    if zone is None:
        return {}
    links = [dict(state) for each, state in states.items() if private_dns_zone.is_link(each)]
    return {**zone, "virtual_network_links": sorted(links, key=lambda link: str(link["name"]))}


def main() -> None:
    link = dict(
        name=dict(type="str", required=True),
        virtual_network=dict(type="str", required=True),
        registration_enabled=dict(type="bool", default=False),
    )
    module = AnsibleModule(
        argument_spec=azure_argument_spec(
            resource_group=dict(type="str", required=True),
            name=dict(type="str", required=True),
            tags=dict(type="dict"),
            append_tags=dict(type="bool", default=True),
            virtual_network_links=dict(type="list", elements="dict", default=[], options=link),
            wait_timeout=dict(type="int", default=600),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            owner_id=dict(type="str"),
            created_here_only=dict(type="bool", default=False),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    task = Task(module)
    run_plan(module, task.plan, task.wait)


if __name__ == "__main__":
    main()
