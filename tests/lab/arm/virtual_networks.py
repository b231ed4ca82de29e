# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Network: virtual networks and their subnets, as far as zones are linked to them and load balancers take addresses.

Bodies: the REST reference. Writes are done at once here, where the service has long-running operations.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from lab.arm import errors
from lab.arm.call import Answer, Call
from lab.cloud import Body, Cloud
from lab.scenario import Scenario

TYPE = "Microsoft.Network/virtualNetworks"
_SUBNETS = f"{TYPE}/subnets"
_CONTAINER_GROUPS = "Microsoft.ContainerInstance/containerGroups"
_PROVIDER = f"/providers/{TYPE}"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"

Row = tuple[str, str, str, Callable[[Call], Answer | Awaitable[Answer]]]


def rows() -> list[Row]:
    """Method, path, action and handler of each request."""
    one = f"{_GROUP}{_PROVIDER}/{{name}}"
    return [
        ("GET", f"/subscriptions/{{subscription}}{_PROVIDER}", f"{TYPE}/read", list_of_subscription),
        ("GET", f"{_GROUP}{_PROVIDER}", f"{TYPE}/read", list_of_group),
        ("GET", one, f"{TYPE}/read", get),
        ("PUT", one, f"{TYPE}/write", put),
        ("DELETE", one, f"{TYPE}/delete", delete),
        ("GET", f"{one}/subnets", f"{_SUBNETS}/read", list_subnets),
        ("GET", f"{one}/subnets/{{subnet}}", f"{_SUBNETS}/read", get_subnet),
    ]


def furnish(cloud: Cloud, scenario: Scenario) -> None:
    """The network of the cluster: a subnet for its nodes, load balancers included, and one for the pods on virtual nodes."""
    container_groups = {"name": _CONTAINER_GROUPS, "properties": {"serviceName": _CONTAINER_GROUPS}}
    given = {
        "addressSpace": {"addressPrefixes": list(scenario.network_prefixes)},
        "subnets": [
            {"name": name, "properties": {"addressPrefix": prefix, "delegations": []}}
            if name != scenario.container_subnet
            else {"name": name, "properties": {"addressPrefix": prefix, "delegations": [container_groups]}}
            for name, prefix in scenario.subnets.items()
        ],
    }
    network = _body(scenario.network_id, scenario.network_name, scenario.location, {}, given)
    cloud.put(scenario.network_id, network)


def list_of_subscription(call: Call) -> Answer:
    return call.page(call.cloud.of_type(TYPE))


def list_of_group(call: Call) -> Answer:
    call.require_group(call.names["group"])
    return call.page(call.cloud.below(call.path))


def get(call: Call) -> Answer:
    return Answer(_network(call))


def put(call: Call) -> Answer:
    group, given = call.group, call.body()
    properties, old = given.get("properties") or {}, call.cloud.find(call.path)
    if not given.get("location"):
        raise errors.ArmError(400, "LocationRequired", "The location property is required for this definition.")
    for subnet in properties.get("subnets") or []:
        _check_subnet(properties, subnet)
    network_id = (
        f"/subscriptions/{call.scenario.subscription_id}/resourceGroups/{group}{_PROVIDER}/{call.names['name']}"
    )
    network = _body(network_id, call.names["name"], given["location"], given.get("tags") or {}, properties)
    return Answer(call.cloud.put(call.path, network), 200 if old else 201)


def delete(call: Call) -> Answer:
    call.require_group(call.names["group"])
    return Answer(status=200 if call.cloud.delete(call.path) else 204)


def list_subnets(call: Call) -> Answer:
    return call.page(_network(call)["properties"]["subnets"])


def get_subnet(call: Call) -> Answer:
    wanted = call.names["subnet"].lower()
    for subnet in _network(call)["properties"]["subnets"]:
        if subnet["name"].lower() == wanted:
            return Answer(subnet)
    raise errors.ArmError(404, "NotFound", f"Resource {_network(call)['id']}/subnets/{call.names['subnet']} not found.")


def _network(call: Call) -> Body:
    group = call.group
    path = re.split("/subnets", call.path, maxsplit=1, flags=re.IGNORECASE)[0]
    found = call.cloud.find(path)
    if found is None:
        raise errors.resource_not_found(TYPE, call.names["name"], group)
    return found


def _check_subnet(network: dict[str, Any], subnet: dict[str, Any]) -> None:
    prefix = (subnet.get("properties") or {}).get("addressPrefix", "")
    space = (network.get("addressSpace") or {}).get("addressPrefixes") or []
    try:
        wanted = ipaddress.ip_network(prefix)
        fits = any(wanted.subnet_of(ipaddress.ip_network(each)) for each in space)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise errors.ArmError(
            400, "InvalidCIDRNotation", f"The address prefix {prefix} has an invalid CIDR notation."
        ) from None
    if not fits:
        raise errors.ArmError(
            400,
            "NetcfgInvalidSubnet",
            f"Subnet '{subnet.get('name')}' is not valid because its IP address range is outside the IP address range of virtual network.",
        )


def _body(network_id: str, name: str, location: str, tags: dict[str, str], given: dict[str, Any]) -> Body:
    etag = f'W/"{uuid.uuid4()}"'
    return {
        "name": name,
        "id": network_id,
        "etag": etag,
        "type": TYPE,
        "location": location.lower().replace(" ", ""),
        **({"tags": tags} if tags else {}),
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": str(uuid.uuid4()),
            "addressSpace": given.get("addressSpace") or {"addressPrefixes": []},
            "dhcpOptions": given.get("dhcpOptions") or {"dnsServers": []},
            "subnets": [_subnet(network_id, etag, each) for each in given.get("subnets") or []],
            "virtualNetworkPeerings": [],
            "enableDdosProtection": False,
        },
    }


def _subnet(network_id: str, etag: str, given: dict[str, Any]) -> Body:
    properties = given.get("properties") or {}
    return {
        "name": given["name"],
        "id": f"{network_id}/subnets/{given['name']}",
        "etag": etag,
        "properties": {
            "provisioningState": "Succeeded",
            "addressPrefix": properties.get("addressPrefix"),
            "delegations": properties.get("delegations") or [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
        "type": _SUBNETS,
    }
