# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the identities that they are to have."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_identity_identities
short_description: Turn applications into the identities that workload_identities makes
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Applications that name the same identity share it; there is one entry with the ServiceAccounts, tags and roles of all of them.
  - Nothing is checked; see P(aks.virtual_nodes.workload_identity_problems#filter).
positional: _input
options:
  _input:
    description: The applications, as the role C(aks.virtual_nodes.workload_identity) takes them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Make the identities of all applications
  aks.virtual_nodes.workload_identities:
    resource_group: rg-shop
    issuers: ["{{ cluster_oidc_issuer_url }}"]
    identities: "{{ applications | aks.virtual_nodes.workload_identity_identities }}"
"""

RETURN = r"""
_value:
  description: What the option C(identities) of M(aks.virtual_nodes.workload_identities) takes, in the order of the names.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan import application_identities as plan
from ..module_utils.plan.applications import applications as read


def workload_identity_identities(applications: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return plan.identities(read(applications))


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_identity_identities": workload_identity_identities}
