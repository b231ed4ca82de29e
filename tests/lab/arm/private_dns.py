# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Network: private DNS zones and their virtual network links, made and deleted by long-running operations.

Paths, bodies and status codes: azure-mgmt-privatedns and the REST reference; a zone with links cannot be deleted:
learntocloud/networking-lab #8; zones of one network must not overlap: MicrosoftDocs/azure-aks-docs #212. The wording of the
other refusals is ours.
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from lab.arm import authorization, errors, virtual_networks
from lab.arm.call import Answer, Call
from lab.arm.preconditions import check_preconditions
from lab.arm.private_dns_records import RECORD_TYPES, Records, start_of_authority
from lab.arm.virtual_networks import Row
from lab.cloud import Body, Cloud, key

TYPE = "Microsoft.Network/privateDnsZones"
LINK_TYPE = f"{TYPE}/virtualNetworkLinks"
RETRY_AFTER_S = 1
_PROVIDER = f"/providers/{TYPE}"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_JOIN = "Microsoft.Network/virtualNetworks/join/action"
# 2 to 34 labels (Learn: naming rules for Azure resources).
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_LINK_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9_])?", re.IGNORECASE)


class PrivateDns:
    def __init__(self) -> None:
        self._operations: dict[str, Body] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def rows(self) -> list[Row]:
        """Method, path, action and handler of each request."""
        records = Records()
        one = f"{_GROUP}{_PROVIDER}/{{zone}}"
        links, link = f"{one}/virtualNetworkLinks", f"{one}/virtualNetworkLinks/{{link}}"
        operations = f"{_GROUP}/providers/Microsoft.Network/privateDnsOperation"
        return [
            ("GET", f"{operations}Statuses/{{operation}}", "", self.operation),
            ("GET", f"{operations}Results/{{operation}}", "", self.operation),
            ("GET", f"/subscriptions/{{subscription}}{_PROVIDER}", f"{TYPE}/read", self.list_of_subscription),
            ("GET", f"{_GROUP}{_PROVIDER}", f"{TYPE}/read", self.list_of_group),
            ("GET", one, f"{TYPE}/read", self.get),
            ("PUT", one, f"{TYPE}/write", self.put),
            ("PATCH", one, f"{TYPE}/write", self.patch),
            ("DELETE", one, f"{TYPE}/delete", self.delete),
            ("GET", links, f"{LINK_TYPE}/read", self.list_links),
            ("GET", link, f"{LINK_TYPE}/read", self.get_link),
            ("PUT", link, f"{LINK_TYPE}/write", self.put_link),
            ("PATCH", link, f"{LINK_TYPE}/write", self.patch_link),
            ("DELETE", link, f"{LINK_TYPE}/delete", self.delete_link),
            *records.rows(one),
        ]

    # Zones

    def list_of_subscription(self, call: Call) -> Answer:
        return call.page([_shown(call.cloud, each) for each in call.cloud.of_type(TYPE)])

    def list_of_group(self, call: Call) -> Answer:
        call.require_group(call.names["group"])
        return call.page([_shown(call.cloud, each) for each in call.cloud.below(call.path)])

    def get(self, call: Call) -> Answer:
        return Answer(_shown(call.cloud, _existing(call)))

    def put(self, call: Call) -> Answer:
        group, given = call.group, call.body()
        old = call.cloud.find(call.path)
        check_preconditions(call, old, f"The private DNS zone {call.names['zone']}")
        _check_zone(call.names["zone"], given)
        name = old["name"] if old else call.names["zone"]
        zone = {
            "id": f"/subscriptions/{call.scenario.subscription_id}/resourceGroups/{group}{_PROVIDER}/{name}",
            "name": name,
            "type": TYPE,
            "etag": str(uuid.uuid4()),
            "location": "global",
            "tags": given.get("tags") or {},
            "properties": old["properties"] if old else _new_properties(),
        }

        def finish() -> None:
            call.cloud.put(call.path, zone)
            soa = start_of_authority(zone)
            if call.cloud.find(soa["id"]) is None:
                call.cloud.put(soa["id"], soa)

        return self._start(call, finish)

    def patch(self, call: Call) -> Answer:
        zone = _existing(call)
        check_preconditions(call, zone, f"The private DNS zone {zone['name']}")
        changed = {**zone, "etag": str(uuid.uuid4()), "tags": call.body().get("tags") or zone["tags"]}
        return self._start(call, lambda: call.cloud.put(call.path, changed))

    def delete(self, call: Call) -> Answer:
        call.require_group(call.names["group"])
        zone = call.cloud.find(call.path)
        if zone is None:
            return Answer(status=204)
        check_preconditions(call, zone, f"The private DNS zone {zone['name']}")
        nested = list(call.cloud.below(f"{call.path}/virtualNetworkLinks"))
        if nested:
            ids = ", ".join(
                f"'{LINK_TYPE.replace('/virtual', '/' + zone['name'] + '/virtual')}/{each['name']}'"
                for each in nested[:3]
            )
            raise errors.ArmError(
                409,
                "CannotDeleteResource",
                f"Cannot delete resource while nested resources exist. Some existing nested resource IDs include: {ids}. Please delete "
                "all nested resources before deleting this resource.",
            )
        return self._start(call, lambda: call.cloud.delete(call.path))

    # Links

    def list_links(self, call: Call) -> Answer:
        _existing(call)
        return call.page(call.cloud.below(call.path))

    def get_link(self, call: Call) -> Answer:
        _existing(call)
        found = call.cloud.find(call.path)
        if found is None:
            raise errors.resource_not_found(LINK_TYPE, f"{call.names['zone']}/{call.names['link']}", call.group)
        return Answer(found)

    def put_link(self, call: Call) -> Answer:
        zone, given = _existing(call), call.body()
        old = call.cloud.find(call.path)
        check_preconditions(call, old, f"The virtual network link {call.names['link']}")
        network_id = _checked_link(call, zone, old, given)
        properties = given.get("properties") or {}
        link = {
            "id": f"{zone['id']}/virtualNetworkLinks/{call.names['link']}",
            "name": call.names["link"],
            "type": LINK_TYPE,
            "etag": str(uuid.uuid4()),
            "location": "global",
            "tags": given.get("tags") or {},
            "properties": {
                "virtualNetwork": {"id": network_id},
                "registrationEnabled": bool(properties.get("registrationEnabled")),
                "resolutionPolicy": properties.get("resolutionPolicy") or "Default",
            },
        }
        return self._start_link(call, link, "Updating" if old else "Creating")

    def patch_link(self, call: Call) -> Answer:
        old = self.get_link(call).body
        check_preconditions(call, old, f"The virtual network link {old['name']}")
        given = call.body()
        properties = {
            name: value for name, value in (given.get("properties") or {}).items() if name != "virtualNetwork"
        }
        changed = {
            **old,
            "etag": str(uuid.uuid4()),
            "tags": given.get("tags") or old["tags"],
            "properties": {**old["properties"], **properties},
        }
        return self._start_link(call, changed, "Updating")

    def delete_link(self, call: Call) -> Answer:
        _existing(call)
        link = call.cloud.find(call.path)
        if link is None:
            return Answer(status=204)
        check_preconditions(call, link, f"The virtual network link {link['name']}")
        return self._start(call, lambda: call.cloud.delete(call.path))

    def _start_link(self, call: Call, link: Body, state: str) -> Answer:
        call.cloud.put(call.path, _in_state(link, state, "InProgress"))
        return self._start(call, lambda: call.cloud.put(call.path, _in_state(link, "Succeeded", "Completed")))

    # Operations

    def operation(self, call: Call) -> Answer:
        found = self._operations.get(call.names["operation"])
        if found is None:
            raise errors.ArmError(404, "NotFound", f"The operation '{call.names['operation']}' was not found.")
        busy = found["status"] == "InProgress"
        asks_for_result = "/privatednsoperationresults/" in call.path.lower()
        headers = {"Retry-After": str(RETRY_AFTER_S)} if busy else {}
        return Answer(found, 202 if busy and asks_for_result else 200, headers)

    def _start(self, call: Call, finish: Callable[[], object]) -> Answer:
        token = base64.urlsafe_b64encode(f"FrontEndAsyncOperation;{uuid.uuid4()}".encode()).decode().rstrip("=")
        operation: Body = {"status": "InProgress"}
        self._operations[token] = operation

        async def work() -> None:
            await asyncio.sleep(call.scenario.private_dns_write_seconds)
            finish()
            operation["status"] = "Succeeded"

        self._run(work())
        base = f"{call.base}/subscriptions/{call.scenario.subscription_id}/resourceGroups/{call.names['group']}"
        query = f"api-version={call.api_version}"
        links = {
            "Azure-AsyncOperation": f"{base}/providers/Microsoft.Network/privateDnsOperationStatuses/{token}?{query}",
            "Location": f"{base}/providers/Microsoft.Network/privateDnsOperationResults/{token}?{query}",
            "Retry-After": str(RETRY_AFTER_S),
        }
        return Answer({}, 202, links)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def linked_zones(cloud: Cloud, network_id: str) -> list[Body]:
    """The zones that the resolver of a network answers from."""
    zones = []
    for link in cloud.of_type(LINK_TYPE):
        properties = link["properties"]
        if properties["virtualNetworkLinkState"] == "Completed" and key(properties["virtualNetwork"]["id"]) == key(
            network_id
        ):
            zone = cloud.find(re.split("/virtualNetworkLinks/", link["id"], flags=re.IGNORECASE)[0])
            zones += [zone] if zone else []
    return zones


