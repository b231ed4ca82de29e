# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller: as many pods as are wanted."""

from __future__ import annotations

from lab.kubernetes import admission
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.errors import StatusError
from lab.kubernetes.garbage import delete
from lab.kubernetes.index import Index, Reference, controller_of
from lab.kubernetes.pods import (
    available_in,
    is_active,
    is_ready,
    owner_reference,
    selects,
    set_condition,
    without_condition,
)
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import POD, REPLICA_SET
from lab.kubernetes.store import Event, Object, Store
from lab.kubernetes.work_queue import WorkQueue

COMPONENT = "replicaset-controller"
MANAGER = "kube-controller-manager"
# So many pods at a time, so that nobody waits for a large ReplicaSet.
BURST = 25
# What happens to many pods at once is counted once.
COUNT_AGAIN_SECONDS = 0.05


class ReplicaSets:
    def __init__(self, store: Store, settings: ClusterSettings, index: Index, recorder: Recorder) -> None:
        self._store = store
        self._settings = settings
        self._index = index
        self._recorder = recorder
        self.queue = WorkQueue(self._reconcile)

    def start(self) -> None:
        for item in self._store.list(REPLICA_SET):
            self.queue.add((item["metadata"]["namespace"], item["metadata"]["name"]))

    def follow(self, event: Event) -> None:
        if event.kind is REPLICA_SET:
            self.queue.add((event.namespace, event.object["metadata"]["name"]))
        elif event.kind is POD:
            owner = controller_of(event.object)
            if owner and owner["kind"] == "ReplicaSet":
                self.queue.add_after((event.namespace, owner["name"]), COUNT_AGAIN_SECONDS)

    def _reconcile(self, key: tuple[str, str]) -> None:
        replica_set = self._store.find(REPLICA_SET, *key)
        if replica_set is None:
            return
        failure = None
        if "deletionTimestamp" not in replica_set["metadata"]:
            self._adopt(replica_set)
            failure = self._scale(replica_set)
        self._write_status(key, failure)
        if failure is not None:
            raise failure

    def _pods(self, replica_set: Object) -> list[Object]:
        return [pod for pod in self._index.owned_objects(POD, replica_set["metadata"]["uid"]) if is_active(pod)]

    def _adopt(self, replica_set: Object) -> None:
        namespace = replica_set["metadata"]["namespace"]
        for pod in self._index.orphans(POD, namespace):
            if is_active(pod) and selects(replica_set["spec"].get("selector"), pod):
                with self._store.changing(POD, namespace, pod["metadata"]["name"]) as adopted:
                    others = adopted["metadata"].get("ownerReferences") or []
                    adopted["metadata"]["ownerReferences"] = [*others, owner_reference(REPLICA_SET, replica_set)]

    def _scale(self, replica_set: Object) -> StatusError | None:
        missing = replica_set["spec"].get("replicas", 1) - self._index.counts(replica_set["metadata"]["uid"]).active
        if missing < 0:
            pods = self._pods(replica_set)
            self._delete(replica_set, sorted(pods, key=_usefulness)[:-missing])
        try:
            for _number in range(min(missing, BURST)):
                self._create(replica_set)
        except StatusError as error:
            self._record(replica_set, "Warning", "FailedCreate", f"Error creating: {error}")
            return error
        if missing > BURST:
            self.queue.add((replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]))
        return None

    def _create(self, replica_set: Object) -> None:
        # Admission makes a copy of its own.
        template = replica_set["spec"]["template"]
        metadata = template.get("metadata") or {}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{replica_set['metadata']['name']}-",
                "namespace": replica_set["metadata"]["namespace"],
                **{field: metadata[field] for field in ("labels", "annotations", "finalizers") if metadata.get(field)},
                "ownerReferences": [owner_reference(REPLICA_SET, replica_set)],
            },
            "spec": template["spec"],
        }
        created = admission.create(self._store, self._settings, POD, pod, MANAGER)
        self._record(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _delete(self, replica_set: Object, pods: list[Object]) -> None:
        for pod in pods:
            delete(self._store, Reference.to(POD, pod))
            self._record(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _record(self, replica_set: Object, type_: str, reason: str, message: str) -> None:
        self._recorder.record(REPLICA_SET, replica_set, type_, reason, message, COMPONENT)

    def _write_status(self, key: tuple[str, str], failure: StatusError | None) -> None:
        replica_set = self._store.find(REPLICA_SET, *key)
        if replica_set is None:
            return
        pods = self._index.counts(replica_set["metadata"]["uid"])
        template_labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        counts = {
            "replicas": pods.active,
            "fullyLabeledReplicas": pods.labelled(template_labels),
            "readyReplicas": pods.ready,
            "availableReplicas": self._available(key, replica_set, pods.ready),
        }
        conditions = _conditions(replica_set, failure, pods.active)
        status = {
            # The API leaves out what is none, but for replicas.
            **{field: count for field, count in counts.items() if count or field == "replicas"},
            "observedGeneration": replica_set["metadata"].get("generation", 1),
            **({"conditions": conditions} if conditions else {}),
        }
        self._store.set_status(REPLICA_SET, replica_set, status)

    def _available(self, key: tuple[str, str], replica_set: Object, ready: int) -> int:
        """How many pods have been ready for long enough; looks again when the next one will have been."""
        seconds = replica_set["spec"].get("minReadySeconds", 0)
        if not seconds:
            return ready
        waits = [available_in(pod, seconds) for pod in self._pods(replica_set)]
        soonest = min((wait for wait in waits if wait), default=None)
        if soonest is not None:
            self.queue.add_after(key, soonest)
        return waits.count(0.0)


def _conditions(replica_set: Object, failure: StatusError | None, pods: int) -> list[Object]:
    conditions = (replica_set.get("status") or {}).get("conditions") or []
    failing = any(each["type"] == "ReplicaFailure" for each in conditions)
    # Said once: a status that changes with every refusal would be a change to try again at once.
    if failure is not None and not failing:
        failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": str(failure)}
        return set_condition(conditions, failed)
    if pods >= replica_set["spec"].get("replicas", 1):
        return without_condition(conditions, "ReplicaFailure")
    return conditions


def _usefulness(pod: Object) -> tuple[bool, bool, bool, int]:
    """Those that go first: without a node, pending, not ready, the youngest."""
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["spec"].get("nodeName")), phase == "Running", is_ready(pod), _older_last(pod)


def _older_last(pod: Object) -> int:
    # Time stamps have whole seconds; resource versions would change with every status.
    return -int("".join(filter(str.isdigit, pod["metadata"]["creationTimestamp"])))
