# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role assignments (Microsoft.Authorization/roleAssignments)."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.errors import azure_errors
from ..arm.resource_id import is_guid, key
from ..change import UNKNOWN, Action, Change, State
from ..errors import AzureError, ConfigurationError
from ..waiting import Deadline, retry

if TYPE_CHECKING:
    from ..arm.session import Session

# How long a principal that was just created may take to reach the authorization service, in seconds.
REPLICATION_WAIT_S = 180.0

# The kind of principal that an identity is.
SERVICE_PRINCIPAL = "ServicePrincipal"
PRINCIPAL_TYPES = (SERVICE_PRINCIPAL, "User", "Group", "ForeignGroup")

_TYPE = "/providers/Microsoft.Authorization/roleAssignments/"
_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions/"
# A subscription, resource group or (nested) resource, or a management group.
_SCOPE = re.compile(
    r"(/subscriptions/[^/]+(/resourceGroups/[^/]+)?(/providers/[^/]+(/[^/]+/[^/]+)+)*"
    r"|/providers/Microsoft\.Management/managementGroups/[^/]+)/?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RoleGrant:
    """A wished-for assignment: C(role) is a built-in or custom role's name, GUID or id; C(scope) any ARM id."""

    role: str
    scope: str

    def validate(self, within: str = "role_assignments: ") -> None:
        """
        :param within: what the message begins with, where the options are parts of another.
        """
        if not self.role.strip():
            raise ConfigurationError(f"{within}role is empty for scope '{self.scope}'; give a role's name or id.")
        if self._is_id and not (_DEFINITIONS.lower() in self.role.lower() and is_guid(_guid(self.role))):
            raise ConfigurationError(
                f"{within}role '{self.role}' is not a role's id; expected …{_DEFINITIONS}<GUID>, or the role's name or GUID."
            )
        if self.scope != self.scope.strip() or not _SCOPE.fullmatch(self.scope):
            raise ConfigurationError(
                f"{within}scope '{self.scope}' is not an ARM id; expected /subscriptions/<id>[/resourceGroups/<group>[/providers/…]]."
            )

    @property
    def definition_guid(self) -> str:
        """The role's GUID; empty when it is given by name."""
        return _guid(self.role) if self._is_id or is_guid(self.role) else ""

    @property
    def _is_id(self) -> bool:
        return self.role.startswith("/")  # a slash further on may be part of a custom role's name


@dataclass(frozen=True)
class RoleAssignment:
    """An assignment as read, or as it is to be."""

    id: str
    scope: str
    role_definition_id: str
    principal_id: str
    principal_type: str = SERVICE_PRINCIPAL

    @classmethod
    def wished(cls, scope: str, definition_id: str, principal_id: str, principal_type: str) -> RoleAssignment:
        known = principal_id != UNKNOWN
        name = assignment_name(scope, definition_id, principal_id) if known else UNKNOWN
        return cls(f"{scope.rstrip('/')}{_TYPE}{name}", scope, definition_id, principal_id, principal_type)

    def state(self, role: str, identity_id: str) -> State:
        return _state(self.id, RoleGrant(role, self.scope), self.role_definition_id, identity_id)

    def facts(self) -> State:
        """All of it, for who manages the assignment by itself and not as a part of an identity."""
        return {
            "id": self.id,
            "name": self.id.rsplit("/", 1)[-1],
            "scope": self.scope,
            "role_definition_id": self.role_definition_id,
            "principal_id": self.principal_id,
            "principal_type": self.principal_type,
        }


class AssignmentIndex:
    """Assignments by what they grant, whatever their names; asked for many wishes, read once."""

    def __init__(self, assignments: Iterable[RoleAssignment]) -> None:
        self._found: dict[tuple[str, str, str], list[RoleAssignment]] = defaultdict(list)
        for each in assignments:
            self._found[_grant_key(each.scope, each.role_definition_id, each.principal_id)].append(each)

    def equal(self, scope: str, definition_id: str, principal_id: str) -> Sequence[RoleAssignment]:
        """Those that give the principal this role at exactly this scope."""
        return self._found.get(_grant_key(scope, definition_id, principal_id), ())


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
        return [_read(each) for each in found if key(str(each.scope)) == key(scope)]


def role_definition_id(session: Session, grant: RoleGrant) -> str:
    """The definition's id for a role's name, GUID or id.

    :raises ConfigurationError: when there is no such role at the scope.
    """
    guid = grant.definition_guid
    found = _definition_by_guid(session, grant, guid) if guid else _definition_by_name(session, grant)
    if not found:
        raise ConfigurationError(
            f"role '{grant.role}' does not exist at scope '{grant.scope}'; "
            f"'az role definition list --scope {grant.scope} --query [].[roleName,name]' shows the roles."
        )
    return found


def _definition_by_name(session: Session, grant: RoleGrant) -> str:
    quoted = grant.role.replace("'", "''")
    with azure_errors(f"Looking up role '{grant.role}' at '{grant.scope}'"):
        found = session.authorization.role_definitions.list(_unrooted(grant.scope), filter=f"roleName eq '{quoted}'")
        return next((str(each.id) for each in found), "")


def _definition_by_guid(session: Session, grant: RoleGrant, guid: str) -> str:
    try:
        with azure_errors(f"Looking up role '{grant.role}' at '{grant.scope}'"):
            return str(session.authorization.role_definitions.get(_unrooted(grant.scope), guid).id)
    except AzureError as error:
        if error.code == "RoleDefinitionDoesNotExist":
            return ""
        raise


def write(session: Session, change: Change, principal_id: str, *, wait_s: float = REPLICATION_WAIT_S) -> State | None:
    """Carry out a change; a principal that is too new for the authorization service is waited for.

    :param principal_id: of a new assignment; the plan may be older than the principal.
    :returns: the wished-for state, with what the service says of each of its values.
    """
    if change.action is Action.DELETE or change.after is None:
        with azure_errors(f"Deleting role assignment '{change.resource_id}'"):
            scope, name = re.split(re.escape(_TYPE), change.resource_id, flags=re.IGNORECASE)
            session.authorization.role_assignments.delete(_unrooted(scope), name)
        return None
    state = change.after
    principal_type = str(state.get("principal_type", SERVICE_PRINCIPAL))
    wish = RoleAssignment.wished(state["scope"], state["role_definition_id"], principal_id, principal_type)
    made = retry(
        lambda: _create(session, wish, str(state.get("role", wish.role_definition_id))),
        when=lambda error: error.code == "PrincipalNotFound",
        deadline=Deadline(wait_s),
    ).facts()
    return {name: made.get(name, value) for name, value in state.items()}


def _create(session: Session, wish: RoleAssignment, role: str) -> RoleAssignment:
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

    body = RoleAssignmentCreateParameters(
        role_definition_id=wish.role_definition_id,
        principal_id=wish.principal_id,
        principal_type=wish.principal_type,  # spares the service a look-up that fails for a fresh principal
    )
    name = wish.id.rsplit("/", 1)[-1]
    try:
        with azure_errors(f"Assigning role '{role}' at '{wish.scope}'"):
            return _read(session.authorization.role_assignments.create(_unrooted(wish.scope), name, body))
    except AzureError as error:
        if error.code != "RoleAssignmentExists":
            raise
    # Another writer was faster, under another name.
    there = AssignmentIndex(list_at_scope(session, wish.scope))
    return next(iter(there.equal(wish.scope, wish.role_definition_id, wish.principal_id)), wish)


def assignment_name(scope: str, definition_id: str, principal_id: str) -> str:
    """A GUID that is the same in every run, so that a repeated write is not a second assignment."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(_grant_key(scope, definition_id, principal_id))))


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


def _read(found: Any) -> RoleAssignment:
    return RoleAssignment(
        str(found.id),
        str(found.scope),
        str(found.role_definition_id),
        str(found.principal_id),
        str(found.principal_type or ""),
    )


def _grant_key(scope: str, definition_id: str, principal_id: str) -> tuple[str, str, str]:
    # Role definitions by GUID, since the same one is written with and without a subscription before it.
    return key(scope), _guid(definition_id), principal_id.lower()


def _guid(definition_id: str) -> str:
    return definition_id.rstrip("/").rsplit("/", 1)[-1].lower()


def _unrooted(scope: str) -> str:
    # The SDK puts the scope after a slash of its own.
    return scope.strip("/")
