# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
description:
  - Applications without C(service) are passed over.
options:
  _input:
    description: The applications, as the role C(aks.virtual_nodes.service_discovery) takes them.
    type: list
    elements: dict
    required: true
  zone:
    description: Name of the private DNS zone, such as V(shop.internal).
    type: str
    required: true
"""
