# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process in its own process group, with a bounded log."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

LOG_BYTES = 1_048_576
CHUNK = 65_536
# How long the rest of the output may take once the process is over.
DRAIN_SECONDS = 1.0


class Process:
    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._copying = asyncio.create_task(self._copy(log))

    @classmethod
    async def start(cls, command: list[str], directory: Path, environment: dict[str, str], log: Path) -> Process:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.write_bytes(b"")
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process, log)

    async def wait(self) -> int:
        """The exit code, as a shell has it; nothing that the process started is left."""
        code = await self._process.wait()
        self._signal_group(signal.SIGKILL)
        await asyncio.wait([self._copying], timeout=DRAIN_SECONDS)
        self._copying.cancel()
        return 128 - code if code < 0 else code

    async def stop(self, grace_seconds: float) -> int:
        self._signal_group(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self._signal_group(signal.SIGKILL)
            return await self.wait()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._signal_group(signal.SIGKILL)
            await self._process.wait()
        self._copying.cancel()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    async def _copy(self, log: Path) -> None:
        output = self._process.stdout
        assert output is not None, "start() asks for a pipe"
        size = 0
        while chunk := await output.read(CHUNK):
            if size + len(chunk) > LOG_BYTES:
                kept = log.read_bytes()[-LOG_BYTES // 2 :]
                log.write_bytes(kept)
                size = len(kept)
            with log.open("ab") as file:
                file.write(chunk)
            size += len(chunk)