def _existing(call: Call) -> Body:
    group = call.group
    found = call.cloud.find(
        f"/subscriptions/{call.scenario.subscription_id}/resourceGroups/{group}{_PROVIDER}/{call.names['zone']}"
    )
    if found is None and "link" in call.names:
        parent = f"{_PROVIDER.removeprefix('/providers/')}/{call.names['zone']}"
        raise errors.parent_not_found(call.method.lower(), LINK_TYPE, parent)
    if found is None:
        raise errors.resource_not_found(TYPE, call.names["zone"], group)
    return found


def _shown(cloud: Cloud, zone: Body) -> Body:
    links = [each["properties"] for each in cloud.below(f"{zone['id']}/virtualNetworkLinks")]
    counts = {
        "numberOfRecordSets": sum(len(list(cloud.below(f"{zone['id']}/{kind}"))) for kind in RECORD_TYPES),
        "numberOfVirtualNetworkLinks": len(links),
        "numberOfVirtualNetworkLinksWithRegistration": sum(each["registrationEnabled"] for each in links),
    }
    return {**zone, "properties": {**zone["properties"], **counts}}


def _new_properties() -> dict[str, Any]:
    return {
        "internalId": base64.b64encode(str(uuid.uuid4()).encode()).decode(),
        "maxNumberOfRecordSets": 25_000,
        "maxNumberOfVirtualNetworkLinks": 1_000,
        "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
        "provisioningState": "Succeeded",
    }


