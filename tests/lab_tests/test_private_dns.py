# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private DNS by its SDK, and the resolver of the virtual network by dnspython."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientAssertionCredential
from azure.mgmt.privatedns.models import PrivateZone, RecordSet, SubResource, VirtualNetworkLink
from kubernetes.client import ApiClient, AuthenticationV1TokenRequest, CoreV1Api

from harness.azure_clients import AzureClients
from harness.laboratory import Lab, running_lab

ISSUER_ON = {"properties": {"oidcIssuerProfile": {"enabled": True}}}
CONTRIBUTOR, READER = "b12aa53e-6015-4669-85d0-8515ebb3ae7f", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
NETWORKS = "2024-05-01"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Pages of two, and services that are quick."""
    scenario = {
        "page_size": 2,
        "cluster": ISSUER_ON,
        "private_dns_write_seconds": 0.2,
        "principal_replication_seconds": 0,
        "credential_propagation_seconds": 0,
    }
    with running_lab(tmp_path_factory.mktemp("lab"), scenario) as running:
        yield running


@pytest.fixture
def zone(azure: AzureClients, name: str) -> str:
    """A zone that no other test has."""
    zones = azure.private_dns.private_zones
    return str(
        zones.begin_create_or_update(azure.group, f"{name}.internal", PrivateZone(location="global")).result().name
    )


@pytest.fixture(scope="module")
def shared(azure: AzureClients) -> str:
    """A linked zone for tests that look at single records."""
    zones = azure.private_dns.private_zones
    zones.begin_create_or_update(azure.group, "shared.internal", PrivateZone(location="global")).result()
    link(azure, "shared.internal")
    return "shared.internal"


def link_to(network_id: str) -> VirtualNetworkLink:
    return VirtualNetworkLink(location="global", virtual_network=SubResource(id=network_id), registration_enabled=False)


def link(azure: AzureClients, zone: str, name: str = "vnet", network_id: str = "") -> VirtualNetworkLink:
    network_id = network_id or azure.lab.environment["LAB_NETWORK_ID"]
    return azure.private_dns.virtual_network_links.begin_create_or_update(
        azure.group, zone, name, link_to(network_id)
    ).result()


def address(*addresses: str, ttl: int = 60) -> RecordSet:
    return RecordSet({"properties": {"ttl": ttl, "aRecords": [{"ipv4Address": each} for each in addresses]}})


def text(*values: str) -> RecordSet:
    return RecordSet({"properties": {"ttl": 300, "txtRecords": [{"value": list(values)}]}})


def put(azure: AzureClients, zone: str, kind: str, name: str, record: RecordSet, **options: Any) -> RecordSet:
    return azure.private_dns.record_sets.create_or_update(azure.group, zone, kind, name, record, **options)


def ask(lab: Lab, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    host, _colon, port = lab.environment["LAB_DNS"].partition(":")
    query = dns.message.make_query(name, kind)
    return (dns.query.tcp if tcp else dns.query.udp)(query, host, port=int(port), timeout=5)


def addresses(answer: dns.message.Message) -> list[str]:
    return sorted(each.to_text() for rrset in answer.answer for each in rrset)


def refusal(caught: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str]:
    error = caught.value.error
    assert error is not None
    return caught.value.status_code, str(error.code)


# Zones


def test_a_zone_is_made_with_its_soa_and_counts_what_it_holds(azure: AzureClients, zone: str) -> None:
    found = azure.private_dns.private_zones.get(azure.group, zone)
    assert (found.location, found.type, found.provisioning_state) == (
        "global",
        "Microsoft.Network/privateDnsZones",
        "Succeeded",
    )
    assert (found.number_of_record_sets, found.number_of_virtual_network_links) == (1, 0)
    soa = azure.private_dns.record_sets.get(azure.group, zone, "SOA", "@")
    assert soa.soa_record is not None
    assert soa.soa_record.host == "azureprivatedns.net"


def test_tags_are_replaced_by_a_patch_and_kept_otherwise(azure: AzureClients, zone: str) -> None:
    zones = azure.private_dns.private_zones
    changed = zones.begin_update(azure.group, zone, PrivateZone(tags={"team": "shop"})).result()
    assert changed.tags == {"team": "shop"}
    assert zones.get(azure.group, zone).number_of_record_sets == 1


@pytest.mark.parametrize(
    ("given", "location", "code"),
    [
        ("internal", "global", "BadRequest"),
        ("a..internal", "global", "BadRequest"),
        ("fine.internal", "westeurope", "LocationNotAvailableForResourceType"),
    ],
)
def test_a_zone_that_cannot_be_is_refused(azure: AzureClients, given: str, location: str, code: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.private_dns.private_zones.begin_create_or_update(azure.group, given, PrivateZone(location=location))
    assert refusal(caught) == (400, code)


def test_a_zone_that_exists_is_not_created_again(azure: AzureClients, shared: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.private_dns.private_zones.begin_create_or_update(
            azure.group, shared, PrivateZone(location="global"), match_condition=MatchConditions.IfMissing
        )
    assert caught.value.status_code == 412


def test_a_zone_with_links_is_not_deleted(azure: AzureClients, zone: str) -> None:
    link(azure, zone)
    with pytest.raises(HttpResponseError) as caught:
        azure.private_dns.private_zones.begin_delete(azure.group, zone)
    assert refusal(caught) == (409, "CannotDeleteResource")
    assert f"privateDnsZones/{zone}/virtualNetworkLinks/vnet" in str(caught.value)


def test_zones_are_listed_page_by_page(azure: AzureClients, zone: str, name: str) -> None:
    zones = azure.private_dns.private_zones
    more = [f"{name}-{number}.internal" for number in range(3)]
    for each in more:
        zones.begin_create_or_update(azure.group, each, PrivateZone(location="global")).result()
    listed = {str(each.name) for each in zones.list_by_resource_group(azure.group)}
    assert {zone, *more} <= listed
    for each in more:
        zones.begin_delete(azure.group, each).result()
    zones.begin_delete(azure.group, more[0]).result()  # the second time it is gone already


def test_a_missing_zone_is_told_as_what_it_is(azure: AzureClients, name: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.private_dns.private_zones.get(azure.group, f"{name}.internal")
    assert refusal(caught) == (404, "ResourceNotFound")
    with pytest.raises(HttpResponseError) as caught:
        put(azure, f"{name}.internal", "A", "www", address("10.0.0.1"))
    assert refusal(caught) == (404, "ParentResourceNotFound")


# Links


def test_a_link_is_in_progress_until_it_is_made(azure: AzureClients, zone: str) -> None:
    links = azure.private_dns.virtual_network_links
    poller = links.begin_create_or_update(azure.group, zone, "vnet", link_to(azure.lab.environment["LAB_NETWORK_ID"]))
    assert links.get(azure.group, zone, "vnet").virtual_network_link_state == "InProgress"
    made = poller.result()
    assert (made.virtual_network_link_state, made.registration_enabled) == ("Completed", False)
    assert [each.name for each in links.list(azure.group, zone)] == ["vnet"]


def test_links_that_cannot_be_are_refused(azure: AzureClients, zone: str, name: str) -> None:
    links, network = azure.private_dns.virtual_network_links, azure.lab.environment["LAB_NETWORK_ID"]
    link(azure, zone)
    with pytest.raises(HttpResponseError) as caught:
        links.begin_create_or_update(azure.group, zone, "missing", link_to(f"{network}-missing"))
    assert refusal(caught) == (400, "BadRequest")
    with pytest.raises(HttpResponseError) as caught:
        links.begin_create_or_update(azure.group, zone, "again", link_to(network))
    assert refusal(caught) == (409, "Conflict")


def test_a_network_is_not_linked_to_two_zones_of_one_name(azure: AzureClients, zone: str) -> None:
    link(azure, zone)
    subscription, group = azure.group_id.split("/")[2], f"rg-{uuid.uuid4().hex[:6]}"
    azure.put(f"/subscriptions/{subscription}/resourceGroups/{group}", "2022-09-01", {"location": "westeurope"})
    zones, links = azure.private_dns.private_zones, azure.private_dns.virtual_network_links
    zones.begin_create_or_update(group, zone, PrivateZone(location="global")).result()
    with pytest.raises(HttpResponseError) as caught:
        links.begin_create_or_update(group, zone, "vnet", link_to(azure.lab.environment["LAB_NETWORK_ID"]))
    assert refusal(caught) == (400, "BadRequest")
    assert "overlapping namespaces" in str(caught.value)


# Records


def test_a_record_is_made_changed_and_deleted(azure: AzureClients, shared: str) -> None:
    records = azure.private_dns.record_sets
    made = put(azure, shared, "A", "orders", address("10.1.0.4"))
    assert (made.fqdn, made.ttl, made.type) == (f"orders.{shared}.", 60, "Microsoft.Network/privateDnsZones/A")
    changed = put(azure, shared, "A", "orders", address("10.1.0.5", "10.1.0.6", ttl=30))
    assert changed.etag != made.etag
    assert [each.ipv4_address for each in changed.a_records or []] == ["10.1.0.5", "10.1.0.6"]
    patched = records.update(azure.group, shared, "A", "orders", RecordSet({"properties": {"ttl": 5}}))
    assert patched.ttl == 5
    assert len(patched.a_records or []) == 2
    records.delete(azure.group, shared, "A", "orders")
    records.delete(azure.group, shared, "A", "orders")
    with pytest.raises(HttpResponseError) as caught:
        records.get(azure.group, shared, "A", "orders")
    assert refusal(caught) == (404, "NotFound")


def test_etags_decide_who_writes(azure: AzureClients, shared: str) -> None:
    first = put(azure, shared, "A", "orders", address("10.1.0.4"))
    put(azure, shared, "A", "orders", address("10.1.0.5"))
    for condition, etag in ((MatchConditions.IfNotModified, first.etag), (MatchConditions.IfMissing, None)):
        with pytest.raises(HttpResponseError) as caught:
            put(azure, shared, "A", "orders", address("10.1.0.6"), etag=etag, match_condition=condition)
        assert caught.value.status_code == 412
    record = azure.private_dns.record_sets.get(azure.group, shared, "A", "orders")
    assert [each.ipv4_address for each in record.a_records or []] == ["10.1.0.5"]


@pytest.mark.parametrize(
    ("kind", "relative", "record", "status"),
    [
        ("A", "orders", address("10.1.0.400"), 400),
        ("A", "two words", address("10.1.0.4"), 400),
        ("A", "orders", RecordSet({"properties": {"ttl": 60}}), 400),
        ("A", "orders", address("10.1.0.4", ttl=0), 400),
        ("TXT", "long", text("x" * 1025), 400),
        ("CNAME", "taken", RecordSet({"properties": {"ttl": 60, "cnameRecord": {"cname": "a.b"}}}), 409),
    ],
)
def test_records_that_cannot_be_are_refused(
    azure: AzureClients, shared: str, kind: str, relative: str, record: RecordSet, status: int
) -> None:
    put(azure, shared, "A", "taken", address("10.1.0.4"))
    with pytest.raises(HttpResponseError) as caught:
        put(azure, shared, kind, relative, record)
    assert caught.value.status_code == status


def test_records_are_listed_of_all_types_and_of_one_page_by_page(azure: AzureClients, zone: str) -> None:
    records = azure.private_dns.record_sets
    for number in range(3):
        put(azure, zone, "A", f"app-{number}", address("10.1.0.4"))
    put(azure, zone, "TXT", "a-app-0", text("one", "two"))
    assert len(list(records.list(azure.group, zone))) == 5
    assert [each.name for each in records.list_by_type(azure.group, zone, "A")] == ["app-0", "app-1", "app-2"]
    assert azure.private_dns.private_zones.get(azure.group, zone).number_of_record_sets == 5


# Who may


@pytest.fixture(scope="module")
def identity(azure: AzureClients, kube: ApiClient) -> tuple[str, ClientAssertionCredential]:
    """An identity without any role: its principal id, and its credential by a token of a ServiceAccount."""
    body = {"location": "westeurope"}
    made = azure.put(azure.identity_id("id-dns"), "2024-11-30", body)["properties"]
    cluster = azure.get(azure.cluster_id, "2026-08-01")
    credential = {
        "issuer": cluster["properties"]["oidcIssuerProfile"]["issuerURL"],
        "subject": "system:serviceaccount:default:default",
        "audiences": ["api://AzureADTokenExchange"],
    }
    azure.put(azure.credential_id("id-dns", "kubernetes"), "2024-11-30", {"properties": credential})
    asked = AuthenticationV1TokenRequest(spec={"audiences": credential["audiences"], "expirationSeconds": 3600})
    token = CoreV1Api(kube).create_namespaced_service_account_token("default", "default", asked).status.token
    return made["principalId"], azure.federated(made["clientId"], token)


def assign(azure: AzureClients, scope: str, role: str, principal_id: str) -> None:
    body = {
        "properties": {
            "roleDefinitionId": azure.role_id(role),
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
        }
    }
    name = uuid.uuid4()
    azure.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", "2022-04-01", body)


def test_records_are_written_by_who_has_the_role_on_the_zone_and_nobody_else(
    azure: AzureClients, shared: str, identity: tuple[str, ClientAssertionCredential]
) -> None:
    principal_id, credential = identity
    as_identity = azure.private_dns_of(credential)
    with pytest.raises(HttpResponseError) as caught:
        list(as_identity.private_zones.list_by_resource_group(azure.group))
    assert refusal(caught) == (403, "AuthorizationFailed")
    assign(azure, azure.group_id, READER, principal_id)
    assert shared in [each.name for each in as_identity.private_zones.list_by_resource_group(azure.group)]
    with pytest.raises(HttpResponseError) as caught:
        as_identity.record_sets.create_or_update(azure.group, shared, "A", "orders", address("10.1.0.4"))
    assert refusal(caught) == (403, "AuthorizationFailed")
    assert "Microsoft.Network/privateDnsZones/A/write" in str(caught.value)
    zone_id = f"{azure.group_id}/providers/Microsoft.Network/privateDnsZones/{shared}"
    assign(azure, zone_id, CONTRIBUTOR, principal_id)
    as_identity.record_sets.create_or_update(azure.group, shared, "A", "orders", address("10.1.0.4"))
    with pytest.raises(HttpResponseError) as caught:
        as_identity.virtual_network_links.begin_create_or_update(
            azure.group, shared, "vnet", link_to(azure.lab.environment["LAB_NETWORK_ID"])
        )
    assert refusal(caught) == (403, "LinkedAuthorizationFailed")


# The network, and its resolver


def test_the_network_has_a_subnet_for_nodes_and_one_for_container_groups(azure: AzureClients) -> None:
    network = azure.get(azure.lab.environment["LAB_NETWORK_ID"], NETWORKS)
    subnets = {each["name"]: each["properties"] for each in network["properties"]["subnets"]}
    assert [each["name"] for each in subnets["cg"]["delegations"]] == ["Microsoft.ContainerInstance/containerGroups"]
    one = azure.get(f"{azure.lab.environment['LAB_NETWORK_ID']}/subnets/aks", NETWORKS)
    assert one["properties"]["addressPrefix"] == subnets["aks"]["addressPrefix"]


@pytest.mark.parametrize("tcp", [False, True])
def test_a_linked_zone_is_answered_from(azure: AzureClients, lab: Lab, shared: str, tcp: bool) -> None:
    put(azure, shared, "A", "orders", address("10.1.0.4", "10.1.0.5"))
    put(azure, shared, "TXT", "a-orders", text('"heritage=external-dns"'))
    alias = RecordSet({"properties": {"ttl": 60, "cnameRecord": {"cname": f"orders.{shared}"}}})
    put(azure, shared, "CNAME", "shop", alias)
    answer = ask(lab, f"Orders.{shared}", tcp=tcp)
    assert addresses(answer) == ["10.1.0.4", "10.1.0.5"]
    assert answer.answer[0].ttl == 60
    assert addresses(ask(lab, f"shop.{shared}", tcp=tcp)) == ["10.1.0.4", "10.1.0.5", f"orders.{shared}."]
    assert addresses(ask(lab, f"a-orders.{shared}", "TXT", tcp=tcp)) == ['"\\"heritage=external-dns\\""']


def test_names_that_are_not_there_are_told_apart(azure: AzureClients, lab: Lab, zone: str) -> None:
    put(azure, zone, "A", "orders", address("10.1.0.4"))
    assert ask(lab, f"orders.{zone}").rcode() == dns.rcode.REFUSED  # not linked yet
    link(azure, zone)
    missing = ask(lab, f"missing.{zone}")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    assert len(missing.authority) == 1
    other_type = ask(lab, f"orders.{zone}", "TXT")
    assert (other_type.rcode(), other_type.answer) == (dns.rcode.NOERROR, [])
    assert ask(lab, "example.com").rcode() == dns.rcode.REFUSED


def test_an_answer_that_is_too_long_for_a_datagram_is_had_by_tcp(azure: AzureClients, lab: Lab, shared: str) -> None:
    many = [f"10.1.{number // 200}.{number % 200 + 4}" for number in range(60)]
    put(azure, shared, "A", "many", address(*many))
    assert ask(lab, f"many.{shared}").flags & dns.flags.TC
    assert len(addresses(ask(lab, f"many.{shared}", tcp=True))) == len(many)
