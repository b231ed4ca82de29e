# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private DNS zones with their virtual network links (Microsoft.Network/privateDnsZones), and reading their records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.enums import spelling
from ..arm.errors import azure_errors
from ..arm.resource_id import ResourceId, key, provider_id
from ..change import Action, Change, State
from ..errors import AzureError, ConfigurationError, NotReady
from ..waiting import Deadline, retry
from .dns_names import are_labels

if TYPE_CHECKING:
    from ..arm.session import Session

PROVIDER_TYPE = "Microsoft.Network/privateDnsZones"

# Marks what this collection created, so that a teardown leaves alone what was there before.
CREATED_TAG = ("managed-by", "aks.virtual_nodes")

# Zones and links are in no region.
LOCATION = "global"

# The longest pause between two looks at an operation, where the service does not say Retry-After.
POLL_S = 5.0

_NETWORK_TYPE = "/providers/Microsoft.Network/virtualNetworks/"
_LINK_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,78}[a-zA-Z0-9_])?")
_MISSING_CODES = frozenset({"ResourceNotFound", "ParentResourceNotFound", "NotFound", "ResourceGroupNotFound"})
_BUSY_CODES = frozenset({"AnotherOperationInProgress", "OperationNotAllowed"})
_ENDED_BADLY = frozenset({"Failed", "Canceled"})
# How many names of a refusal's cause are given.
_SHOWN = 5


@dataclass(frozen=True)
class LinkSpec:
    """A wished-for link.

    :ivar virtual_network: ARM id of the network.
    :ivar registration_enabled: whether the network's virtual machines get records by themselves.
    """

    name: str
    virtual_network: str
    registration_enabled: bool = False

    def validate(self) -> None:
        if not _LINK_NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"virtual_network_links: name '{self.name}': 1 to 80 letters, digits, '_', '.' and '-' are allowed, starting with a "
                "letter or digit and ending with one or '_'."
            )
        if (
            _NETWORK_TYPE.lower() not in self.virtual_network.lower()
            or len(self.virtual_network.strip("/").split("/")) != 8
        ):
            raise ConfigurationError(
                f"virtual_network_links: virtual_network '{self.virtual_network}' is not the id of a virtual network; expected "
                f"/subscriptions/<id>/resourceGroups/<group>{_NETWORK_TYPE}<name>."
            )


@dataclass(frozen=True)
class ZoneSpec:
    """A wished-for zone.

    :ivar tags: None leaves them as they are.
    :ivar append_tags: keep tags that are not listed.
    """

    name: str
    tags: Mapping[str, str] | None = None
    append_tags: bool = True
    links: tuple[LinkSpec, ...] = ()

    def validate(self) -> None:
        """
        :raises ConfigurationError: for names that Azure does not allow, and links that contradict each other.
        """
        validate_name(self.name)
        for link in self.links:
            link.validate()
        for what, values in (
            ("name", [link.name.lower() for link in self.links]),
            ("virtual_network", [key(link.virtual_network) for link in self.links]),
        ):
            doubled = sorted({value for value in values if values.count(value) > 1})
            if doubled:
                raise ConfigurationError(f"virtual_network_links: {what} listed more than once: {', '.join(doubled)}.")


@dataclass(frozen=True)
class RecordSet:
    """The records of one name and type.

    :ivar name: relative to the zone; C(@) for the zone itself.
    :ivar kind: such as C(A) or C(TXT).
    :ivar ttl: in seconds.
    """

    name: str
    kind: str
    fqdn: str
    ttl: int
    values: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.name.lower(), self.kind


def validate_name(name: str) -> None:
    # Microsoft Learn, naming rules for Azure resources.
    if not 2 <= len(name.split(".")) <= 34 or not are_labels(name):
        raise ConfigurationError(
            f"Zone name '{name}': 2 to 34 labels with dots between them are needed, each of 1 to 63 letters, digits, '_' and '-', as in "
            "shop.internal."
        )


def zone_id(session: Session, resource_group: str, name: str) -> str:
    return provider_id(session.subscription_id, resource_group, PROVIDER_TYPE, name)


