# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own certificate authority, and files that only their owner can read."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme

ADDRESS = "127.0.0.1"


class Authority:
    """Made anew at every start; its key never leaves memory."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="aks.virtual_nodes lab")

    @property
    def pem(self) -> str:
        return self._authority.cert_pem.bytes().decode()

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(ADDRESS, "localhost").configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context


def write_private(file: Path, text: str) -> None:
    """Write a file that is complete when it appears, and that only its owner can read."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(file)
