# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the names that are to be found."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_discovery_hosts
short_description: Turn applications into the hosts that service_discovery_check looks for
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - The host name is the application's name in the zone, unless its C(service) has another one.
positional: _input, zone
extends_documentation_fragment:
  - aks.virtual_nodes.published_applications
"""

EXAMPLES = r"""
- name: Wait until they are found by name
  aks.virtual_nodes.service_discovery_check:
    resource_group: rg-shop
    zone: shop.internal
    hosts: "{{ applications | aks.virtual_nodes.service_discovery_hosts('shop.internal') }}"
"""

RETURN = r"""
_value:
  description: What the option C(hosts) of M(aks.virtual_nodes.service_discovery_check) takes.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan.published_services import hosts, published_services


def service_discovery_hosts(applications: Sequence[Mapping[str, Any]], zone: str) -> list[dict[str, str]]:
    return hosts(published_services(applications, zone))


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"service_discovery_hosts": service_discovery_hosts}
