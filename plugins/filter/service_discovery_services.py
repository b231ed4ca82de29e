# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into internal load balancers with a name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_discovery_services
short_description: Turn applications into Services of type LoadBalancer
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Makes a Service with an internal Azure load balancer for each application, with the annotation from
    which external-dns takes its name.
positional: _input, zone
extends_documentation_fragment:
  - aks.virtual_nodes.published_applications
"""

EXAMPLES = r"""
- name: Give each application a load balancer and a name
  aks.virtual_nodes.kubernetes_objects:
    definitions: "{{ applications | aks.virtual_nodes.service_discovery_services('shop.internal') }}"
"""

RETURN = r"""
_value:
  description: The manifests, in the order of the applications.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.kube.objects import Manifest
from ..module_utils.plan.published_services import manifest, published_services


def service_discovery_services(applications: Sequence[Mapping[str, Any]], zone: str) -> list[Manifest]:
    return [manifest(each) for each in published_services(applications, zone)]


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"service_discovery_services": service_discovery_services}
