# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ARM resource ids: building, taking apart, comparing.

ARM treats ids as case-insensitive and returns them in changing case (C(resourcegroups)), so ids are compared by L(key).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ..errors import ConfigurationError


def key(resource_id: str) -> str:
    """The form of an id that is safe to compare and to use as a dictionary key."""
    return resource_id.rstrip("/").lower()


def group_id(subscription_id: str, resource_group: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}"


def provider_id(subscription_id: str, resource_group: str, provider_type: str, name: str) -> str:
    """For example C(provider_type="Microsoft.ManagedIdentity/userAssignedIdentities")."""
    return f"{group_id(subscription_id, resource_group)}/providers/{provider_type}/{name}"


@dataclass(frozen=True)
class ResourceId:
    """The parts of a top-level resource's id that callers need."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, resource_id: str) -> ResourceId:
        """
        :raises ConfigurationError: when the text is not the id of a resource in a resource group.
        """
        parts = resource_id.strip("/").split("/")
        if len(parts) < 8 or parts[0].lower() != "subscriptions" or parts[2].lower() != "resourcegroups":
            raise ConfigurationError(
                f"'{resource_id}' is not a resource id; expected "
                "/subscriptions/<id>/resourceGroups/<group>/providers/<provider>/<type>/<name>."
            )
        return cls(subscription_id=parts[1], resource_group=parts[3], name=parts[7])


def is_guid(value: str) -> bool:
    """True for a GUID in the form Azure writes them (with hyphens)."""
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False