def link_id(zone: str, name: str) -> str:
    return f"{zone}/virtualNetworkLinks/{name}"


def is_link(resource_id: str) -> bool:
    return "/virtualnetworklinks/" in resource_id.lower()


def read(session: Session, resource_group: str, name: str) -> State | None:
    """
    :returns: None when there is no such zone.
    :raises AzureError: C(ResourceGroupNotFound) when it is the group that does not exist.
    """
    try:
        with azure_errors(f"Reading private DNS zone '{name}' in '{resource_group}'"):
            return _zone(session.private_dns.private_zones.get(resource_group, name))
    except AzureError as error:
        if error.code in ("ResourceNotFound", "NotFound"):
            return None
        raise


def list_in_group(session: Session, resource_group: str) -> list[State]:
    """The zones of a resource group, page by page."""
    with azure_errors(f"Listing the private DNS zones in '{resource_group}'"):
        return [_zone(each) for each in session.private_dns.private_zones.list_by_resource_group(resource_group)]


def list_links(session: Session, resource_group: str, zone: str) -> list[State]:
    """The links of a zone, page by page; none when there is no such zone."""
    try:
        with azure_errors(f"Listing the virtual network links of zone '{zone}'"):
            return [_link(each) for each in session.private_dns.virtual_network_links.list(resource_group, zone)]
    except AzureError as error:
        if error.code in _MISSING_CODES:
            return []
        raise


def list_records(session: Session, resource_group: str, zone: str) -> list[RecordSet]:
    """The record sets of a zone, page by page; none when there is no such zone. Those that Azure registered by itself are left out."""
    try:
        with azure_errors(f"Listing the records of zone '{zone}'"):
            found = list(session.private_dns.record_sets.list(resource_group, zone))
    except AzureError as error:
        if error.code in _MISSING_CODES:
            return []
        raise
    return [_record(each) for each in found if not each.is_auto_registered]


def diff(resource_id: str, spec: ZoneSpec, observed: State | None) -> Change | None:
    """The change that takes the observed zone, without its links, to the wished-for one; pure."""
    if observed is None:
        return Change.create(resource_id, _predicted(resource_id, spec))
    if spec.tags is None:
        return None
    tags = {**observed["tags"], **spec.tags} if spec.append_tags else _with_mark(spec.tags, observed["tags"])
    return None if tags == observed["tags"] else Change.update(observed["id"], observed, {**observed, "tags": tags})


def diff_links(zone: str, spec: ZoneSpec, observed: Iterable[State]) -> list[Change]:
    """The changes that make the wished-for links; others are left alone. Pure.

    :param zone: the zone's id.
    :raises ConfigurationError: for what the service cannot do.
    """
    standing = list(observed)
    return [change for link in spec.links if (change := _diff_link(zone, spec.name, link, standing)) is not None]


def _diff_link(zone: str, zone_name: str, link: LinkSpec, standing: Sequence[State]) -> Change | None:
    found = next((each for each in standing if each["name"].lower() == link.name.lower()), None)
    if found and key(found["virtual_network"]) != key(link.virtual_network):
        raise ConfigurationError(
            f"Link '{link.name}' of zone '{zone_name}' leads to '{found['virtual_network']}', and Azure cannot change the network of a link. "
            f"Give the link to '{link.virtual_network}' another name, or delete this one first."
        )
    for other in standing:
        if other is not found and key(other["virtual_network"]) == key(link.virtual_network):
            raise ConfigurationError(
                f"'{link.virtual_network}' is linked to zone '{zone_name}' already, by link '{other['name']}', and Azure takes one link for "
                f"a zone and a network. Set name: {other['name']}."
            )
    if found is None:
        return Change.create(link_id(zone, link.name), _predicted_link(zone, link))
    after = {**found, "registration_enabled": link.registration_enabled}
    if found["provisioning_state"] in _ENDED_BADLY:
        after["provisioning_state"] = "Succeeded"
    return None if after == found else Change.update(found["id"], found, after)


