# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications of the role service_discovery: what is made of them, and what is refused."""

from __future__ import annotations

import re

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.published_services import (
    HOSTNAME,
    INTERNAL,
    IPV4,
    SUBNET,
    TTL,
    hosts,
    manifest,
    problems,
    published_services,
)

ZONE = "shop.internal"
PORTS = [{"port": 80}]


def application(name="orders", namespace="shop", **service):
    return {"name": name, "namespace": namespace, "service": {"ports": PORTS, **service}}


def made(**service):
    (published,) = published_services([application(**service)], ZONE)
    return manifest(published)


def problems_of(*applications):
    return problems(published_services(applications, ZONE), ZONE)


def test_defaults_are_filled_in():
    service = made()

    assert service["metadata"]["annotations"] == {INTERNAL: "true", HOSTNAME: "orders.shop.internal"}
    assert service["spec"] == {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Cluster",
        "selector": {"app.kubernetes.io/name": "orders"},
        "ports": [{"name": "tcp-80", "port": 80, "protocol": "TCP", "targetPort": 80}],
    }


def test_every_option_is_an_annotation():
    service = made(hostname="Buy.Shop.internal", subnet="lb", ip="10.1.0.4", ttl="30", annotations={"note": 1})

    assert service["metadata"]["annotations"] == {
        INTERNAL: "true",
        HOSTNAME: "buy.shop.internal",
        SUBNET: "lb",
        IPV4: "10.1.0.4",
        TTL: "30",
        "note": "1",
    }


@pytest.mark.parametrize(("given", "expected"), [(None, 80), ("", 80), (8080, 8080), ("8080", 8080), ("http", "http")])
def test_the_pods_port_is_a_number_or_a_name(given, expected):
    assert made(ports=[{"port": "80", "target_port": given}])["spec"]["ports"][0]["targetPort"] == expected


def test_a_port_for_each_protocol_has_a_name_of_its_own():
    ports = [{"port": 53}, {"port": 53, "protocol": "UDP"}]

    assert [each["name"] for each in made(ports=ports)["spec"]["ports"]] == ["tcp-53", "udp-53"]
    assert problems_of(application(ports=ports)) == []


def test_applications_without_a_service_are_passed_over():
    published = published_services(
        [{"name": "plain", "namespace": "shop"}, {"name": "none", "namespace": "shop", "service": None}, application()],
        ZONE,
    )

    assert hosts(published) == [{"namespace": "shop", "service": "orders", "hostname": "orders.shop.internal"}]


@pytest.mark.parametrize("hostname", ["shop.internal", "a.b.shop.internal", "*.shop.internal", "_x.shop.internal"])
def test_names_within_the_zone_are_taken(hostname):
    assert problems_of(application(hostname=hostname)) == []


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"hostname": "orders.example.com"}, "hostname orders.example.com .* is not in the zone shop.internal"),
        ({"hostname": "ordersshop.internal"}, "is not in the zone"),
        ({"hostname": "a,b.shop.internal"}, "no name that DNS knows"),
        ({"hostname": "-a.shop.internal"}, "no name that DNS knows"),
        ({"hostname": f"{'a' * 64}.shop.internal"}, "63 characters at most"),
        ({"ports": []}, "service.ports .* is empty"),
        ({"ports": [{"port": 80}, {"port": 80, "name": "other"}]}, "a port or a name twice"),
        ({"ports": [{"port": 80, "name": "x"}, {"port": 81, "name": "x"}]}, "a port or a name twice"),
        ({"ports": [{"port": 0}]}, "the port 0; it must be from 1 to 65535"),
        ({"ports": [{"port": 80, "target_port": 65536}]}, "the target_port 65536"),
        ({"ip": "ten"}, "service.ip .* is ten, which is not an IPv4 address"),
        ({"ip": "10.1.0.256"}, "not an IPv4 address"),
        ({"ttl": 0}, "service.ttl .* is 0; it must be one second at least"),
        ({"annotations": {INTERNAL: "false", TTL: "1"}}, "sets .*internal, .*ttl in service.annotations"),
    ],
)
def test_what_is_refused_is_told_with_its_value_and_the_way_out(service, said):
    wrong = problems_of(application(**service))

    assert wrong
    assert all("shop/orders (namespace/name)" in each for each in wrong)
    assert re.search(said, wrong[0])


def test_an_application_stands_in_the_list_once():
    (problem,) = problems_of(application(), application())

    assert problem.startswith("shop/orders (namespace/name) stands in the list 2 times.")


def test_a_hostname_belongs_to_one_application():
    (problem,) = problems_of(application(), application("buy", hostname="ORDERS.shop.internal"))

    assert "shop/orders (namespace/name) and shop/buy (namespace/name) are to have the same hostname" in problem