def _in_state(link: Body, provisioning: str, state: str) -> Body:
    states = {"provisioningState": provisioning, "virtualNetworkLinkState": state}
    return {**link, "properties": {**link["properties"], **states}}


def _check_zone(name: str, given: dict[str, Any]) -> None:
    labels = name.split(".")
    if not 2 <= len(labels) <= 34 or not all(map(_LABEL.fullmatch, labels)):
        raise errors.bad_request(f"The zone name '{name}' is invalid.")
    location = given.get("location")
    if not location:
        raise errors.ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if str(location).lower() != "global":
        raise errors.ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location}' is not available for resource type '{TYPE}'. List of available regions for the "
            "resource type is 'global'.",
        )


def _checked_link(call: Call, zone: Body, old: Body | None, given: dict[str, Any]) -> str:
    """The id of the network, if it may be linked."""
    name = call.names["link"]
    if not _LINK_NAME.fullmatch(name):
        raise errors.bad_request(f"The virtual network link name '{name}' is invalid.")
    network_id = str(((given.get("properties") or {}).get("virtualNetwork") or {}).get("id") or "")
    if not network_id:
        raise errors.bad_request("The virtual network of the virtual network link is not specified.")
    network = call.cloud.find(network_id)
    if network is None or key(str(network["type"])) != key(virtual_networks.TYPE):
        raise errors.bad_request(f"The virtual network '{network_id}' does not exist.")
    _require_join(call, network_id)
    if old and key(old["properties"]["virtualNetwork"]["id"]) != key(network_id):
        raise errors.bad_request(f"The virtual network of the virtual network link '{name}' cannot be changed.")
    for other in call.cloud.of_type(LINK_TYPE):
        if key(other["id"]) == key(call.path) or key(other["properties"]["virtualNetwork"]["id"]) != key(network_id):
            continue
        of_other = other["id"].split("/")[8]
        if of_other.lower() == zone["name"].lower() and key(other["id"]).startswith(f"{key(zone['id'])}/"):
            raise errors.ArmError(
                409,
                "Conflict",
                f"A virtual network link to the virtual network '{network_id}' exists already in the zone '{zone['name']}'.",
            )
        if of_other.lower() == zone["name"].lower():
            raise errors.bad_request(
                "A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried to link virtual network "
                f"with '{zone['name']}' and '{of_other}' zones."
            )
    return network_id


def _require_join(call: Call, network_id: str) -> None:
    if authorization.may(call.cloud, call.principal, _JOIN, network_id):
        return
    principal = call.principal
    raise errors.ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{principal.client_id}' with object id '{principal.object_id}' has permission to perform action "
        f"'{LINK_TYPE}/write' on scope '{call.path}'; however, it does not have permission to perform action(s) '{_JOIN}' on the linked "
        f"scope(s) '{network_id}' (respectively) or the linked scope(s) are invalid.",
    )
