# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerService: identity bindings of a managed cluster, made and deleted by long-running operations.

Paths, bodies and headers: azure-mgmt-containerservice; the issuer, and the credential C(aks-identity-binding) of the identity,
which outlives its bindings: Microsoft Learn, "Identity bindings for AKS". The wording of the refusals is ours.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import Any

from lab.arm import errors, identities
from lab.arm.call import Answer, Call
from lab.arm.managed_clusters import ManagedClusters, features
from lab.cloud import Body, key

TYPE = "Microsoft.ContainerService/managedClusters/identityBindings"
ISSUER = "https://ib.oic.prod-aks.azure.com"
CREDENTIAL = "aks-identity-binding"
AUDIENCE = "api://AKSIdentityBinding"
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")


class IdentityBindings:
    def __init__(self, clusters: ManagedClusters) -> None:
        self._clusters = clusters

    def list_of_cluster(self, call: Call) -> Answer:
        _parent(call)
        return call.page(call.cloud.below(call.path))

    def get(self, call: Call) -> Answer:
        _parent(call)
        found = call.cloud.find(call.path)
        if found is None:
            names = f"{call.names['name']}/{call.names['binding']}"
            raise errors.resource_not_found(TYPE, names, call.group)
        return Answer(found)

    def put(self, call: Call) -> Answer:
        cluster = _parent(call)
        old = call.cloud.find(call.path)
        _refuse_if_busy(old)
        identity = _checked(call, cluster, old)
        state = "Updating" if old else "Creating"
        binding = call.cloud.put(call.path, _body(call, cluster, old, identity, state))
        links = self._start(call, cluster, lambda: _finish(call, binding, identity))
        return Answer(binding, 200 if old else 201, links)

    def delete(self, call: Call) -> Answer:
        cluster = _parent(call)
        old = call.cloud.find(call.path)
        if old is None:
            return Answer(status=204)
        _refuse_if_busy(old)
        call.cloud.put(call.path, _in_state(old, "Deleting"))
        return Answer(status=202, headers=self._start(call, cluster, lambda: call.cloud.delete(call.path)))

    def _start(self, call: Call, cluster: Body, finish: Callable[[], object]) -> dict[str, str]:
        async def work() -> None:
            await asyncio.sleep(call.scenario.binding_write_seconds)
            finish()

        return self._clusters.start(call, str(cluster["location"]), work())


def _parent(call: Call) -> Body:
    group = call.group
    found = call.cloud.find(re.split("/identityBindings", call.path, flags=re.IGNORECASE)[0])
    if found is None:
        raise errors.resource_not_found("Microsoft.ContainerService/managedClusters", call.names["name"], group)
    return found


def _refuse_if_busy(binding: Body | None) -> None:
    if binding and binding["properties"]["provisioningState"] not in ("Succeeded", "Failed", "Canceled"):
        state = binding["properties"]["provisioningState"]
        raise errors.ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed because there's an in progress {state} operation on the identity binding {binding['name']}. "
            "Please wait for it to finish before starting a new operation.",
        )


def _checked(call: Call, cluster: Body, old: Body | None) -> Body:
    """The identity, if it may be bound."""
    name = call.names["binding"]
    if not _NAME.fullmatch(name):
        raise errors.ArmError(400, "InvalidParameter", f"The identity binding name '{name}' is invalid.")
    given = (call.body().get("properties") or {}).get("managedIdentity") or {}
    identity_id = given.get("resourceId")
    if not isinstance(identity_id, str) or not identity_id:
        raise errors.ArmError(
            400, "InvalidParameter", "The value of parameter properties.managedIdentity.resourceId is required."
        )
    if not all(features(cluster)):
        raise errors.ArmError(
            400,
            "InvalidParameter",
            f"Identity bindings require OIDC issuer and workload identity to be enabled on the managed cluster {cluster['name']}.",
        )
    if old and key(_identity_id(old)) != key(identity_id):
        raise errors.ArmError(
            400,
            "PropertyChangeNotAllowed",
            "Changing property 'properties.managedIdentity.resourceId' is not allowed.",
        )
    for other in call.cloud.below(f"{cluster['id']}/identityBindings"):
        if other is not old and key(_identity_id(other)) == key(identity_id):
            raise errors.ArmError(
                409,
                "Conflict",
                f"The managed identity '{identity_id}' is bound to the managed cluster {cluster['name']} already, by the identity "
                f"binding '{other['name']}'.",
            )
    identity = call.cloud.find(identity_id)
    if identity is None or key(str(identity["type"])) != key(identities.TYPE):
        raise errors.ArmError(
            400, "InvalidParameter", f"The managed identity '{identity_id}' does not exist, or cannot be read."
        )
    return identity


def _body(call: Call, cluster: Body, old: Body | None, identity: Body, state: str) -> Body:
    of_identity = identity["properties"]
    tenant_id, client_id = of_identity["tenantId"], of_identity["clientId"]
    name = old["name"] if old else call.names["binding"]
    return {
        "id": f"{cluster['id']}/identityBindings/{name}",
        "name": name,
        "type": TYPE,
        "eTag": old["eTag"] if old else str(uuid.uuid4()),
        "properties": {
            "managedIdentity": {
                "resourceId": _identity_id(old) if old else call.body()["properties"]["managedIdentity"]["resourceId"],
                "objectId": of_identity["principalId"],
                "clientId": client_id,
                "tenantId": tenant_id,
            },
            "oidcIssuer": {"oidcIssuerUrl": f"{ISSUER}/{tenant_id}/{client_id}"},
            "provisioningState": state,
        },
    }


def _finish(call: Call, binding: Body, identity: Body) -> None:
    call.cloud.put(call.path, {**_in_state(binding, "Succeeded"), "eTag": str(uuid.uuid4())})
    credential_id = _credential_id(identity)
    if call.cloud.find(credential_id) is None:
        # The subject is not documented; whoever reads it must not take it for Azure's.
        body = {
            "issuer": binding["properties"]["oidcIssuer"]["oidcIssuerUrl"],
            "subject": "lab:aks-identity-binding",
            "audiences": [AUDIENCE],
        }
        call.cloud.put(
            credential_id,
            {"id": credential_id, "name": CREDENTIAL, "type": identities.CREDENTIAL_TYPE, "properties": body},
        )


def _credential_id(identity: Body) -> str:
    return f"{identity['id']}/federatedIdentityCredentials/{CREDENTIAL}"


def _identity_id(binding: Body) -> str:
    return str(binding["properties"]["managedIdentity"]["resourceId"])


def _in_state(binding: Body, state: str) -> dict[str, Any]:
    return {**binding, "properties": {**binding["properties"], "provisioningState": state}}
