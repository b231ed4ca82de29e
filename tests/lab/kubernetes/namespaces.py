# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces: what each one holds from the start, and how it is emptied when it is deleted."""

from __future__ import annotations

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.garbage import delete
from lab.kubernetes.index import Index
from lab.kubernetes.registry import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system")
ROOT_CA = "kube-root-ca.crt"
# Every object that goes makes a namespace look again, so it waits for a few of them.
LOOK_AGAIN_SECONDS = 0.2


class Namespaces:
    def __init__(self, store: Store, settings: ClusterSettings, index: Index) -> None:
        self._store = store
        self._settings = settings
        self._index = index
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for name in SYSTEM:
            if not self._store.find(NAMESPACE, "", name):
                self._store.create(NAMESPACE, new_namespace(name))
        for namespace in self._store.list(NAMESPACE):
            self.queue.add(namespace["metadata"]["name"])

    def follow(self, event: Event) -> None:
        if event.kind is NAMESPACE:
            self.queue.add(event.object["metadata"]["name"])
        elif event.type == "DELETED" and event.namespace:
            self.queue.add_after(event.namespace, LOOK_AGAIN_SECONDS)

    def _reconcile(self, name: str) -> None:
        namespace = self._store.find(NAMESPACE, "", name)
        if namespace is None:
            return
        if "deletionTimestamp" in namespace["metadata"]:
            self._empty(name)
        else:
            self._furnish(name)

    def _furnish(self, name: str) -> None:
        if not self._store.find(SERVICE_ACCOUNT, name, "default"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
            self._store.create(SERVICE_ACCOUNT, account)
        if not self._store.find(CONFIG_MAP, name, ROOT_CA):
            why = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints."
            metadata = {
                "name": ROOT_CA,
                "namespace": name,
                "annotations": {"kubernetes.io/description": f"{why} No other usage is guaranteed."},
            }
            data = {"ca.crt": self._settings.ca_pem}
            self._store.create(
                CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            )

    def _empty(self, name: str) -> None:
        with self._store.changing(NAMESPACE, "", name) as namespace:
            namespace.setdefault("status", {})["phase"] = "Terminating"
        for reference in self._index.in_namespace(name):
            delete(self._store, reference)
        if self._index.in_namespace(name):
            self.queue.add_after(name, 5 * LOOK_AGAIN_SECONDS)
            return
        with self._store.changing(NAMESPACE, "", name) as namespace:
            namespace["spec"] = {**(namespace.get("spec") or {}), "finalizers": []}
        remaining = self._store.find(NAMESPACE, "", name)
        if remaining and not remaining["metadata"].get("finalizers"):
            # It had no finalizer in its spec that could be taken away.
            self._store.delete(NAMESPACE, "", name)


def new_namespace(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
