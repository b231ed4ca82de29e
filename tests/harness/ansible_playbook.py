# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real ansible-playbook with this collection, and tells what each task did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from harness.laboratory import REPOSITORY

COLLECTION = "aks.virtual_nodes"
_CALLBACKS = Path(__file__).resolve().parent / "callback_plugins"


@dataclass(frozen=True)
class TaskOutcome:
    play: str
    task: str
    action: str
    status: str  # ok, changed, failed, ignored, skipped, or item (one round of a loop)
    seconds: float
    result: dict[str, Any]

    @property
    def title(self) -> str:
        """The task's name without the role's."""
        return self.task.rpartition(" : ")[2]

    @property
    def is_ours(self) -> bool:
        return self.action.startswith(f"{COLLECTION}.")


@dataclass(frozen=True)
class PlaybookRun:
    returncode: int
    output: str
    seconds: float
    tasks: tuple[TaskOutcome, ...]

    @property
    def changed(self) -> tuple[TaskOutcome, ...]:
        return tuple(task for task in self.tasks if task.status == "changed")

    @property
    def failures(self) -> tuple[TaskOutcome, ...]:
        return tuple(task for task in self.tasks if task.status == "failed")

    @property
    def module_invocations(self) -> tuple[TaskOutcome, ...]:
        """The tasks that ran one of our modules: what a run costs."""
        return tuple(task for task in self.tasks if task.is_ours and task.status != "skipped")

    @property
    def recap(self) -> str:
        """Ansible's own last line."""
        return self.output.rstrip().rpartition("\n")[2]

    def result_of(self, module: str) -> dict[str, Any]:
        """What the last task with this module of the collection returned."""
        results = [task.result for task in self.tasks if task.action == f"{COLLECTION}.{module}"]
        if not results:
            raise LookupError(f"no task ran {module}:\n{self.output}")
        return results[-1]


def _whole_line(file: IO[str]) -> str:
    """The next line; nothing while it, or the rest of it, is still to be written."""
    position = file.tell()
    line = file.readline()
    if line.endswith("\n"):
        return line
    file.seek(position)
    return ""


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


@dataclass(frozen=True)
class AnsiblePlaybook:
    """ansible-playbook with a home, temporary files and a collections path of its own."""

    directory: Path
    environment: Mapping[str, str]
    on_task: Callable[[TaskOutcome], None] = field(default=lambda _outcome: None)
    on_line: Callable[[str], None] = field(default=lambda _line: None)

    def run(
        self,
        playbook: str | Path,
        extra_vars: Mapping[str, Any] | None = None,
        *,
        vars_files: Sequence[Path] = (),
        arguments: Sequence[str] = (),
        environment: Mapping[str, str | None] | None = None,
    ) -> PlaybookRun:
        """Run a playbook. In `environment`, None takes a variable away."""
        with tempfile.TemporaryDirectory(dir=self._made("runs")) as run_directory:
            record = Path(run_directory) / "tasks.jsonl"
            record.touch(mode=0o600)
            argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook)]
            for file in vars_files:
                argv += ["--extra-vars", f"@{file}"]
            argv += ["--extra-vars", json.dumps(dict(extra_vars or {})), *arguments]
            child_environment = self._environment(record)
            for name, value in (environment or {}).items():
                if value is None:
                    child_environment.pop(name, None)
                else:
                    child_environment[name] = value
            return self._watch(argv, child_environment, record)

    def run_and_kill(self, playbook: str | Path, *, after_seconds: float) -> None:
        """Run a playbook, and end it and all that it has started by SIGKILL after a while."""
        end = time.monotonic() + after_seconds
        self.run_and_kill_when(playbook, lambda: time.monotonic() >= end)

    def run_and_kill_when(self, playbook: str | Path, moment: Callable[[], bool]) -> None:
        """The same, as soon as it is time; a playbook that has ended by itself before is left alone."""
        with tempfile.TemporaryDirectory(dir=self._made("runs")) as run_directory:
            record = Path(run_directory) / "tasks.jsonl"
            record.touch(mode=0o600)
            argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook)]
            with subprocess.Popen(
                argv,
                env=self._environment(record),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as process:
                while process.poll() is None and not moment():
                    time.sleep(0.01)
                if process.poll() is None:
                    # Ansible's workers have sessions of their own.
                    for child in [*_descendants(process.pid), process.pid]:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(child, signal.SIGKILL)

    def _watch(self, argv: Sequence[str], environment: Mapping[str, str], record: Path) -> PlaybookRun:
        started = time.monotonic()
        outcomes: list[TaskOutcome] = []
        with tempfile.TemporaryDirectory(dir=self._made("runs")) as directory, record.open(encoding="utf-8") as lines:
            file = Path(directory) / "output"
            with (
                file.open("wb") as output,
                file.open(encoding="utf-8", errors="replace") as shown,
                subprocess.Popen(
                    argv,
                    env=environment,
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                ) as process,
            ):
                while process.poll() is None:
                    self._take(lines, outcomes)
                    self._show(shown)
                    time.sleep(0.1)
                self._take(lines, outcomes)
                self._show(shown)
            text = file.read_text(encoding="utf-8", errors="replace")
        return PlaybookRun(process.returncode, text, time.monotonic() - started, tuple(outcomes))

    def _show(self, output: IO[str]) -> None:
        while line := _whole_line(output):
            self.on_line(line.rstrip("\n"))

    def _take(self, lines: IO[str], outcomes: list[TaskOutcome]) -> None:
        while line := _whole_line(lines):
            outcome = TaskOutcome(**json.loads(line))
            outcomes.append(outcome)
            self.on_task(outcome)

    def environment_alone(self) -> dict[str, str]:
        """The environment to start ansible-playbook with, by somebody who wants no record of the tasks."""
        return dict(self.environment) | {
            "ANSIBLE_CONFIG": str(self._empty_configuration()),
            "ANSIBLE_HOME": str(self._made("home")),
            "ANSIBLE_LOCAL_TEMP": str(self._made("temporary")),
            "ANSIBLE_REMOTE_TEMP": str(self._made("temporary")),
            "ANSIBLE_COLLECTIONS_PATH": str(self._collections()),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "ANSIBLE_NOCOLOR": "true",
            "TMPDIR": str(self._made("temporary")),
        }

    def _environment(self, record: Path) -> dict[str, str]:
        return self.environment_alone() | {
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "HARNESS_RECORD": str(record),
        }

    def _collections(self) -> Path:
        """A collections path that holds this very checkout, under the name that Ansible wants."""
        namespace = self._made("collections") / "ansible_collections" / "aks"
        namespace.mkdir(parents=True, exist_ok=True)
        link = namespace / "virtual_nodes"
        if not link.is_symlink():
            link.symlink_to(REPOSITORY, target_is_directory=True)
        return self.directory / "collections"

    def _empty_configuration(self) -> Path:
        """So that no ansible.cfg of the caller's takes part."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / "ansible.cfg"
        path.touch()
        return path

    def _made(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path
