# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resource groups: only read, for the location that new resources take over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arm.resource_id import group_id

if TYPE_CHECKING:
    from ..arm.session import Session

API_VERSION = "2024-03-01"


def location_of(session: Session, resource_group: str) -> str:
    """
    :raises AzureError: C(ResourceGroupNotFound) when there is no such group.
    """
    return str(session.get(group_id(session.subscription_id, resource_group), api_version=API_VERSION)["location"])
