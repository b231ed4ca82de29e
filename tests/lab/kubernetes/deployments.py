# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment controller: a ReplicaSet for each template, and the way from one to the next."""

from __future__ import annotations

import copy
import hashlib
import json

from lab.kubernetes import admission
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.deployment_status import deadline_in, status
from lab.kubernetes.index import Index, Reference, controller_of
from lab.kubernetes.pods import is_over, owner_reference, selects
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import DEPLOYMENT, POD, REPLICA_SET
from lab.kubernetes.rollout import rolling_update, room, total
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

COMPONENT = "deployment-controller"
MANAGER = "kube-controller-manager"
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HASH_LENGTH = 10


class Deployments:
    def __init__(self, store: Store, settings: ClusterSettings, index: Index, recorder: Recorder) -> None:
        self._store = store
        self._settings = settings
        self._index = index
        self._recorder = recorder
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for item in self._store.list(DEPLOYMENT):
            self.queue.add((item["metadata"]["namespace"], item["metadata"]["name"]))

    def follow(self, event: Event) -> None:
        if event.kind is DEPLOYMENT:
            self.queue.add((event.namespace, event.object["metadata"]["name"]))
        elif event.kind is REPLICA_SET:
            self._add_owner(event.object)
        elif event.kind is POD and event.type == "DELETED":
            # Recreate waits until the old pods are gone.
            owner = controller_of(event.object)
            reference = self._index.find(owner["uid"]) if owner else None
            replica_set = self._store.find(*reference) if reference else None
            if replica_set is not None:
                self._add_owner(replica_set)

    def _add_owner(self, replica_set: Object) -> None:
        owner = controller_of(replica_set)
        if owner and owner["kind"] == "Deployment":
            self.queue.add((replica_set["metadata"]["namespace"], owner["name"]))

    def _reconcile(self, key: tuple[str, str]) -> None:
        deployment = self._store.find(DEPLOYMENT, *key)
        if deployment is None:
            return
        if "deletionTimestamp" not in deployment["metadata"]:
            self._adopt(deployment)
            self._roll(deployment)
        self._write_status(key)

    def _replica_sets(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        """The ReplicaSet of the present template, and the others, oldest revision first."""
        owned = self._index.owned_objects(REPLICA_SET, deployment["metadata"]["uid"])
        owned = sorted((each for each in owned if "deletionTimestamp" not in each["metadata"]), key=_revision)
        template = _plain(deployment["spec"]["template"])
        present = next((each for each in owned if _plain(each["spec"]["template"]) == template), None)
        return present, [each for each in owned if each is not present]

    def _adopt(self, deployment: Object) -> None:
        namespace = deployment["metadata"]["namespace"]
        for orphan in self._index.orphans(REPLICA_SET, namespace):
            if selects(deployment["spec"]["selector"], orphan):
                with self._store.changing(REPLICA_SET, namespace, orphan["metadata"]["name"]) as adopted:
                    others = adopted["metadata"].get("ownerReferences") or []
                    adopted["metadata"]["ownerReferences"] = [*others, owner_reference(DEPLOYMENT, deployment)]

    def _roll(self, deployment: Object) -> None:
        present, others = self._replica_sets(deployment)
        spec = deployment["spec"]
        if spec.get("paused"):
            if present is not None and not total(others):
                self._scale(deployment, {present["metadata"]["name"]: spec.get("replicas", 1)})
            return
        recreate = (spec.get("strategy") or {}).get("type") == "Recreate"
        if recreate and self._old_pods_remain(deployment, others):
            return
        if present is None:
            present = self._create(deployment, others)
        self._put_revision(deployment, present, others)
        if recreate:
            self._scale(deployment, {present["metadata"]["name"]: spec.get("replicas", 1)})
        else:
            self._scale(deployment, rolling_update(deployment, present, others))
        self._clean_up(deployment, others)

    def _old_pods_remain(self, deployment: Object, others: list[Object]) -> bool:
        self._scale(deployment, {each["metadata"]["name"]: 0 for each in others})
        pods = [pod for each in others for pod in self._index.owned_objects(POD, each["metadata"]["uid"])]
        return any(not is_over(pod) for pod in pods)

    def _create(self, deployment: Object, others: list[Object]) -> Object:
        metadata = deployment["metadata"]
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = template_hash(template, (deployment.get("status") or {}).get("collisionCount", 0))
        labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
        template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
        replicas = deployment["spec"].get("replicas", 1)
        first = room(deployment, others)
        ready_after = deployment["spec"].get("minReadySeconds")
        given = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{metadata['name']}-{digest}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {
                    **_carried(metadata.get("annotations") or {}),
                    DESIRED: str(replicas),
                    REVISION: str(_next_revision(others)),
                },
                "ownerReferences": [owner_reference(DEPLOYMENT, deployment)],
            },
            "spec": {
                "replicas": first,
                "selector": selector,
                "template": template,
                **({"minReadySeconds": ready_after} if ready_after else {}),
            },
        }
        created = admission.create(self._store, self._settings, REPLICA_SET, given, MANAGER)
        if first:
            self._record_scaling(deployment, created["metadata"]["name"], 0, first)
        return created

    def _put_revision(self, deployment: Object, present: Object, others: list[Object]) -> None:
        """A template that comes back gets the newest revision."""
        revision = str(max(_revision(present), _next_revision(others)))
        for kind, item in ((REPLICA_SET, present), (DEPLOYMENT, deployment)):
            if (item["metadata"].get("annotations") or {}).get(REVISION) != revision:
                with self._store.changing(*Reference.to(kind, item)) as working:
                    working["metadata"]["annotations"] = {
                        **(working["metadata"].get("annotations") or {}),
                        REVISION: revision,
                    }

    def _scale(self, deployment: Object, wanted: dict[str, int]) -> None:
        for name, replicas in wanted.items():
            if self._is_scaled(deployment, name, replicas):
                continue
            with self._store.changing(REPLICA_SET, deployment["metadata"]["namespace"], name) as replica_set:
                before = replica_set["spec"]["replicas"]
                replica_set["spec"]["replicas"] = replicas
                desired = str(deployment["spec"].get("replicas", 1))
                annotations = replica_set["metadata"].get("annotations") or {}
                replica_set["metadata"]["annotations"] = {**annotations, DESIRED: desired}
            if replicas != before:
                self._record_scaling(deployment, name, before, replicas)

    def _is_scaled(self, deployment: Object, name: str, replicas: int) -> bool:
        """As most of the times that a Deployment is looked at."""
        replica_set = self._store.get(REPLICA_SET, deployment["metadata"]["namespace"], name)
        desired = (replica_set["metadata"].get("annotations") or {}).get(DESIRED)
        return replica_set["spec"]["replicas"] == replicas and desired == str(deployment["spec"].get("replicas", 1))

    def _record_scaling(self, deployment: Object, name: str, before: int, after: int) -> None:
        message = f"Scaled {'up' if after > before else 'down'} replica set {name} from {before} to {after}"
        self._recorder.record(DEPLOYMENT, deployment, "Normal", "ScalingReplicaSet", message, COMPONENT)

    def _clean_up(self, deployment: Object, others: list[Object]) -> None:
        idle = [each for each in others if not each["spec"]["replicas"] and not _count(each, "replicas")]
        surplus = len(idle) - deployment["spec"].get("revisionHistoryLimit", 10)
        for each in idle[: max(surplus, 0)]:
            self._store.delete(*Reference.to(REPLICA_SET, each))

    def _write_status(self, key: tuple[str, str]) -> None:
        deployment = self._store.find(DEPLOYMENT, *key)
        if deployment is None:
            return
        present, others = self._replica_sets(deployment)
        deployment = self._store.set_status(DEPLOYMENT, deployment, status(deployment, present, others))
        remaining = deadline_in(deployment)
        if remaining is not None:
            self.queue.add_after(key, remaining)


def template_hash(template: Object, collisions: int) -> str:
    text = json.dumps([template, collisions], sort_keys=True)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return "".join(
        admission.ALPHABET[number // len(admission.ALPHABET) ** place % len(admission.ALPHABET)]
        for place in range(HASH_LENGTH)
    )


def _plain(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _next_revision(others: list[Object]) -> int:
    return max((_revision(each) for each in others), default=0) + 1


def _carried(annotations: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key not in (LAST_APPLIED, REVISION)}


def _count(replica_set: Object, field: str) -> int:
    return (replica_set.get("status") or {}).get(field, 0)
