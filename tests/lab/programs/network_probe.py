# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what its pod sees of the network, one JSON object a line: C(/etc/resolv.conf), its variables, and what the names of
C(PROBE_NAMES) (separated by commas) resolve to, until they do. Then it waits to be stopped.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import dns.exception
import dns.resolver

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab.programs import pod_environment

PAUSE_S = 1.0
PATIENCE_S = 5.0


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_ignored: sys.exit(0))
    configuration = pod_environment.file("/etc/resolv.conf").read_text(encoding="utf-8")
    _say(resolv_conf=configuration)
    _say(environment={name: value for name, value in os.environ.items() if not name.startswith("LAB_")})
    servers = [line.split()[1] for line in configuration.splitlines() if line.startswith("nameserver ")]
    waiting = [name for name in os.environ.get("PROBE_NAMES", "").split(",") if name]
    while waiting:
        waiting = [name for name in waiting if not _resolves(name, servers[0])]
        time.sleep(PAUSE_S)
    signal.pause()


def _resolves(name: str, server: str) -> bool:
    resolver = dns.resolver.Resolver(configure=False)
    try:
        host, resolver.port = pod_environment.resolver(server)
        resolver.nameservers = [host]
        found = resolver.resolve(f"{name}.", "A", lifetime=PATIENCE_S)
    except (dns.exception.DNSException, TimeoutError) as error:
        _say(name=name, server=server, error=type(error).__name__, message=str(error))
        return False
    _say(name=name, server=server, addresses=sorted(each.address for each in found))
    return True


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
