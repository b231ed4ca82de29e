# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the checks that prove their identities."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_identity_checks
short_description: Turn applications into the checks that workload_identity_check makes
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - Identities whose C(federation) is V(binding) are left out. Their tokens are asked for at the cluster, from inside a pod.
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
    required: true
"""

EXAMPLES = r"""
- name: Prove that each ServiceAccount gets a token of its identity
  vars:
    accounts: "{{ made.identities | aks.virtual_nodes.workload_identity_service_accounts }}"
  aks.virtual_nodes.workload_identity_check:
    resource_group: rg-shop
    checks: "{{ applications | aks.virtual_nodes.workload_identity_checks(accounts) }}"
"""

RETURN = r"""
_value:
  description: What the option C(checks) of M(aks.virtual_nodes.workload_identity_check) takes, one for each ServiceAccount.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan import application_identities as plan
from ..module_utils.plan.applications import applications as read


def workload_identity_checks(
    applications: Sequence[Mapping[str, Any]], service_accounts: Mapping[str, Mapping[str, str]]
) -> list[dict[str, str]]:
    return plan.checks(read(applications), service_accounts)


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_identity_checks": workload_identity_checks}
