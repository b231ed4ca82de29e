# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of what kube-proxies cost the API server, without an API server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from lab.kubernetes.listeners import ListenerCost, Listeners
from lab.kubernetes.node_objects import virtual_node
from lab.kubernetes.registry import NODE, POD, STATEFUL_SET
from lab.kubernetes.store import Store

COST = ListenerCost(seconds_per_change=0.1, seconds_per_pod_and_change=0.05, cores=2)


def pod(name: str) -> dict[str, Any]:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "virtualnode-0", "containers": []},
        "status": status,
    }


@pytest.fixture
def store() -> Store:
    made = Store()
    made.create(NODE, virtual_node("virtualnode-0", "10.0.0.1"))
    return made


def waited(listeners: Listeners) -> float:
    began = time.monotonic()
    asyncio.run(listeners.served())
    return time.monotonic() - began


def test_a_request_waits_for_what_the_changes_before_it_cost(store: Store) -> None:
    listeners = Listeners(store, COST)
    store.listen(listeners.follow)
    for number in range(4):
        store.create(POD, pod(f"p{number}"))
    # 4 changes of 0.1 s, heard by 1, 2, 3 and 4 pods, by two cores.
    assert listeners.cpu_seconds == pytest.approx(4 * 0.1 + 0.05 * (1 + 2 + 3 + 4))
    assert waited(listeners) == pytest.approx(listeners.cpu_seconds / 2, abs=0.1)
    assert waited(listeners) < 0.05


def test_without_the_model_nobody_waits_and_listeners_are_counted_all_the_same(store: Store) -> None:
    listeners = Listeners(store, None)
    store.listen(listeners.follow)
    store.create(POD, pod("p0"))
    assert (listeners.count, listeners.cpu_seconds) == (2, 0.0)
    assert waited(listeners) < 0.05


def test_a_chart_without_kube_proxy_has_no_listeners(store: Store) -> None:
    container = {"name": "proxycri", "env": [{"name": "VirtualNode_KubeProxyEnabled", "value": "false"}]}
    template = {"spec": {"containers": [container]}}
    store.create(
        STATEFUL_SET, {"metadata": {"name": "virtualnode", "namespace": "vn2"}, "spec": {"template": template}}
    )
    listeners = Listeners(store, None)
    store.listen(listeners.follow)
    store.create(POD, pod("p0"))
    assert listeners.count == 0


def test_a_pod_that_goes_takes_its_listeners_with_it(store: Store) -> None:
    listeners = Listeners(store, None)
    store.listen(listeners.follow)
    store.create(POD, pod("p0"))
    store.delete(POD, "shop", "p0")
    assert listeners.count == 0
