# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Authorization: role definitions and assignments, and whether a principal may do something.

Codes and texts: Microsoft Learn, "Troubleshoot Azure RBAC". GUIDs and actions of the built-in roles: "Azure built-in roles".
"""

from __future__ import annotations

import fnmatch
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.access_tokens import Principal
from lab.arm import errors
from lab.arm.call import Answer, Call
from lab.cloud import Body, Cloud, key
from lab.federation import IDENTITY_TYPE

TYPE = "Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Role:
    name: str
    guid: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


OWNER = Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",))
ROLES = (
    OWNER,
    Role(
        "Contributor",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    Role(
        "Managed Identity Contributor",
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        ("Microsoft.ManagedIdentity/userAssignedIdentities/*", "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ),
    Role(
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
        (),
        (),
        ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
    ),
    Role(
        "Private DNS Zone Contributor",
        "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
        (
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
            "Microsoft.Network/privateDnsZones/*",
            "Microsoft.Network/privateDnsOperationResults/*",
            "Microsoft.Network/privateDnsOperationStatuses/*",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/join/action",
            "Microsoft.Authorization/*/read",
        ),
    ),
)


def may(cloud: Cloud, principal: Principal, action: str, resource_id: str, *, data: bool = False) -> bool:
    """Whether some assignment at the resource or above it gives the action."""
    for assignment in cloud.of_type(TYPE):
        properties = assignment["properties"]
        if properties["principalId"] != principal.object_id or not _within(resource_id, properties["scope"]):
            continue
        role = _role(properties["roleDefinitionId"])
        if role and _gives(role, action, data=data):
            return True
    return False


def require(call: Call, action: str) -> None:
    """
    :raises ArmError: 403 unless the caller may.
    """
    if not may(call.cloud, call.principal, action, call.path):
        oid = call.principal.object_id
        raise errors.ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{call.principal.client_id}' with object id '{oid}' does not have authorization to perform action '{action}' "
            f"over scope '{call.path}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        )


def assign(cloud: Cloud, scope: str, role: Role, principal_id: str, subscription_id: str, name: str = "") -> Body:
    """Store an assignment."""
    name = name or str(uuid.uuid4())
    definition = f"/subscriptions/{subscription_id}/providers/{_DEFINITIONS}/{role.guid}"
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    body: Body = {
        "properties": {
            "roleDefinitionId": definition,
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
            "scope": scope.rstrip("/") or "/",
            "condition": None,
            "conditionVersion": None,
            "createdOn": moment,
            "updatedOn": moment,
            "createdBy": None,
            "updatedBy": None,
            "delegatedManagedIdentityResourceId": None,
            "description": None,
        },
        "id": f"{scope.rstrip('/')}/providers/{TYPE}/{name}",
        "type": TYPE,
        "name": name,
    }
    return cloud.put(body["id"], body)


# Role assignments


def list_assignments(call: Call) -> Answer:
    scope = call.names["scope"]
    _require_scope(call, scope)
    condition = call.query.get("$filter", "")
    only_above = "atscope()" in condition.lower()
    principal = re.search(r"(?:principalId eq |assignedTo\()'([^']*)'", condition, re.IGNORECASE)
    found = [
        each
        for each in call.cloud.of_type(TYPE)
        if _within(scope, each["properties"]["scope"])
        or (not only_above and _within(each["properties"]["scope"], scope))
    ]
    if principal:
        found = [each for each in found if each["properties"]["principalId"] == principal.group(1).lower()]
    return call.page(found)


def get_assignment(call: Call) -> Answer:
    found = call.cloud.find(call.path)
    if found is None:
        raise errors.ArmError(
            404, "RoleAssignmentNotFound", f"The role assignment '{call.names['name']}' is not found."
        )
    return Answer(found)


def put_assignment(call: Call) -> Answer:
    scope, name = call.names["scope"], call.names["name"]
    _require_scope(call, scope)
    given = call.body().get("properties") or {}
    role, principal_id = _role(str(given.get("roleDefinitionId", ""))), str(given.get("principalId", "")).lower()
    if not _GUID.fullmatch(name):
        raise errors.ArmError(
            400,
            "InvalidRoleAssignmentId",
            f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
        )
    if role is None:
        wanted = str(given.get("roleDefinitionId", "")).rsplit("/", 1)[-1]
        raise errors.ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{wanted}' does not exist."
        )
    _refuse_twins(call, scope, name, role, principal_id)
    _require_principal(call, principal_id)
    old = call.cloud.find(call.path)
    body = old or assign(call.cloud, scope, role, principal_id, call.scenario.subscription_id, name)
    return Answer(body, 200 if old else 201)


def delete_assignment(call: Call) -> Answer:
    found = call.cloud.find(call.path)
    if found is None:
        return Answer(status=204)
    call.cloud.delete(call.path)
    return Answer(found)


def _refuse_twins(call: Call, scope: str, name: str, role: Role, principal_id: str) -> None:
    for each in call.cloud.of_type(TYPE):
        properties = each["properties"]
        equal = (
            key(properties["scope"]) == key(scope)
            and _role(properties["roleDefinitionId"]) is role
            and properties["principalId"] == principal_id
        )
        if each["name"].lower() == name.lower() and not equal:
            raise errors.ArmError(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        if each["name"].lower() != name.lower() and equal:
            raise errors.ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is {each['name'].replace('-', '')}.",
            )


def _require_principal(call: Call, principal_id: str) -> None:
    """A new identity is unknown for a while, whatever C(principalType) says."""
    delay = call.scenario.principal_replication_seconds
    known = {call.principal.object_id} | {
        identity["properties"]["principalId"]
        for identity in call.cloud.of_type(IDENTITY_TYPE)
        if call.cloud.age(identity["id"]) >= delay
    }
    if principal_id not in known:
        raise errors.ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal_id.replace('-', '')} does not exist in the directory {call.scenario.tenant_id}. Check that you have "
            "the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be "
            "related to a replication delay. In this case, set the role assignment principalType property to a value, such as "
            "ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype",
        )


def _require_scope(call: Call, scope: str) -> None:
    group = re.match(r"/subscriptions/[^/]+/resourceGroups/([^/]+)", scope, re.IGNORECASE)
    if group:
        call.require_group(group.group(1))
    if group and "/providers/" in scope.lower() and call.cloud.find(scope) is None:
        kind, name = re.split("/providers/", scope, flags=re.IGNORECASE)[1].rsplit("/", 1)
        raise errors.resource_not_found(kind, name, group.group(1))


# Role definitions


def list_definitions(call: Call) -> Answer:
    scope = call.names["scope"]
    wanted = re.search(r"roleName eq '((?:[^']|'')*)'", call.query.get("$filter", ""), re.IGNORECASE)
    name = wanted.group(1).replace("''", "'").lower() if wanted else ""
    return Answer(
        {"value": [_definition(call, scope, role) for role in ROLES if not wanted or role.name.lower() == name]}
    )


def get_definition(call: Call) -> Answer:
    role = _role(call.names["name"])
    if role is None:
        raise errors.ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{call.names['name']}' does not exist.",
        )
    return Answer(_definition(call, call.names["scope"], role))


def _definition(call: Call, scope: str, role: Role) -> dict[str, Any]:
    prefix = f"/subscriptions/{call.scenario.subscription_id}" if scope.lower().startswith("/subscriptions/") else ""
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": "",
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": list(role.data_actions),
                    "notDataActions": [],
                }
            ],
        },
        "id": f"{prefix}/providers/{_DEFINITIONS}/{role.guid}",
        "type": _DEFINITIONS,
        "name": role.guid,
    }


def _role(definition_id: str) -> Role | None:
    guid = definition_id.rstrip("/").rsplit("/", 1)[-1].lower()
    return next((role for role in ROLES if role.guid == guid), None)


def _gives(role: Role, action: str, *, data: bool) -> bool:
    granted = role.data_actions if data else role.actions
    withheld: tuple[str, ...] = () if data else role.not_actions
    return any(_matching(granted, action)) and not any(_matching(withheld, action))


def _matching(patterns: tuple[str, ...], action: str) -> Iterator[bool]:
    return (fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _within(resource_id: str, scope: str) -> bool:
    return key(resource_id) == key(scope) or key(resource_id).startswith(f"{key(scope)}/")
