# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils import service_discovery_check
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError, NotReady
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.load_balancer import address_of
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.private_dns_zone import RecordSet
from ansible_collections.aks.virtual_nodes.plugins.module_utils.service_discovery_check import (
    Check,
    ExternalDns,
    Host,
    Zone,
    distinct,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.waiting import Deadline

ORDERS = Host("shop", "orders", "Orders.shop.internal")
ADDRESS = "10.224.0.9"


def service(name: str = "orders", address: str = ADDRESS) -> dict[str, Any]:
    ingress = [{"ip": address}] if address else []
    return {"metadata": {"name": name, "namespace": "shop"}, "status": {"loadBalancer": {"ingress": ingress}}}


def record(name: str, *values: str, kind: str = "A") -> RecordSet:
    return RecordSet(name, kind, f"{name}.shop.internal", 30, values)


def registry(name: str, owner: str) -> RecordSet:
    return record(
        name, f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource=service/a/b"', kind="TXT"
    )


class Cluster:
    """The API server: one Service, and external-dns with a log."""

    def __init__(self, found: dict[str, Any] | None, event: dict[str, Any] | None = None, log: str = "") -> None:
        self._found, self._event, self._log = found, event, log

    def watch(self, _key: Any, _seconds: float) -> list[dict[str, Any]]:
        return [self._found] if self._found else []

    def read(self, keys: list[Any]) -> dict[Any, Any]:
        return {key: self._found for key in keys if self._found}

    def last_event(self, _key: Any) -> dict[str, Any] | None:
        return self._event

    def pods(self, namespace: str, labels: dict[str, str]) -> list[dict[str, Any]]:
        assert (namespace, labels) == ("dns", {"app.kubernetes.io/name": "external-dns"})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"namespace": "dns", "name": "external-dns-1"}, "status": ready}]

    def log(self, _namespace: str, _pod: str, _lines: int) -> str:
        return self._log


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[list[RecordSet]]:
    """What the zone holds at each read, the last one for ever."""
    given: list[list[RecordSet]] = []

    def list_records(_session: Any, group: str, zone: str) -> list[RecordSet]:
        assert (group, zone) == ("rg", "shop.internal")
        return given.pop(0) if len(given) > 1 else given[0]

    monkeypatch.setattr(service_discovery_check.private_dns_zone, "list_records", list_records)
    return given


def check(client: Cluster, *hosts: Host) -> Check:
    zone = Zone("rg", "shop.internal", "aks-shop")
    return Check(None, client, zone, hosts or (ORDERS,), ExternalDns("dns", "external-dns"))  # type: ignore[arg-type]


def test_a_record_with_the_address_is_waited_for(clock: Clock, answers: list[list[RecordSet]]) -> None:
    answers += [[], [], [record("orders", ADDRESS), registry("a-orders", "aks-shop")]]

    (found,) = check(Cluster(service())).wait_present(clock.deadline(60))

    assert (found["hostname"], found["address"], found["ttl"]) == ("Orders.shop.internal", ADDRESS, 30)
    assert found["seconds"] == 3.0


def test_an_old_address_of_ones_own_is_waited_out(clock: Clock, answers: list[list[RecordSet]]) -> None:
    answers += [[record("orders", "10.224.0.1"), registry("a-orders", "aks-shop")], [record("orders", ADDRESS)]]

    assert check(Cluster(service())).wait_present(clock.deadline(60))


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ([registry("a-orders", "aks-other")], r"belongs to the owner 'aks-other' \(service/a/b\)"),
        ([], "was not made by external-dns"),
    ],
)
def test_a_record_that_somebody_else_holds_is_told_at_once(
    clock: Clock, answers: list[list[RecordSet]], beside: list[RecordSet], said: str
) -> None:
    answers.append([record("orders", "10.9.9.9"), *beside])

    with pytest.raises(NotReady, match=said):
        check(Cluster(service())).wait_present(clock.deadline(60))
    assert clock.now == 0


def test_the_last_error_of_external_dns_tells_why_there_is_no_record(
    clock: Clock, answers: list[list[RecordSet]]
) -> None:
    answers.append([])
    log = (
        'time="2026-01-01T00:00:00Z" level=error msg="an older one"\n'
        'time="2026-01-01T00:01:00Z" level=fatal msg="RESPONSE 403 \\"AuthorizationFailed\\""\n'
        'time="2026-01-01T00:02:00Z" level=info msg="All records are already up to date"\n'
    )

    with pytest.raises(NotReady, match=r'no record with this address\. external-dns .*last said: RESPONSE 403 "Auth'):
        check(Cluster(service(), log=log)).wait_present(clock.deadline(10))


def test_the_last_event_tells_why_there_is_no_address(clock: Clock, answers: list[list[RecordSet]]) -> None:
    event = {"reason": "SyncLoadBalancerFailed", "message": "failed to get subnet: vnet/lb"}

    with pytest.raises(NotReady, match="Service shop/orders: SyncLoadBalancerFailed: failed to get subnet: vnet/lb"):
        check(Cluster(service(address=""), event)).wait_present(clock.deadline(0))
    with pytest.raises(NotReady, match="Service shop/orders: does not exist"):
        check(Cluster(None)).wait_present(clock.deadline(0))


def test_absence_is_waited_for_and_records_of_others_are_of_no_concern(
    clock: Clock, answers: list[list[RecordSet]]
) -> None:
    own = [record("orders", ADDRESS), registry("a-orders", "aks-shop")]
    answers += [own, own[1:], [record("orders", "10.9.9.9"), registry("a-orders", "aks-other")]]

    check(Cluster(None)).wait_absent(clock.deadline(60))
    assert clock.now == 3.0
    answers[:] = [own[1:]]
    orphaned = Clock()
    check(Cluster(None)).wait_absent(orphaned.deadline(60))
    assert 15 <= orphaned.now < 25, "external-dns never deletes what names the owner of nothing"
    answers[:] = [own]
    with pytest.raises(NotReady, match=r"still has the records of Orders\.shop\.internal"):
        check(Cluster(None)).wait_absent(clock.deadline(10))


def test_what_is_not_there_yet_is_unknown_before() -> None:
    assert check(Cluster(None)).predicted()[0]["address"] == UNKNOWN
    assert check(Cluster(service())).predicted()[0]["address"] == ADDRESS


def test_names_outside_the_zone_and_names_given_twice_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not in zone"):
        Host("shop", "orders", "orders.other.internal").relative("shop.internal")
    with pytest.raises(ConfigurationError, match="shop/orders, shop/shop"):
        distinct([ORDERS, Host("shop", "shop", "orders.shop.internal")])
    assert Host("shop", "orders", "shop.internal.").relative("shop.internal") == "@"


def test_a_host_name_is_an_address_too() -> None:
    assert address_of({"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}) == "lb.example.com"
    assert address_of({}) == ""
