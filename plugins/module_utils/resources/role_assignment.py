# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role assignments of an identity (Microsoft.Authorization/roleAssignments)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.errors import azure_errors
from ..arm.resource_id import is_guid, key
from ..change import Action, Change, State
from ..errors import AzureError, ConfigurationError
from ..waiting import Deadline, retry

if TYPE_CHECKING:
    from ..arm.session import Session

# How long a principal that was just created may take to reach the authorization service, in seconds.
REPLICATION_WAIT_S = 180.0

_TYPE = "/providers/Microsoft.Authorization/roleAssignments/"


@dataclass(frozen=True)
class RoleGrant:
    """A wished-for assignment: C(role) is a built-in or custom role's name, GUID or id; C(scope) any ARM id."""

    role: str
    scope: str

    def validate(self) -> None:
        if not self.role.strip():
            raise ConfigurationError(
                f"role_assignments: role is empty for scope '{self.scope}'; give a role's name or id."
            )
        if not self.scope.lower().startswith(("/subscriptions/", "/providers/microsoft.management/managementgroups/")):
            raise ConfigurationError(
                f"role_assignments: scope '{self.scope}' is not an ARM id; expected /subscriptions/<id>[/resourceGroups/<group>[/providers/…]]."
            )


@dataclass(frozen=True)
class RoleAssignment:
    """An assignment as read."""

    id: str
    scope: str
    role_definition_id: str
    principal_id: str

    def grants(self, scope: str, role_definition_id: str, principal_id: str) -> bool:
        """Whether it is this one, whatever its name; role definitions are compared by GUID, since their prefix varies."""
        return (
            key(self.scope) == key(scope)
            and _guid(self.role_definition_id) == _guid(role_definition_id)
            and self.principal_id.lower() == principal_id.lower()
        )

    def state(self, role: str, identity_id: str) -> State:
        return _state(self.id, RoleGrant(role, self.scope), self.role_definition_id, identity_id)


def predicted_state(grant: RoleGrant, definition_id: str, identity_id: str) -> State:
    """The state of an assignment that is to be made; its id is a stand-in, as a new identity's principal id is not known yet."""
    owner = identity_id.rsplit("/", 1)[-1]
    return _state(
        f"{grant.scope.rstrip('/')}{_TYPE}{_guid(definition_id)} of {owner}", grant, definition_id, identity_id
    )


def list_at_scope(session: Session, scope: str) -> list[RoleAssignment]:
    """The assignments at exactly this scope, page by page; inherited ones are left out."""
    with azure_errors(f"Listing the role assignments at '{scope}'"):
        found = session.authorization.role_assignments.list_for_scope(_unrooted(scope), filter="atScope()")
        return [
            RoleAssignment(str(each.id), str(each.scope), str(each.role_definition_id), str(each.principal_id))
            for each in found
            if key(str(each.scope)) == key(scope)
        ]


def role_definition_id(session: Session, grant: RoleGrant) -> str:
    """The definition's id for a role's name, GUID or id.

    :raises ConfigurationError: when no role has that name at the scope.
    """
    if "/" in grant.role:
        return grant.role
    if is_guid(grant.role):
        return (
            f"/subscriptions/{session.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{grant.role}"
        )
    quoted = grant.role.replace("'", "''")
    with azure_errors(f"Looking up role '{grant.role}' at '{grant.scope}'"):
        found = list(
            session.authorization.role_definitions.list(_unrooted(grant.scope), filter=f"roleName eq '{quoted}'")
        )
    if not found:
        raise ConfigurationError(
            f"role '{grant.role}' does not exist at scope '{grant.scope}'; 'az role definition list --query [].roleName' shows the names."
        )
    return str(found[0].id)


def write(session: Session, change: Change, principal_id: str) -> State | None:
    """Carry out a change; a principal that is too new for the authorization service is waited for."""
    if change.action is Action.DELETE or change.after is None:
        with azure_errors(f"Deleting role assignment '{change.resource_id}'"):
            scope, name = change.resource_id.split(_TYPE)
            session.authorization.role_assignments.delete(_unrooted(scope), name)
        return None
    wish = change.after
    return retry(
        lambda: _create(session, wish, principal_id),
        when=lambda error: error.code == "PrincipalNotFound",
        deadline=Deadline(REPLICATION_WAIT_S),
    )


def _create(session: Session, wish: State, principal_id: str) -> State:
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

    body = RoleAssignmentCreateParameters(
        role_definition_id=wish["role_definition_id"],
        principal_id=principal_id,
        principal_type="ServicePrincipal",  # spares the service a look-up that fails for a fresh principal
    )
    name = assignment_name(wish["scope"], wish["role_definition_id"], principal_id)
    try:
        with azure_errors(f"Assigning role '{wish['role']}' at '{wish['scope']}'"):
            made: Any = session.authorization.role_assignments.create(_unrooted(wish["scope"]), name, body)
            made_id = str(made.id)
    except AzureError as error:
        if error.code != "RoleAssignmentExists":  # another writer was faster, under another name
            raise
        made_id = f"{wish['scope'].rstrip('/')}{_TYPE}{name}"
    return {**wish, "id": made_id}


def assignment_name(scope: str, definition_id: str, principal_id: str) -> str:
    """A GUID that is the same in every run, so that a repeated write is not a second assignment."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join((key(scope), _guid(definition_id), principal_id.lower()))))


def is_assignment(resource_id: str) -> bool:
    return _TYPE.lower() in resource_id.lower()


def distinct_scopes(grants: Iterable[RoleGrant]) -> list[str]:
    return list({key(grant.scope): grant.scope for grant in grants}.values())


def _state(assignment_id: str, grant: RoleGrant, definition_id: str, identity_id: str) -> State:
    return {
        "id": assignment_id,
        "scope": grant.scope,
        "role": grant.role,
        "role_definition_id": definition_id,
        "identity_id": identity_id,
    }


def _guid(definition_id: str) -> str:
    return definition_id.rstrip("/").rsplit("/", 1)[-1].lower()


def _unrooted(scope: str) -> str:
    # The SDK puts the scope after a slash of its own.
    return scope.strip("/")
