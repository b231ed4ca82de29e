# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m lab run|start|stop|state|requests: the lab in a directory of its own."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15


def run(directory: Path, scenario: Path | None) -> int:
    """Serve until SIGTERM, in the foreground."""
    # Only here, for they take half a second: stop and state go without.
    from lab.scenario import load
    from lab.server import Lab

    with _locked(directory):
        asyncio.run(Lab(load(scenario), directory).run())
    return 0


def start(directory: Path, scenario: Path | None) -> int:
    """Serve in the background; back once it answers."""
    if _is_running(directory):
        print(f"The lab in {directory} is running already.")
        return 0
    (directory / "lab.json").unlink(missing_ok=True)
    arguments = ["--scenario", str(scenario)] if scenario else []
    argv = [sys.executable, "-m", "lab", "run", "--directory", str(directory), *arguments]
    log_file = directory / "lab.log"
    with os.fdopen(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (directory / "lab.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            print(f"The lab did not start:\n{log_file.read_text(encoding='utf-8', errors='replace')}", file=sys.stderr)
            return 1
        time.sleep(0.02)
    print(f"The lab answers; this is a simulator. Its files are in {directory}.")
    return 0


def stop(directory: Path) -> int:
    """End the lab in the background, if there is one."""
    if not _is_running(directory):
        print(f"No lab is running in {directory}.")
        return 0
    pid = json.loads((directory / "lab.json").read_text(encoding="utf-8"))["pid"]
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_running(directory):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            print(f"The lab did not end by itself in {STOP_TIMEOUT_S} s and was killed.", file=sys.stderr)
            return 1
        time.sleep(0.02)
    return 0


def show(directory: Path, what: str) -> int:
    """Print the state or the request log as JSON."""
    if not _is_running(directory):
        print(f"No lab is running in {directory}.", file=sys.stderr)
        return 1
    print(json.dumps(_ask(directory, what), indent=2))
    return 0


def _ask(directory: Path, what: str) -> Any:
    import ssl

    url = json.loads((directory / "lab.json").read_text(encoding="utf-8"))["urls"]["control"]
    handlers = [
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(directory / "ca.pem"))),
    ]
    with urllib.request.build_opener(*handlers).open(f"{url}/{what}", timeout=30) as answer:
        return json.load(answer)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Held while the lab runs: a process id alone may be somebody else's by now."""
    with (directory / "lab.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"A lab is running in {directory} already.") from None
        yield


def _is_running(directory: Path) -> bool:
    if not (directory / "lab.lock").exists():
        return False
    with (directory / "lab.lock").open(encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab", description="A simulator of Azure and AKS on this machine.")
    parser.add_argument("command", choices=("run", "start", "stop", "state", "requests"))
    parser.add_argument("--directory", type=Path, required=True, help="for the lab's files; made if it is not there")
    parser.add_argument("--scenario", type=Path, help="JSON file with fields of lab/scenario.py")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    if arguments.command == "run":
        return run(directory, arguments.scenario)
    if arguments.command == "start":
        return start(directory, arguments.scenario)
    if arguments.command == "stop":
        return stop(directory)
    return show(directory, arguments.command)


if __name__ == "__main__":
    sys.exit(main())
