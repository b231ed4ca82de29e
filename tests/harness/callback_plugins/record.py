# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task outcome of a run as a JSON line, for the tests and the demo to look at."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record
type: notification
short_description: Writes task outcomes as JSON lines
description:
  - Used by the tests and the demo of this collection.
  - Writes to the file that the environment variable E(HARNESS_RECORD) names.
requirements: []
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._path = os.environ["HARNESS_RECORD"]
        self._play = ""
        self._started = time.monotonic()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play.get_name()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._started = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, "skipped")

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._write(result, "item")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._write(result, "item")

    def _write(self, result: Any, status: str) -> None:
        task = result._task
        # What the run's own output shows, no more: censored when the task is no_log.
        shown = json.loads(self._dump_results(result._result, indent=None))
        if "diff" in result._result and "censored" not in shown:
            # Which the dump leaves out, because --diff shows it in a form of its own.
            shown["diff"] = result._result["diff"]
        line = {
            "play": self._play,
            "task": task.get_name(),
            "action": task.resolved_action or task.action,
            "status": status,
            "seconds": round(time.monotonic() - self._started, 2),
            "result": shown,
        }
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
