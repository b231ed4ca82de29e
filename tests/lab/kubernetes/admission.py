# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to an object between the request and the store: defaults, admission plugins and webhooks, validation."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import string

from lab.kubernetes import admission_policies, defaults, errors, managed_fields, validation, webhook
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.copies import copied
from lab.kubernetes.registry import NAMESPACE, POD, SERVICE, SERVICE_ACCOUNT, Kind
from lab.kubernetes.store import Object, Store, now

SERVICE_NETWORK = ipaddress.ip_network("10.0.0.0/16")
FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
# As k8s.io/apimachinery/pkg/util/rand: no vowels, so no words.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_ACCOUNT_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_UNREADY_SECONDS = 300


def create(store: Store, settings: ClusterSettings, kind: Kind, item: Object, manager: str) -> Object:
    """Admit an object and store it, as a controller does that sends a request."""
    admitted = admit(store, settings, kind, item, None)
    # As the API server: what it and its webhooks add belongs to nobody.
    admitted["metadata"]["managedFields"] = managed_fields.of_new(kind, item, manager, now())
    return store.create(kind, admitted, owned=True)


def admit(store: Store, settings: ClusterSettings, kind: Kind, item: Object, old: Object | None) -> Object:
    """The object as it is to be stored; `item` is not changed.

    :param old: what is stored; None for a creation.
    :raises StatusError: for what is refused.
    """
    admitted: Object = copied(item)
    metadata = admitted.setdefault("metadata", {})
    if old is None:
        _complete_name(kind, metadata)
        _require_namespace(store, kind, metadata)
    _merge_string_data(admitted)
    defaults.fill(admitted)
    admitted = admission_policies.mutate(store, kind, admitted, old)
    if kind is POD and old is None:
        admitted = _admit_pod(store, settings, admitted)
        defaults.fill(admitted)
    if kind is SERVICE:
        _allocate(store, admitted, old)
    validation.check(kind, admitted, old)
    admission_policies.validate(store, kind, admitted, old)
    return admitted


def _complete_name(kind: Kind, metadata: Object) -> None:
    if not metadata.get("name") and metadata.get("generateName"):
        suffix = "".join(secrets.choice(ALPHABET) for _number in range(5))
        metadata["name"] = f"{metadata['generateName'][:58]}{suffix}"
    if not kind.namespaced:
        metadata.pop("namespace", None)


def _require_namespace(store: Store, kind: Kind, metadata: Object) -> None:
    if not kind.namespaced:
        return
    name = metadata.get("namespace", "")
    namespace = store.find(NAMESPACE, "", name)
    if namespace is None:
        raise errors.not_found(NAMESPACE, name)
    if "deletionTimestamp" in namespace["metadata"]:
        raise errors.forbidden(
            kind,
            metadata.get("name", ""),
            f"unable to create new content in namespace {name} because it is being terminated",
        )


def _merge_string_data(item: Object) -> None:
    if item.get("kind") == "Secret" and item.get("stringData"):
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in item.pop("stringData").items()}
        item["data"] = {**(item.get("data") or {}), **encoded}


# Pods


def _admit_pod(store: Store, settings: ClusterSettings, pod: Object) -> Object:
    """ServiceAccount admission, then the webhooks, then the rest of the plugins."""
    spec = pod.setdefault("spec", {})
    namespace, name = pod["metadata"]["namespace"], pod["metadata"].get("name", "")
    account_name = spec.get("serviceAccountName") or "default"
    account = store.find(SERVICE_ACCOUNT, namespace, account_name)
    if account is None:
        why = f'error looking up service account {namespace}/{account_name}: serviceaccount "{account_name}" not found'
        raise errors.forbidden(POD, name, why)
    spec["serviceAccountName"] = spec["serviceAccount"] = account_name
    if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
        _mount_token(spec)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = copied(account["imagePullSecrets"])
    if settings.workload_identity:
        pod = webhook.mutate(pod, account, settings)
        spec = pod["spec"]
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        _tolerate(spec, key)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
    return pod


def _mount_token(spec: Object) -> None:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    if any(
        mount.get("mountPath") == _ACCOUNT_MOUNT
        for container in containers
        for mount in container.get("volumeMounts") or []
    ):
        return
    volume = f"kube-api-access-{''.join(secrets.choice(string.ascii_lowercase) for _number in range(5))}"
    downward = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [downward]}},
    ]
    projected = {"name": volume, "projected": {"sources": sources, "defaultMode": defaults.FILE_MODE}}
    spec["volumes"] = [*(spec.get("volumes") or []), projected]
    for container in containers:
        mount = {"name": volume, "readOnly": True, "mountPath": _ACCOUNT_MOUNT}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]


def _tolerate(spec: Object, key: str) -> None:
    tolerations = spec.get("tolerations") or []
    if any(each.get("key") in (key, None) and each.get("effect") in ("NoExecute", None) for each in tolerations):
        return
    added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _UNREADY_SECONDS}
    spec["tolerations"] = [*tolerations, added]


def _quality(spec: Object) -> str:
    amounts = [container.get("resources") or {} for container in spec.get("containers") or []]
    if not any(each.get("limits") or each.get("requests") for each in amounts):
        return "BestEffort"
    guaranteed = all(
        each.get("limits") == each.get("requests") and {"cpu", "memory"} <= set(each.get("limits") or {})
        for each in amounts
    )
    return "Guaranteed" if guaranteed else "Burstable"


# Services


def _allocate(store: Store, service: Object, old: Object | None) -> None:
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        return
    before = (old or {}).get("spec") or {}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or _free_address(store)
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        node_ports = {port.get("port"): port.get("nodePort") for port in before.get("ports") or []}
        for port in spec.get("ports") or []:
            if not port.get("nodePort"):
                port["nodePort"] = node_ports.get(port.get("port")) or _free_node_port(store)
    service.setdefault("status", {"loadBalancer": {}})


def _free_address(store: Store) -> str:
    taken = {(each.get("spec") or {}).get("clusterIP") for each in store.list(SERVICE)}
    while True:
        address = str(SERVICE_NETWORK[secrets.randbelow(SERVICE_NETWORK.num_addresses - 300) + 256])
        if address not in taken:
            return address


def _free_node_port(store: Store) -> int:
    taken = {port.get("nodePort") for each in store.list(SERVICE) for port in each["spec"].get("ports") or []}
    while True:
        number = FIRST_NODE_PORT + secrets.randbelow(LAST_NODE_PORT - FIRST_NODE_PORT + 1)
        if number not in taken:
            return number
