# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ManagedIdentity: user-assigned identities and their federated credentials.

Paths, bodies and limits: the REST reference and azure-mgmt-msi; the refusal of concurrent writes: Azure/bicep#10928; that an issuer
and a subject may stand once: Azure/bicep-types-az#2029. Ids come back with C(resourcegroups) in lower case, as from the service.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

from lab.arm import errors
from lab.arm.call import Answer, Call
from lab.cloud import Body, key

TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIAL_TYPE = f"{TYPE}/federatedIdentityCredentials"
MOST_CREDENTIALS = 20
LONGEST_VALUE = 600
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}")
_CREDENTIAL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,119}")


def list_of_group(call: Call) -> Answer:
    call.require_group(call.names["group"])
    return call.page(call.cloud.below(call.path))


def list_of_subscription(call: Call) -> Answer:
    return call.page(call.cloud.of_type(TYPE))


def get(call: Call) -> Answer:
    return Answer(_identity(call))


def put(call: Call) -> Answer:
    given = call.body()
    name, group = call.names["name"], call.group
    old = call.cloud.find(call.path)
    location = given.get("location") or (old or {}).get("location")
    if not location:
        raise errors.ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if not _NAME.fullmatch(name):
        raise errors.ArmError(
            400,
            "InvalidResourceName",
            f"The resource name '{name}' is invalid. The name can contain only letters, numbers, hyphens and underscores, must begin "
            "with a letter or a number and have a length between 3 and 128.",
        )
    if old and location.lower().replace(" ", "") != old["location"]:
        raise errors.ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{name}' already exists in location '{old['location']}' in resource group '{group}'. A resource with the "
            f"same name cannot be created in location '{location}'. Please select a new resource name.",
        )
    return Answer(call.cloud.put(call.path, _body(call, given, old, location)), 200 if old else 201)


def patch(call: Call) -> Answer:
    old = _identity(call)
    given = call.body()
    return Answer(call.cloud.put(call.path, {**old, "tags": given.get("tags", old["tags"])}))


def delete(call: Call) -> Answer:
    call.require_group(call.names["group"])
    return Answer(status=200 if call.cloud.delete(call.path) else 204)


def _body(call: Call, given: dict[str, Any], old: Body | None, location: str) -> Body:
    asked = given.get("properties") or {}
    known = old["properties"] if old else {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    properties = {
        "isolationScope": asked.get("isolationScope", known.get("isolationScope", "None")),
        "tenantId": call.scenario.tenant_id,
        "principalId": known["principalId"],
        "clientId": known["clientId"],
    }
    name = old["name"] if old else call.names["name"]
    return {
        "location": location.lower().replace(" ", ""),
        "tags": given.get("tags") or {},
        "id": f"/subscriptions/{call.scenario.subscription_id}/resourcegroups/{call.group}/providers/{TYPE}/{name}",
        "name": name,
        "type": TYPE,
        "properties": properties,
    }


def _identity(call: Call) -> Body:
    group = call.group
    found = call.cloud.find(call.path)
    if found is None:
        raise errors.resource_not_found(TYPE, call.names["name"], group)
    return found


# Federated credentials


def list_credentials(call: Call) -> Answer:
    _parent(call)
    return call.page(call.cloud.below(call.path))


def get_credential(call: Call) -> Answer:
    _parent(call)
    found = call.cloud.find(call.path)
    if found is None:
        raise errors.ArmError(
            404,
            "NotFound",
            f"The Federated Identity Credential '{call.names['credential']}' was not found under the managed identity "
            f"'{call.names['name']}'.",
        )
    return Answer(found)


async def put_credential(call: Call) -> Answer:
    parent = _parent(call)
    properties = _checked(call, call.body().get("properties"))
    async with _Exclusive(call, parent):
        old = call.cloud.find(call.path)
        others = [each for each in call.cloud.below(f"{parent['id']}/federatedIdentityCredentials") if each is not old]
        _check_against(others, properties)
        name = old["name"] if old else call.names["credential"]
        body = {
            "id": f"{parent['id']}/federatedIdentityCredentials/{name}",
            "name": name,
            "type": CREDENTIAL_TYPE,
            "properties": properties,
        }
        return Answer(call.cloud.put(call.path, body), 200 if old else 201)


async def delete_credential(call: Call) -> Answer:
    parent = _parent(call)
    async with _Exclusive(call, parent):
        return Answer(status=200 if call.cloud.delete(call.path) else 204)


def _parent(call: Call) -> Body:
    call.require_group(call.names["group"])
    parent_id = re.split("/federatedIdentityCredentials", call.path, flags=re.IGNORECASE)[0]
    found = call.cloud.find(parent_id)
    if found is None:
        action = {"GET": "read", "DELETE": "delete"}.get(call.method, "write")
        raise errors.parent_not_found(action, CREDENTIAL_TYPE.partition("/")[2], parent_id)
    return found


def _checked(call: Call, properties: Any) -> dict[str, Any]:
    name = call.names["credential"]
    if not _CREDENTIAL_NAME.fullmatch(name):
        raise errors.bad_request(
            f"The Federated Identity Credential name '{name}' is invalid: it must match the pattern ^[a-zA-Z0-9]{{1}}[a-zA-Z0-9-_]{{2,119}}$."
        )
    if not isinstance(properties, dict):
        raise errors.bad_request("The property 'properties' is required.")
    for field in ("issuer", "subject"):
        value = properties.get(field)
        if not isinstance(value, str) or not value or len(value) > LONGEST_VALUE:
            raise errors.bad_request(
                f"The property '{field}' is required and may have at most {LONGEST_VALUE} characters."
            )
    audiences = properties.get("audiences")
    if not isinstance(audiences, list) or len(audiences) != 1 or not audiences[0]:
        raise errors.bad_request("The property 'audiences' must contain exactly one audience.")
    return {"issuer": properties["issuer"], "subject": properties["subject"], "audiences": audiences}


def _check_against(others: list[Body], properties: dict[str, Any]) -> None:
    if len(others) >= MOST_CREDENTIALS:
        raise errors.bad_request(
            f"Too many Federated Identity Credentials: a managed identity may have at most {MOST_CREDENTIALS}."
        )
    for other in others:
        if all(other["properties"][field] == properties[field] for field in ("issuer", "subject")):
            raise errors.bad_request("Issuer and subject combination already exists for this Managed Identity.")


class _Exclusive:
    """Writes of credentials exclude each other on one identity; the second is refused, not queued."""

    def __init__(self, call: Call, identity: Body) -> None:
        self._id = str(identity["id"])
        self._busy = call.cloud.busy
        self._seconds = call.scenario.credential_write_seconds

    async def __aenter__(self) -> None:
        if key(self._id) in self._busy:
            raise errors.ArmError(
                409,
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed identity "
                f"'{self._id}'. Concurrent Federated Identity Credentials writes under the same managed identity are not supported.",
            )
        self._busy.add(key(self._id))
        await asyncio.sleep(self._seconds)

    async def __aexit__(self, *_exception: object) -> None:
        self._busy.discard(key(self._id))
