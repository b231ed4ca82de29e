# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading, applying and deleting Kubernetes objects of any kind (server-side apply)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError, KubernetesError
from ..parallel import parallel
from .connection import MOST_CONNECTIONS
from .errors import kubernetes_errors

FIELD_MANAGER = "aks.virtual_nodes"

Manifest = Mapping[str, Any]

# Kinds in which people keep what they would miss. Kubernetes has no request for "everything in a namespace".
_USUAL_KINDS = (
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
)
_IN_EVERY_NAMESPACE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})


@dataclass(frozen=True, order=True)
class ObjectKey:
    """What names an object in a cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> ObjectKey:
        """
        :raises ConfigurationError: when apiVersion, kind or metadata.name is missing.
        """
        metadata = manifest.get("metadata") or {}
        lacking = [field for field in ("apiVersion", "kind") if not manifest.get(field)]
        lacking += [] if metadata.get("name") else ["metadata.name"]
        if lacking:
            shown = f"{manifest.get('kind', '?')} {metadata.get('name', '?')}"
            raise ConfigurationError(f"definitions: '{shown}' has no {', no '.join(lacking)}.")
        return cls(
            str(manifest["apiVersion"]),
            str(manifest["kind"]),
            str(metadata.get("namespace") or ""),
            str(metadata["name"]),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class ObjectClient:
    """The few calls that applying manifests needs.

    :param client: C(kubernetes.dynamic.DynamicClient).
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._resources: dict[tuple[str, str], Any] = {}

    def read(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, Manifest]:
        """Those of the objects that exist; one list request for each kind and namespace, one read where only one is asked for."""
        groups: dict[tuple[str, str, str], list[ObjectKey]] = {}
        for key in keys:
            groups.setdefault((key.api_version, key.kind, key.namespace), []).append(key)
            self._resource(key)  # before the threads, for which the client's discovery is not made

        def read_group(members: list[ObjectKey]) -> dict[ObjectKey, Manifest]:
            return self._read_one(members[0]) if len(members) == 1 else self._read_many(members)

        found: dict[ObjectKey, Manifest] = {}
        for each in parallel(read_group, list(groups.values()), MOST_CONNECTIONS):
            found.update(each)
        return found

    def _read_one(self, key: ObjectKey) -> dict[ObjectKey, Manifest]:
        try:
            with kubernetes_errors(f"Reading {key}"):
                return {key: self._resource(key).get(name=key.name, namespace=key.namespace or None).to_dict()}
        except KubernetesError as error:
            if error.status == 404:
                return {}
            raise

    def _read_many(self, keys: list[ObjectKey]) -> dict[ObjectKey, Manifest]:
        first = keys[0]
        with kubernetes_errors(f"Listing {first.kind} in '{first.namespace}'"):
            items = self._resource(first).get(namespace=first.namespace or None).to_dict()["items"]
        by_name = {item["metadata"]["name"]: item for item in items}
        # Items of a list carry neither apiVersion nor kind.
        return {
            key: {"apiVersion": key.api_version, "kind": key.kind, **by_name[key.name]}
            for key in keys
            if key.name in by_name
        }

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply. Fields that others own and the manifest names are taken over: that is what drift correction means."""
        key = ObjectKey.of(manifest)
        options: dict[str, Any] = {"dry_run": "All"} if dry_run else {}
        with kubernetes_errors(f"Applying {key}"):
            answer = self._resource(key).server_side_apply(
                body=dict(manifest),
                name=key.name,
                namespace=key.namespace or None,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                **options,
            )
        applied: Manifest = answer.to_dict()
        return applied

    def scale(self, key: ObjectKey, replicas: int) -> None:
        """Set the replicas of an object that has the subresource C(scale), and nothing else of it."""
        group, _slash, version = key.api_version.rpartition("/")
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        with kubernetes_errors(f"Scaling {key}"):
            plural = self._resource(key).name
            self._client.request(
                "patch",
                f"{root}/namespaces/{key.namespace}/{plural}/{key.name}/scale",
                body={"spec": {"replicas": replicas}},
                content_type="application/merge-patch+json",
                field_manager=FIELD_MANAGER,
            )

    def delete(self, key: ObjectKey) -> None:
        """Delete with background propagation; an object that is gone already is no error."""
        try:
            with kubernetes_errors(f"Deleting {key}"):
                self._resource(key).delete(
                    name=key.name,
                    namespace=key.namespace or None,
                    body={"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"},
                )
        except KubernetesError as error:
            if error.status != 404:
                raise

    def watch(self, key: ObjectKey, seconds: float) -> Iterable[Manifest]:
        """The states of the objects of the key's kind in its namespace, beginning with those of now, for at most so long."""
        resource = self._resource(key)
        with kubernetes_errors(f"Watching {key.kind} in '{key.namespace}'"):
            for event in resource.watch(namespace=key.namespace or None, timeout=max(1, int(seconds))):
                yield event["raw_object"]

    def made_by_hand(self, namespace: str) -> dict[ObjectKey, Manifest]:
        """The objects of the usual kinds that somebody put into the namespace; what controllers made is left out."""
        found = {}
        for api_version, kind in _USUAL_KINDS:
            group = ObjectKey(api_version, kind, namespace, "")
            with kubernetes_errors(f"Listing {kind} in '{namespace}'"):
                items = self._resource(group).get(namespace=namespace).to_dict()["items"]
            for item in items:
                name = item["metadata"]["name"]
                if not item["metadata"].get("ownerReferences") and (kind, name) not in _IN_EVERY_NAMESPACE:
                    found[ObjectKey(api_version, kind, namespace, name)] = item
        return found

    def pods(self, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        pod = ObjectKey("v1", "Pod", namespace, "")
        with kubernetes_errors(f"Listing the pods in '{namespace}'"):
            items: list[Manifest] = (
                self._resource(pod).get(namespace=namespace, label_selector=selector).to_dict()["items"]
            )
        return items

    def last_event(self, key: ObjectKey) -> Manifest | None:
        """What was last said of an object; a warning, if there is one."""
        selector = f"involvedObject.kind={key.kind},involvedObject.name={key.name}"
        event = ObjectKey("v1", "Event", key.namespace, "")
        with kubernetes_errors(f"Listing the events of {key}"):
            found = self._resource(event).get(namespace=key.namespace, field_selector=selector).to_dict()["items"]
        last: Manifest | None = max(found, key=_moment_of_event, default=None)
        return last

    def log(self, namespace: str, pod: str, lines: int) -> str:
        """The last lines of the log of a pod with one container; empty while there is none."""
        try:
            with kubernetes_errors(f"Reading the log of pod '{namespace}/{pod}'"):
                answer = self._client.request(
                    "get", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query_params=[("tailLines", lines)]
                )
        except KubernetesError as error:
            if error.status in (400, 404):  # not started yet, or gone
                return ""
            raise
        return str(answer)

    def _resource(self, key: ObjectKey) -> Any:
        kind = (key.api_version, key.kind)
        if kind not in self._resources:
            self._resources[kind] = self._discover(*kind)
        return self._resources[kind]

    def _discover(self, api_version: str, kind: str) -> Any:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError

        # Without the prefix, "v1" stands for every group that has a v1, and the client asks for the kinds of each of them.
        prefix = "apis" if "/" in api_version else "api"
        try:
            return self._client.resources.get(prefix=prefix, api_version=api_version, kind=kind)
        except (ResourceNotFoundError, ResourceNotUniqueError):
            raise ConfigurationError(
                f"The cluster does not know {kind} of {api_version}: check apiVersion and kind."
            ) from None


def _moment_of_event(event: Manifest) -> tuple[bool, str]:
    moment = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
    return event.get("type") == "Warning", str(moment)
