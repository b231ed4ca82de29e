# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a pod on a node: started, watched, started again."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable

from lab.kubernetes.process import Process
from lab.kubernetes.sandbox import NotStartable, Sandbox
from lab.kubernetes.store import Object, now

# In the lab nobody waits five minutes.
LONGEST_BACKOFF_SECONDS = 10
# A process that lived so long is not in a crash loop.
SETTLED_SECONDS = 60.0
CONFIG_RETRY_SECONDS = 2.0
# How long a container lives that is told to crash.
CRASH_SECONDS = 0.5


class Container:
    """
    :ivar sandbox: where its process runs; None for an image that the lab does not run.
    :ivar failure: says how the container is to fail at this moment: C(image), C(crash), or not.
    :ivar changed: called whenever the state is another; takes the type, reason and message of an Event.
    """

    def __init__(
        self,
        pod: Object,
        spec: Object,
        sandbox: Sandbox | None,
        changed: Callable[[str, str, str], None],
        failure: Callable[[], str],
    ) -> None:
        self.spec = spec
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.over = False
        self._pod = pod
        self._sandbox = sandbox
        self._changed = changed
        self._failure = failure
        self._last_state: Object = {}
        self._restarts = 0
        self._id = ""
        self._process: Process | None = None
        self._lines = b""

    @property
    def running(self) -> bool:
        return "running" in self.state

    async def run(self) -> None:
        """Until it is over by its restart policy, or cancelled."""
        await self._pull()
        if self._sandbox is None:
            while self._failure() == "crash":
                await self._crash()
            self._lines = f"{self.spec['image']} runs without a process: the lab runs only images it knows.\n".encode()
            self._set_running()
        else:
            await self._run_processes(self._sandbox)

    async def _pull(self) -> None:
        image = self.spec["image"]
        while image_is_missing(image) or self._failure() == "image":
            self._set_waiting("ErrImagePull", _pull_error(image), "Failed")
            await asyncio.sleep(CONFIG_RETRY_SECONDS)
            why = f'Back-off pulling image "{image}": ErrImagePull: {_pull_error(image)}'
            self._set_waiting("ImagePullBackOff", why, "BackOff")
            await asyncio.sleep(LONGEST_BACKOFF_SECONDS)

    async def _crash(self) -> None:
        self._set_running()
        await asyncio.sleep(CRASH_SECONDS)
        self._set_terminated(1)
        if not self.over:
            await self._back_off(min(2**self._restarts, LONGEST_BACKOFF_SECONDS))
        else:
            await asyncio.Event().wait()

    async def _run_processes(self, sandbox: Sandbox) -> None:
        backoff = 1
        while True:
            try:
                self._process = await sandbox.start(self._pod, self.spec, self.spec["name"])
            except NotStartable as error:
                self._set_waiting("CreateContainerConfigError", str(error), "Failed")
                await asyncio.sleep(CONFIG_RETRY_SECONDS)
                continue
            began = time.monotonic()
            self._set_running()
            code = await self._process.wait()
            self._set_terminated(code)
            if self.over:
                return
            backoff = 1 if time.monotonic() - began > SETTLED_SECONDS else backoff
            await self._back_off(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    async def _back_off(self, seconds: int) -> None:
        metadata = self._pod["metadata"]
        self._last_state = self.state
        whose = f"container={self.spec['name']} pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        self._set_waiting("CrashLoopBackOff", f"back-off {seconds}s restarting failed {whose}", "BackOff")
        await asyncio.sleep(seconds)
        self._restarts += 1

    async def stop(self, grace_seconds: float) -> None:
        """Tell it to stop, and then make it."""
        if self._process is not None and self.running:
            self._set_terminated(await self._process.stop(grace_seconds), restarted=False)
        elif self.running:
            self._set_terminated(0, restarted=False)

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.kill()

    def log(self) -> bytes:
        if self._sandbox is None or self._process is None:
            return self._lines
        file = self._sandbox.path(f"/var/log/{self.spec['name']}.log")
        return file.read_bytes() if file.exists() else b""

    def status(self) -> Object:
        image = self.spec["image"]
        digest = hashlib.sha256(image.encode()).hexdigest()
        started = bool(self._id)
        return {
            "name": self.spec["name"],
            "state": self.state,
            "lastState": self._last_state,
            "ready": self.running,
            "restartCount": self._restarts,
            "image": image,
            "imageID": f"{image.split('@')[0].rsplit(':', 1)[0]}@sha256:{digest}" if started else "",
            **({"containerID": self._id} if started else {}),
            "started": self.running,
        }

    def _set_running(self) -> None:
        self._id = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        self.state = {"running": {"startedAt": now()}}
        self._changed("Normal", "Started", f"Started container {self.spec['name']}")

    def _set_waiting(self, reason: str, message: str, event: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._changed("Warning", event, message)

    def _set_terminated(self, code: int, restarted: bool = True) -> None:
        started = self.state.get("running", {}).get("startedAt", now())
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "startedAt": started,
                "finishedAt": now(),
                "containerID": self._id,
            }
        }
        policy = self._pod["spec"].get("restartPolicy", "Always")
        self.over = not restarted or policy == "Never" or (policy == "OnFailure" and code == 0)
        self._changed("", "", "")


def image_is_missing(image: str) -> bool:
    return "/missing" in image or image.endswith(":missing")


def _pull_error(image: str) -> str:
    return f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
