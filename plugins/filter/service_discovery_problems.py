# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the names of applications, as sentences."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_discovery_problems
short_description: Say what keeps applications from being found by name as described
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Checks what the argument specification of the role C(aks.virtual_nodes.service_discovery) cannot show, such as a name outside the zone,
    or one that two applications want.
positional: _input, zone
extends_documentation_fragment:
  - aks.virtual_nodes.published_applications
"""

EXAMPLES = r"""
- name: Stop when something is wrong
  ansible.builtin.assert:
    that: applications | aks.virtual_nodes.service_discovery_problems('shop.internal') | length == 0
"""

RETURN = r"""
_value:
  description: A sentence or two for each problem, naming the field, its value, the rule and the way out; empty when there is none.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan.published_services import problems, published_services


def service_discovery_problems(applications: Sequence[Mapping[str, Any]], zone: str) -> list[str]:
    return problems(published_services(applications, zone), zone)


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"service_discovery_problems": service_discovery_problems}
