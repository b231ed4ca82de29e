# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the ServiceAccounts that use their identities."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_identity_manifests
short_description: Turn applications into their annotated ServiceAccounts
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Makes the Namespaces and the ServiceAccounts, and, for identities whose C(federation) is V(binding), the ClusterRole and
    ClusterRoleBinding that let exactly these ServiceAccounts use them.
positional: _input, service_accounts
options:
  _input:
    description: The applications, as the role C(aks.virtual_nodes.workload_identity) takes them.
    type: list
    elements: dict
    required: true
  service_accounts:
    description:
      - C(<namespace>/<name>) of each ServiceAccount, to C(identity), C(client_id) and C(tenant_id) of the identity that trusts it, as
        made by P(aks.virtual_nodes.workload_identity_service_accounts#filter).
    type: dict
  resource_group:
    description: Resource group of the identities, which is part of the names of ClusterRoles.
    type: str
    required: true
  manage_namespaces:
    description: Whether the Namespaces are among them.
    type: bool
    default: true
  annotate_tenant:
    description: Whether ServiceAccounts are annotated with the tenant of the identity.
    type: bool
    default: false
  state:
    description:
      - V(absent) gives the same objects with their names alone, as far as it takes to remove them. O(service_accounts) is then not looked at.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Make the ServiceAccounts
  vars:
    accounts: "{{ made.identities | aks.virtual_nodes.workload_identity_service_accounts }}"
  aks.virtual_nodes.kubernetes_objects:
    definitions: "{{ applications | aks.virtual_nodes.workload_identity_manifests(accounts, resource_group='rg-shop') }}"
"""

RETURN = r"""
_value:
  description: The manifests, in the order of their names.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.kube.objects import Manifest
from ..module_utils.plan.application_identities import Manifests
from ..module_utils.plan.applications import applications as read


def workload_identity_manifests(
    applications: Sequence[Mapping[str, Any]],
    service_accounts: Mapping[str, Mapping[str, str]] | None = None,
    *,
    resource_group: str,
    manage_namespaces: bool = True,
    annotate_tenant: bool = False,
    state: str = "present",
) -> list[Manifest]:
    # Switches are texts when they come from a command line.
    manifests = Manifests(resource_group, boolean(manage_namespaces), boolean(annotate_tenant))
    if state == "absent":
        return manifests.absent(read(applications))
    return manifests.present(read(applications), service_accounts or {})


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_identity_manifests": workload_identity_manifests}
