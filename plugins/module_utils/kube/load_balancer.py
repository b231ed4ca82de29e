# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until Services of type LoadBalancer have an address, and saying what the cloud provider said if they have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import NotReady
from ..waiting import Deadline
from .objects import Manifest, ObjectClient, ObjectKey


def service_key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey("v1", "Service", namespace, name)


def is_load_balancer(service: Manifest) -> bool:
    return service.get("kind") == "Service" and (service.get("spec") or {}).get("type") == "LoadBalancer"


def address_of(service: Manifest) -> str:
    """The address, or host name, of its load balancer; empty while there is none."""
    status: Mapping[str, Any] = service.get("status") or {}
    ingress = (status.get("loadBalancer") or {}).get("ingress") or [{}]
    return str(ingress[0].get("ip") or ingress[0].get("hostname") or "")


def wait_for_addresses(client: ObjectClient, services: Iterable[ObjectKey], deadline: Deadline) -> dict[ObjectKey, str]:
    """Wait by watching, one watch at a time, until every Service has an address.

    :raises NotReady: at the deadline, with the last event of each that has none.
    """
    pending = set(services)
    addresses: dict[ObjectKey, str] = {}
    seen: set[ObjectKey] = set()
    while pending:
        first = min(pending)
        for state in client.watch(first, deadline.remaining):
            key = ObjectKey(first.api_version, first.kind, first.namespace, state["metadata"]["name"])
            if key in pending:
                seen.add(key)
                # A Service on its way out keeps its address for a while.
                if "deletionTimestamp" not in state["metadata"] and address_of(state):
                    addresses[key] = address_of(state)
                    pending.discard(key)
            if deadline.over or not any(each.namespace == first.namespace for each in pending):
                break
        if pending and deadline.over:
            raise NotReady(_explain(client, pending, seen, deadline))
    return addresses


def _explain(client: ObjectClient, pending: Iterable[ObjectKey], seen: set[ObjectKey], deadline: Deadline) -> str:
    lines = [f"{key}: {_why(client, key) if key in seen else 'does not exist'}" for key in sorted(pending)]
    return f"Without an address after {deadline.elapsed:.0f} s. " + " | ".join(lines)


def _why(client: ObjectClient, key: ObjectKey) -> str:
    event = client.last_event(key)
    if event is None:
        return "no event tells why; is a cloud controller manager running?"
    return f"{event.get('reason', '')}: {event.get('message', '')}"
