# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identities that were made into the ServiceAccounts that they trust."""

from __future__ import annotations

DOCUMENTATION = r"""
name: workload_identity_service_accounts
short_description: Tell which identity trusts which ServiceAccount
version_added: 0.1.0
author:
  - aks.virtual_nodes contributors (@aks-virtual-nodes)
description:
  - A ServiceAccount of an identity with C(shard) is trusted by one of several identities; which one, only the module knows.
positional: _input
options:
  _input:
    description: RV(aks.virtual_nodes.workload_identities#module:identities) of a task.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: The client id of one ServiceAccount
  ansible.builtin.debug:
    msg: "{{ (made.identities | aks.virtual_nodes.workload_identity_service_accounts)['shop/orders'].client_id }}"
"""

RETURN = r"""
_value:
  description: C(<namespace>/<name>) of each ServiceAccount, to C(identity), C(client_id) and C(tenant_id) of the identity that trusts it.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.plan.application_identities import service_accounts


def workload_identity_service_accounts(identities: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return service_accounts(identities)


class FilterModule:
    """Ansible looks for this class."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"workload_identity_service_accounts": workload_identity_service_accounts}
