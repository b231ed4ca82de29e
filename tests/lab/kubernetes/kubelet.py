# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubelet does with one pod: starts it, says how it is, and ends it."""

from __future__ import annotations

import asyncio
import logging

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.container import Container, image_is_missing
from lab.kubernetes.pods import set_condition
from lab.kubernetes.recorder import Recorder
from lab.kubernetes.registry import POD
from lab.kubernetes.sandbox import NotStartable, Sandbox
from lab.kubernetes.store import Object, Store, now
from lab.kubernetes.tokens import TokenIssuer

LOG = logging.getLogger(__name__)

# In the lab nobody waits half a minute for a process that does not listen.
LONGEST_GRACE_SECONDS = 5.0
MOUNT_RETRY_SECONDS = 2.0
# How often a sandbox is tried again that the subscription has no quota for.
QUOTA_RETRY_SECONDS = 10.0


class PodRunner:
    """
    :ivar virtual: whether its node is a virtual node.
    :ivar start_seconds: how long it takes to start.
    :ivar failure: how it fails, as long as pods fail at all: C(image), C(quota), C(crash), or not.
    """

    def __init__(
        self,
        store: Store,
        settings: ClusterSettings,
        tokens: TokenIssuer,
        recorder: Recorder,
        pod: Object,
        addresses: tuple[str, str],
        *,
        virtual: bool,
        start_seconds: float,
        failure: str,
    ) -> None:
        self.uid = pod["metadata"]["uid"]
        self._key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._store = store
        self._settings = settings
        self._tokens = tokens
        self._recorder = recorder
        self._pod = pod
        self._ip, self._host_ip = addresses
        self._virtual = virtual
        self._start_seconds = start_seconds
        self._failing = failure
        self._stop = asyncio.Event()
        self._started_at = now()
        self._sandbox: Sandbox | None = None
        self._abandoned = False
        self._containers = [
            Container(pod, spec, None, self._changed, self._failure) for spec in pod["spec"]["containers"]
        ]

    def container(self, name: str) -> Container | None:
        return next((each for each in self._containers if each.spec["name"] == name), None)

    def stop(self) -> None:
        """The pod is to end, or has been removed."""
        self._stop.set()

    def abandon(self) -> None:
        """The kubelet is gone: nobody tells any more how the pod is."""
        self._abandoned = True
        self._stop.set()

    def _failure(self) -> str:
        return self._failing if self._settings.pods.failure_rate else ""

    async def run(self) -> None:
        """Until the pod is stopped; when cancelled, its processes are killed."""
        try:
            work = asyncio.create_task(self._work())
            try:
                await self._stop.wait()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            if not self._abandoned:
                await self._end()
        finally:
            await asyncio.gather(*(container.kill() for container in self._containers))
            if self._sandbox is not None:
                self._sandbox.remove()

    async def _work(self) -> None:
        try:
            self._publish()
            await asyncio.sleep(self._start_seconds)
            while self._failure() == "quota":
                self._changed("Warning", "FailedCreatePodSandBox", self._quota_error())
                await asyncio.sleep(QUOTA_RETRY_SECONDS)
            renewal = await self._prepare()
            async with asyncio.TaskGroup() as tasks:
                for container in self._containers:
                    tasks.create_task(container.run())
                if self._sandbox is not None and renewal is not None:
                    tasks.create_task(self._renew_tokens(self._sandbox, renewal))
        except Exception:
            LOG.exception("the pod %s/%s failed", *self._key)
            raise

    async def _prepare(self) -> float | None:
        """Make the sandbox if a container has a process; after how many seconds its tokens are renewed."""
        images = [container.spec["image"] for container in self._containers]
        if not any(self._is_run(image) for image in images):
            return None
        self._sandbox = Sandbox(self._store, self._settings, self._tokens, virtual=self._virtual)
        self._containers = [
            Container(
                self._present(),
                each.spec,
                self._sandbox if self._is_run(each.spec["image"]) else None,
                self._changed,
                self._failure,
            )
            for each in self._containers
        ]
        while True:
            try:
                return self._sandbox.mount(self._present())
            except NotStartable as error:
                self._changed("Warning", "FailedMount", f"MountVolume.SetUp failed for volume: {error}")
                await asyncio.sleep(MOUNT_RETRY_SECONDS)

    def _quota_error(self) -> str:
        """In ACI's words, as a kubelet passes on what its container runtime says."""
        why = (
            "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded "
            f"in region '{self._settings.region}'. Limit: '10', Usage: '10' Requested: '1'."
        )
        return f"Failed to create pod sandbox: rpc error: code = Unknown desc = {why}"

    def _is_run(self, image: str) -> bool:
        return self._settings.application(image) is not None and not image_is_missing(image)

    async def _renew_tokens(self, sandbox: Sandbox, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                seconds = sandbox.mount(self._present()) or seconds
            except NotStartable as error:
                # The tokens stay until they expire.
                LOG.warning("no new token for %s/%s: %s", *self._key, error)

    async def _end(self) -> None:
        pod = self._present()
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        await asyncio.gather(*(each.stop(min(grace, LONGEST_GRACE_SECONDS)) for each in self._containers))
        present = self._store.find(POD, *self._key)
        if present is not None and present["metadata"]["uid"] == self.uid:
            self._store.delete(POD, *self._key)

    def _present(self) -> Object:
        present = self._store.find(POD, *self._key)
        if present is not None and present["metadata"]["uid"] == self.uid:
            self._pod = present
        return self._pod

    def _changed(self, type_: str, reason: str, message: str) -> None:
        self._publish()
        if reason:
            self._recorder.record(POD, self._present(), type_, reason, message, "kubelet")

    def _publish(self) -> None:
        present = self._store.find(POD, *self._key)
        if present is None or present["metadata"]["uid"] != self.uid or self._abandoned:
            return
        before = present.get("status") or {}
        conditions = before.get("conditions") or []
        for condition in self._conditions():
            conditions = set_condition(conditions, condition)
        status = {
            **before,
            "conditions": conditions,
            "phase": self._phase(),
            "hostIP": self._host_ip,
            "hostIPs": [{"ip": self._host_ip}],
            "podIP": self._ip,
            "podIPs": [{"ip": self._ip}],
            "startTime": self._started_at,
            "containerStatuses": [container.status() for container in self._containers],
        }
        self._store.set_status(POD, present, status)

    def _phase(self) -> str:
        if all(container.over for container in self._containers) and not self._stop.is_set():
            codes = [container.state["terminated"]["exitCode"] for container in self._containers]
            return "Failed" if any(codes) else "Succeeded"
        began = any(container.status().get("containerID") for container in self._containers)
        return "Running" if began else "Pending"

    def _conditions(self) -> list[Object]:
        over = self._phase() == "Succeeded"
        broken = [each.spec["name"] for each in self._containers if not each.running]
        unready = {
            "reason": "PodCompleted" if over else "ContainersNotReady",
            **({} if over else {"message": f"containers with unready status: [{' '.join(broken)}]"}),
        }
        ready = {"status": "False", **unready} if broken else {"status": "True"}
        values = {
            "PodReadyToStartContainers": {"status": "True"},
            "Initialized": {"status": "True"},
            "Ready": ready,
            "ContainersReady": ready,
            "PodScheduled": {"status": "True"},
        }
        return [{"type": type_, "lastProbeTime": None, **value} for type_, value in values.items()]