def diff_absent(
    zone: State,
    links: Sequence[State],
    foreign_records: Sequence[RecordSet],
    *,
    listed: Iterable[str] = (),
    force: bool = False,
    created_here_only: bool = False,
) -> tuple[list[Change], Change | None]:
    """The deletions of links, and that of the zone after them (None if it stays); pure.

    :param foreign_records: record sets that may not go.
    :param listed: names of links that may go, whoever made them.
    :param force: everything may go.
    :param created_here_only: a zone that was there before this collection stays, and so do the links that others made.
    :raises ConfigurationError: for what would be lost and is not ours.
    """
    names = {name.lower() for name in listed}
    if created_here_only and not is_created_here(zone):
        ours = [link for link in links if is_created_here(link) and (not names or link["name"].lower() in names)]
        return [Change.delete(link["id"], link) for link in ours], None
    if not force:
        others = [link["name"] for link in links if not is_created_here(link) and link["name"].lower() not in names]
        _refuse(zone, "virtual network links that were not made here", others)
        _refuse(zone, "record sets", [f"{record.kind} {record.name}" for record in foreign_records])
    return [Change.delete(link["id"], link) for link in links], Change.delete(zone["id"], zone)


def _refuse(zone: State, what: str, names: Sequence[str]) -> None:
    if not names:
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise ConfigurationError(
        f"Zone '{zone['name']}' still has {what}: {', '.join(names[:_SHOWN])}{more}. Remove them first, keep the zone, or set force: true to "
        "delete it with all that is in it."
    )


def is_settled(link: State) -> bool:
    """Whether no operation on the link is going on."""
    return link["provisioning_state"] in ("Succeeded", *_ENDED_BADLY)


def is_created_here(observed: State) -> bool:
    name, value = CREATED_TAG
    return bool(observed["tags"].get(name) == value)


def write(session: Session, change: Change, deadline: Deadline) -> State | None:
    """Carry out a change of a zone or of a link, and wait until the service is done.

    :raises NotReady: when the deadline passes first.
    """
    target = ResourceId.parse(change.resource_id)
    name = change.resource_id.rsplit("/", 1)[-1]
    linked = is_link(change.resource_id)
    what = f"link '{name}' of private DNS zone '{target.name}'" if linked else f"private DNS zone '{name}'"

    def start() -> Any:
        with azure_errors(f"Writing {what} ({change.action})"):
            return _begin_link(session, target, name, change) if linked else _begin_zone(session, target, change)

    poller = retry(start, when=_is_busy, deadline=deadline)
    with azure_errors(f"{what[0].upper()}{what[1:]} ({change.action})"):
        poller.wait(deadline.remaining)
        if not poller.done():
            raise NotReady(
                f"The {change.action} of {what} was accepted and is still going on after {deadline.elapsed:.0f} s (status "
                f"{poller.status()}); raise wait_timeout, or run again later."
            )
        result = poller.result()
    if change.action is Action.DELETE:
        return None
    return _link(result) if linked else _zone(result)


def wait_until_linked(
    session: Session, resource_group: str, zone: str, names: Iterable[str], deadline: Deadline
) -> None:
    """Wait for links that somebody else, or an earlier run, began; for none that this run made, which are done.

    :raises NotReady: when the deadline passes first.
    """
    wanted = {name.lower() for name in names}
    while True:
        moving = {
            link["name"]: link["provisioning_state"]
            for link in list_links(session, resource_group, zone)
            if link["name"].lower() in wanted and not is_settled(link)
        }
        if not moving:
            return
        if deadline.over:
            states = ", ".join(f"'{name}' is {state}" for name, state in moving.items())
            raise NotReady(
                f"Links of private DNS zone '{zone}' are not made after {deadline.elapsed:.0f} s: {states}; raise wait_timeout or try later."
            )
        deadline.pause(POLL_S)


