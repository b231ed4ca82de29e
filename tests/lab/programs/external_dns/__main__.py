# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run for its image: reads the settings, then reconciles until it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from lab.programs.external_dns import log
from lab.programs.external_dns.controller import Controller
from lab.programs.external_dns.private_zones import PrivateZones
from lab.programs.external_dns.services import Services
from lab.programs.external_dns.settings import read_settings


def main() -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_ignored: stop.set())
    try:
        settings = read_settings(sys.argv[1:])
        log.configure(settings.log_level)
        log.info(f"config: {settings}")
        services = Services(settings)
        zones = PrivateZones(settings)
        Controller(settings, services, zones).run(stop)
    except log.Fatal as error:
        log.fatal(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
