# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Resources: the metadata of the cloud, tenants, subscriptions, providers and resource groups."""

from __future__ import annotations

from typing import Any

from lab.arm import errors
from lab.arm.call import Answer, Call
from lab.cloud import Body
from lab.scenario import Scenario

LOCATIONS = ("westeurope", "northeurope", "eastus")
_PROVIDERS = (
    "Microsoft.ManagedIdentity",
    "Microsoft.ContainerService",
    "Microsoft.ContainerInstance",
    "Microsoft.Authorization",
    "Microsoft.KeyVault",
    "Microsoft.Network",
    "Microsoft.Resources",
)


def metadata(arm: str, authority: str, audiences: tuple[str, ...], tenant_id: str) -> dict[str, Any]:
    """What C(/metadata/endpoints) answers without a token, as of 2022-09-01."""
    return {
        "name": "AksVirtualNodesLab",
        "portal": "",
        "graph": authority,
        "resourceManager": arm,
        "authentication": {
            "loginEndpoint": authority,
            "audiences": list(audiences),
            "tenant": tenant_id,
            "identityProvider": "AAD",
        },
        "microsoftGraphResourceId": authority,
        "gallery": "",
        "batch": "",
        "media": "",
        "suffixes": {"keyVaultDns": "vault.lab.invalid", "storage": "core.lab.invalid"},
    }


def list_subscriptions(call: Call) -> Answer:
    return Answer({"value": [_subscription(call.scenario)], "count": {"type": "Total", "value": 1}})


def get_subscription(call: Call) -> Answer:
    return Answer(_subscription(call.scenario))


def list_tenants(call: Call) -> Answer:
    tenant = call.scenario.tenant_id
    shown = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Lab", "tenantCategory": "Home"}
    return Answer({"value": [shown]})


def list_locations(call: Call) -> Answer:
    subscription = f"/subscriptions/{call.scenario.subscription_id}"
    return Answer(
        {"value": [{"id": f"{subscription}/locations/{name}", "name": name, "displayName": name} for name in LOCATIONS]}
    )


def list_providers(call: Call) -> Answer:
    return Answer({"value": [_provider(call.scenario, name) for name in _PROVIDERS]})


def get_provider(call: Call) -> Answer:
    for name in _PROVIDERS:
        if name.lower() == call.names["namespace"].lower():
            return Answer(_provider(call.scenario, name))
    raise errors.ArmError(
        404, "InvalidResourceNamespace", f"The resource namespace '{call.names['namespace']}' is invalid."
    )


def list_groups(call: Call) -> Answer:
    return call.page(call.cloud.below(f"/subscriptions/{call.scenario.subscription_id}/resourceGroups"))


def get_group(call: Call) -> Answer:
    return Answer(call.require_group(call.names["group"]))


def head_group(call: Call) -> Answer:
    found = call.cloud.find(call.path)
    return Answer(status=204 if found else 404)


def put_group(call: Call) -> Answer:
    given = call.body()
    location = given.get("location")
    if not location:
        raise errors.ArmError(400, "LocationRequired", "The location property is required for this definition.")
    old = call.cloud.find(call.path)
    if old and old["location"] != _normal(location):
        raise errors.ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location '{old['location']}'.",
        )
    name = old["name"] if old else call.names["group"]
    group = new_group(call.scenario.subscription_id, name, location, given.get("tags"))
    return Answer(call.cloud.put(call.path, group), 200 if old else 201)


def new_group(subscription_id: str, name: str, location: str, tags: dict[str, str] | None = None) -> Body:
    return {
        "id": f"/subscriptions/{subscription_id}/resourceGroups/{name}",
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": _normal(location),
        **({"tags": tags} if tags else {}),
        "properties": {"provisioningState": "Succeeded"},
    }


def _normal(location: str) -> str:
    return location.lower().replace(" ", "")


def _subscription(scenario: Scenario) -> Body:
    return {
        "id": f"/subscriptions/{scenario.subscription_id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": scenario.subscription_id,
        "tenantId": scenario.tenant_id,
        "displayName": "Lab",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _provider(scenario: Scenario, namespace: str) -> Body:
    return {
        "id": f"/subscriptions/{scenario.subscription_id}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [],
    }