def _begin_zone(session: Session, target: ResourceId, change: Change) -> Any:
    from azure.mgmt.privatedns.models import PrivateZone

    zones, group, name = session.private_dns.private_zones, target.resource_group, target.name
    if change.action is Action.DELETE or change.after is None:
        return zones.begin_delete(group, name, polling_interval=POLL_S)
    if change.action is Action.CREATE:
        body = PrivateZone(location=LOCATION, tags=change.after["tags"])
        return zones.begin_create_or_update(group, name, body, polling_interval=POLL_S)
    # Only what changes, so that the rest is kept.
    return zones.begin_update(group, name, PrivateZone(tags=change.after["tags"]), polling_interval=POLL_S)


def _begin_link(session: Session, target: ResourceId, name: str, change: Change) -> Any:
    from azure.mgmt.privatedns.models import SubResource, VirtualNetworkLink, VirtualNetworkLinkProperties

    links, group, zone = session.private_dns.virtual_network_links, target.resource_group, target.name
    if change.action is Action.DELETE or change.after is None:
        return links.begin_delete(group, zone, name, polling_interval=POLL_S)
    properties = VirtualNetworkLinkProperties(registration_enabled=change.after["registration_enabled"])
    if change.action is Action.CREATE:
        properties.virtual_network = SubResource(id=change.after["virtual_network"])
        body = VirtualNetworkLink(location=LOCATION, tags=change.after["tags"], properties=properties)
        return links.begin_create_or_update(group, zone, name, body, polling_interval=POLL_S)
    return links.begin_update(group, zone, name, VirtualNetworkLink(properties=properties), polling_interval=POLL_S)


def _is_busy(error: AzureError) -> bool:
    return error.status == 409 and error.code in _BUSY_CODES


def _predicted(resource_id: str, spec: ZoneSpec) -> State:
    return {
        "id": resource_id,
        "name": spec.name,
        "resource_group": ResourceId.parse(resource_id).resource_group,
        "tags": dict([CREATED_TAG, *(spec.tags or {}).items()]),
    }


def _predicted_link(zone: str, link: LinkSpec) -> State:
    return {
        "id": link_id(zone, link.name),
        "name": link.name,
        "virtual_network": link.virtual_network,
        "registration_enabled": link.registration_enabled,
        "tags": dict([CREATED_TAG]),
        "provisioning_state": "Succeeded",
    }


def _with_mark(wished: Mapping[str, str], observed: Mapping[str, str]) -> dict[str, str]:
    """The wished-for tags; the one that says who made the zone is not the user's to list."""
    name, value = CREATED_TAG
    return {**({name: value} if observed.get(name) == value else {}), **wished}


def _zone(model: Any) -> State:
    return {
        "id": model.id,
        "name": model.name,
        "resource_group": ResourceId.parse(model.id).resource_group,
        "tags": dict(model.tags or {}),
    }


def _link(model: Any) -> State:
    return {
        "id": model.id,
        "name": model.name,
        "virtual_network": model.virtual_network.id,
        "registration_enabled": bool(model.registration_enabled),
        "tags": dict(model.tags or {}),
        "provisioning_state": spelling(model.provisioning_state),
    }


def _record(model: Any) -> RecordSet:
    kind = str(model.type).rsplit("/", 1)[-1].upper()
    return RecordSet(
        str(model.name), kind, str(model.fqdn or "").rstrip("."), int(model.ttl or 0), tuple(_values(kind, model))
    )


def _values(kind: str, model: Any) -> list[str]:
    """In the form of a zone file."""
    match kind:
        case "A":
            return [str(each.ipv4_address) for each in model.a_records or []]
        case "AAAA":
            return [str(each.ipv6_address) for each in model.aaaa_records or []]
        case "CNAME":
            return [str(model.cname_record.cname)] if model.cname_record else []
        case "TXT":
            return ["".join(each.value or []) for each in model.txt_records or []]
        case "MX":
            return [f"{each.preference} {each.exchange}" for each in model.mx_records or []]
        case "PTR":
            return [str(each.ptrdname) for each in model.ptr_records or []]
        case "SRV":
            return [f"{each.priority} {each.weight} {each.port} {each.target}" for each in model.srv_records or []]
        case "SOA":
            return [f"{model.soa_record.host} {model.soa_record.email}"] if model.soa_record else []
    return []
