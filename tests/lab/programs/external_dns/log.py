# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as logrus writes them for machines."""

from __future__ import annotations

import json
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error", "fatal")
_least = "info"


class Fatal(Exception):
    """After which the process ends."""


def configure(level: str) -> None:
    global _least
    _least = level


def debug(message: str) -> None:
    _write("debug", message)


def info(message: str) -> None:
    _write("info", message)


def error(message: str) -> None:
    _write("error", message)


def fatal(message: str) -> None:
    _write("fatal", message)


def _write(level: str, message: str) -> None:
    if LEVELS.index(level) >= LEVELS.index(_least):
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(f'time="{moment}" level={level} msg={json.dumps(message)}', flush=True)
