# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Network: the record sets of private DNS zones, written at once.

Bodies: azure-mgmt-privatedns. Rules: Learn, "Overview of private DNS records". The wording of refusals is ours, but for those of
preconditions and authorization.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import Any

from lab.arm import authorization, errors
from lab.arm.call import Answer, Call
from lab.arm.preconditions import check_preconditions
from lab.arm.virtual_networks import Row
from lab.cloud import Body

ZONE_TYPE = "Microsoft.Network/privateDnsZones"
# Record type to the property that holds its values.
RECORD_TYPES = {
    "A": "aRecords",
    "AAAA": "aaaaRecords",
    "CNAME": "cnameRecord",
    "MX": "mxRecords",
    "PTR": "ptrRecords",
    "SOA": "soaRecord",
    "SRV": "srvRecords",
    "TXT": "txtRecords",
}
LONGEST_TTL = 2_147_483_647
MOST_TXT_CHARACTERS = 1024
_LABEL = re.compile(r"\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


class Records:
    def rows(self, zone: str) -> list[Row]:
        """Method, path, action and handler of each request; the handlers ask for the action, which names the type."""
        of_type, one = f"{zone}/{{type}}", f"{zone}/{{type}}/{{record}}"
        return [
            ("GET", f"{zone}/all", f"{ZONE_TYPE}/ALL/read", self.list_all),
            ("GET", f"{zone}/recordsets", f"{ZONE_TYPE}/recordsets/read", self.list_all),
            ("GET", of_type, "", self.list_of_type),
            ("GET", one, "", self.get),
            ("PUT", one, "", self.put),
            ("PATCH", one, "", self.patch),
            ("DELETE", one, "", self.delete),
        ]

    def list_all(self, call: Call) -> Answer:
        zone = _zone(call)
        found = [each for kind in RECORD_TYPES for each in call.cloud.below(f"{zone['id']}/{kind}")]
        return _page(call, sorted(found, key=lambda each: (each["name"] != "@", each["name"])))

    def list_of_type(self, call: Call) -> Answer:
        kind = _permitted(call, "read")
        return _page(call, list(call.cloud.below(f"{_zone(call)['id']}/{kind}")))

    def get(self, call: Call) -> Answer:
        _permitted(call, "read")
        found = _found(call)
        if found is None:
            raise errors.ArmError(
                404,
                "NotFound",
                f"The resource record '{call.names['record']}' does not exist in resource group '{call.group}' of subscription "
                f"'{call.scenario.subscription_id}'.",
            )
        return Answer(found)

    def put(self, call: Call) -> Answer:
        kind, zone, old = _permitted(call, "write"), _zone(call), _found(call)
        check_preconditions(call, old, f"The Record set {call.names['record']}")
        return self._write(call, kind, zone, old, call.body().get("properties") or {})

    def patch(self, call: Call) -> Answer:
        kind, zone = _permitted(call, "write"), _zone(call)
        old: Body = self.get(call).body
        check_preconditions(call, old, f"The Record set {call.names['record']}")
        return self._write(call, kind, zone, old, {**old["properties"], **(call.body().get("properties") or {})})

    def _write(self, call: Call, kind: str, zone: Body, old: Body | None, given: dict[str, Any]) -> Answer:
        name = old["name"] if old else call.names["record"]
        _check(call, kind, zone, name, given)
        record = _record(zone, kind, name, given)
        return Answer(call.cloud.put(record["id"], record), 200 if old else 201)

    def delete(self, call: Call) -> Answer:
        kind, old = _permitted(call, "delete"), _found(call)
        _zone(call)
        if old is None:
            return Answer(status=204)
        check_preconditions(call, old, f"The Record set {call.names['record']}")
        if kind == "SOA":
            raise errors.bad_request("The record set of type 'SOA' cannot be deleted.")
        call.cloud.delete(old["id"])
        return Answer(status=200)


def start_of_authority(zone: Body) -> Body:
    """What the service makes with each zone."""
    record = {
        "email": "azureprivatedns-host.microsoft.com",
        "expireTime": 2_419_200,
        "host": "azureprivatedns.net",
        "minimumTtl": 10,
        "refreshTime": 3_600,
        "retryTime": 300,
        "serialNumber": 1,
    }
    return _record(zone, "SOA", "@", {"ttl": 3_600, "soaRecord": record})


def _record(zone: Body, kind: str, name: str, given: dict[str, Any]) -> Body:
    values = RECORD_TYPES[kind]
    metadata = given.get("metadata")
    return {
        "id": f"{zone['id']}/{kind}/{name}",
        "name": name,
        "type": f"{ZONE_TYPE}/{kind}",
        "etag": str(uuid.uuid4()),
        "properties": {
            **({"metadata": metadata} if metadata else {}),
            "fqdn": f"{zone['name']}." if name == "@" else f"{name}.{zone['name']}.",
            "ttl": given["ttl"],
            values: given[values],
            "isAutoRegistered": False,
        },
    }


def _permitted(call: Call, verb: str) -> str:
    """The record type, if the caller may do that to its records."""
    kind = next((each for each in RECORD_TYPES if each == call.names["type"].upper()), None)
    if kind is None:
        raise errors.ArmError(
            404, "InvalidResourceType", f"The resource type '{call.names['type']}' could not be found in the namespace."
        )
    authorization.require(call, f"{ZONE_TYPE}/{kind}/{verb}")
    return kind


def _zone(call: Call) -> Body:
    group = call.group
    zone_id = f"/subscriptions/{call.scenario.subscription_id}/resourceGroups/{group}/providers/{ZONE_TYPE}/{call.names['zone']}"
    found = call.cloud.find(zone_id)
    if found is None:
        kind = f"{ZONE_TYPE}/{call.names.get('type', 'ALL').upper()}"
        raise errors.parent_not_found(call.method.lower(), kind, f"{ZONE_TYPE}/{call.names['zone']}")
    return found


def _found(call: Call) -> Body | None:
    return call.cloud.find(f"{_zone(call)['id']}/{call.names['type']}/{call.names['record']}")


def _page(call: Call, found: list[Body]) -> Answer:
    suffix = call.query.get("$recordsetnamesuffix", "").lower()
    return call.page([each for each in found if each["name"].lower().endswith(suffix)])


def _check(call: Call, kind: str, zone: Body, name: str, given: dict[str, Any]) -> None:
    if name != "@" and not all(map(_LABEL.fullmatch, name.split("."))):
        raise errors.bad_request(f"The record set name '{name}' is invalid.")
    ttl = given.get("ttl")
    if not isinstance(ttl, int) or not 1 <= ttl <= LONGEST_TTL:
        raise errors.bad_request(f"The TTL of record set '{name}' must be from 1 to {LONGEST_TTL}.")
    values = given.get(RECORD_TYPES[kind])
    if not values:
        raise errors.bad_request(f"The record set '{name}' of type '{kind}' has no records.")
    if kind == "A":
        _check_addresses(values)
    if kind == "TXT" and any(len("".join(each.get("value") or [])) > MOST_TXT_CHARACTERS for each in values):
        raise errors.bad_request(f"A TXT record must not have more than {MOST_TXT_CHARACTERS} characters.")
    others = [other for other in RECORD_TYPES if other != kind and call.cloud.find(f"{zone['id']}/{other}/{name}")]
    if (kind == "CNAME" and others) or "CNAME" in others:
        raise errors.ArmError(
            409,
            "Conflict",
            f"The record set '{name}' could not be created, because a CNAME record cannot coexist with other records of the same name.",
        )


def _check_addresses(values: list[dict[str, Any]]) -> None:
    for each in values:
        try:
            ipaddress.IPv4Address(each.get("ipv4Address", ""))
        except ValueError:
            raise errors.bad_request(f"The value '{each.get('ipv4Address')}' is not a valid IPv4 address.") from None
