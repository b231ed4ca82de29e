# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that make one role assignment, or take it away; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..arm.resource_id import is_guid
from ..change import UNKNOWN, Change
from ..errors import ConfigurationError
from ..resources import user_assigned_identity
from ..resources.role_assignment import SERVICE_PRINCIPAL, RoleAssignment


@dataclass(frozen=True)
class PrincipalSpec:
    """Who is to have the role: a principal by its id, or an identity by its name.

    :ivar type: what kind of principal it is, in the service's spelling.
    """

    id: str | None = None
    identity: str | None = None
    type: str = SERVICE_PRINCIPAL

    def validate(self, *, predicting: bool = False) -> None:
        """
        :param predicting: accept a principal that is not known yet (check mode).
        """
        if self.identity is not None:
            user_assigned_identity.validate_name(self.identity)
            if self.type != SERVICE_PRINCIPAL:
                raise ConfigurationError(
                    f"principal_type '{self.type}': identity '{self.identity}' is a {SERVICE_PRINCIPAL}; leave principal_type out."
                )
        elif not is_guid(self.id or "") and not (predicting and self.id == UNKNOWN):
            raise ConfigurationError(
                f"principal_id '{self.id}' is not a GUID; give the principal's object id "
                "('az ad sp show --id <client id> --query id'), or the name of an identity with identity and resource_group."
            )


def plan_present(equal: Sequence[RoleAssignment], wish: RoleAssignment) -> list[Change]:
    """
    :param equal: what gives the principal this role at this scope already, under whatever name; it is left as it is.
    """
    return [] if equal else [Change.create(wish.id, wish.facts())]


def plan_absent(equal: Sequence[RoleAssignment]) -> list[Change]:
    return [Change.delete(each.id, each.facts()) for each in equal]
