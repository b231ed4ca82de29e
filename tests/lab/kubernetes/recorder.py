# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: what controllers tell people about an object."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from lab.kubernetes.registry import EVENT, Kind
from lab.kubernetes.store import Object, Store, now

# The API server keeps them for an hour; this many of each type are enough to look at.
KEPT = {"Normal": 2_000, "Warning": 10_000}


class Recorder:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._recorded: dict[str, OrderedDict[tuple[Any, ...], tuple[str, str]]] = {
            each: OrderedDict() for each in KEPT
        }

    def record(self, kind: Kind, item: Object, type_: str, reason: str, message: str, component: str) -> None:
        """An Event; the same one again counts up."""
        metadata = item["metadata"]
        key = (metadata["uid"], type_, reason, message, component)
        names = self._recorded[type_]
        name = names.get(key)
        if name is not None and self._store.find(EVENT, *name):
            event = self._store.get(EVENT, *name)
            again = {**event, "count": event["count"] + 1, "lastTimestamp": now()}
            self._store.update(EVENT, again, owned=True)
            names.move_to_end(key)
            return
        event = _event(kind, item, type_, reason, message, component, self._store.revision)
        created = self._store.create(EVENT, event, owned=True)
        names[key] = (created["metadata"]["namespace"], created["metadata"]["name"])
        names.move_to_end(key)
        while len(names) > KEPT[type_]:
            oldest = names.popitem(last=False)[1]
            if self._store.find(EVENT, *oldest):
                self._store.delete(EVENT, *oldest)


def _event(kind: Kind, item: Object, type_: str, reason: str, message: str, component: str, revision: int) -> Object:
    metadata = item["metadata"]
    namespace = metadata.get("namespace", "default")
    involved = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
        **({"namespace": namespace} if kind.namespaced else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{revision:016x}", "namespace": namespace},
        "involvedObject": involved,
        "type": type_,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "count": 1,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "eventTime": None,
    }
