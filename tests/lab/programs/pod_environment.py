# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod around a process: its files, and where the lab's network leads an address.

A process has no network of its own. C(LAB_CLUSTER_IPS) says what kube-proxy would make of a cluster IP, where there is one;
C(LAB_RESOLVERS), who stands for the resolver of the virtual network; C(LAB_RESOURCE_MANAGER), where the name of the public cloud leads.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def file(path: str) -> Path:
    """Where a file of the container is."""
    return Path.cwd() / path.lstrip("/")


def cluster_ip(address: str) -> str:
    """Where a cluster IP and port lead.

    :raises TimeoutError: without kube-proxy, nowhere.
    """
    found: dict[str, str] = json.loads(os.environ.get("LAB_CLUSTER_IPS", "{}"))
    if address not in found:
        raise TimeoutError(f"dial tcp {address}: i/o timeout")
    return found[address]


def resolver(nameserver: str) -> tuple[str, int]:
    """The resolver that answers at an address of C(/etc/resolv.conf).

    :raises TimeoutError: for one that cannot be reached.
    """
    found: dict[str, str] = {
        **json.loads(os.environ.get("LAB_RESOLVERS", "{}")),
        **json.loads(os.environ.get("LAB_CLUSTER_IPS", "{}")),
    }
    host, _colon, port = found.get(nameserver, "").rpartition(":")
    if not host:
        raise TimeoutError(f"read udp {nameserver}:53: i/o timeout")
    return host, int(port)


def resource_manager() -> str:
    return os.environ["LAB_RESOURCE_MANAGER"]
