# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of modules that run long: shows the lines that the module writes while it runs."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ..module_utils.progress import FILE_VARIABLE

_LOOK_S = 0.2


class ProgressAction(ActionBase):  # type: ignore[misc]
    """Runs the module of the same name. Its lines go to standard error, so that what a callback writes to standard output stays whole."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        with self._progress_shown(str((task_vars or {}).get("inventory_hostname", "localhost")), in_background):
            outcome = self._execute_module(task_vars=task_vars, wrap_async=in_background)
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        merged: dict[str, Any] = merge_hash(result, outcome)
        return merged

    @contextmanager
    def _progress_shown(self, host: str, in_background: bool) -> Iterator[None]:
        # The file of a module on another host is out of reach, and nobody waits for one in the background.
        if in_background or self._task.no_log or self._connection.transport != "local":
            yield
            return
        with tempfile.NamedTemporaryFile(
            mode="r", encoding="utf-8", dir=constants.DEFAULT_LOCAL_TMP, prefix="progress-"
        ) as file:
            ended = threading.Event()
            heading = f"{host} | {self._task.action.rpartition('.')[2]} | "
            viewer = threading.Thread(target=_show, args=(file, heading, ended), daemon=True)
            viewer.start()
            before = self._task.environment
            self._task.environment = [*(before or []), {FILE_VARIABLE: file.name}]
            try:
                yield
            finally:
                self._task.environment = before
                ended.set()
                viewer.join()


def _show(file: IO[str], heading: str, ended: threading.Event) -> None:
    display = Display()
    unfinished = ""
    last_look = False
    while not last_look:
        last_look = ended.wait(_LOOK_S)
        unfinished += file.read()
        *lines, unfinished = unfinished.split("\n")
        for line in lines:
            display.display(heading + line, stderr=True)
