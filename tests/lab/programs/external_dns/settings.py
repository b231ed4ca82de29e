# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line. Flags that are not known here are refused, as those are that external-dns does not know."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from lab.programs.external_dns import log

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


@dataclass(frozen=True)
class Settings:
    provider: str
    sources: tuple[str, ...]
    domain_filter: tuple[str, ...]
    service_type_filter: tuple[str, ...]
    target_net_filter: tuple[str, ...]
    exclude_target_net: tuple[str, ...]
    namespace: str
    azure_config_file: str
    azure_resource_group: str
    azure_subscription_id: str
    policy: str
    registry: str
    txt_owner_id: str
    txt_prefix: str
    interval: float
    min_event_sync_interval: float
    events: bool
    once: bool
    dry_run: bool
    log_level: str


def duration(text: str) -> float:
    """Seconds of C(1m30s).

    :raises ValueError: for what is no duration.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise log.Fatal(f"flag parsing error: {message}")


def read_settings(arguments: list[str]) -> Settings:
    parser = _Parser(prog="external-dns", add_help=False, allow_abbrev=False)
    parser.add_argument("--provider", required=True, choices=("azure-private-dns",))
    parser.add_argument("--source", action="append", required=True, choices=("service",), dest="sources")
    for name in ("--domain-filter", "--service-type-filter", "--target-net-filter", "--exclude-target-net"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("--namespace", default="")
    parser.add_argument("--azure-config-file", default="/etc/kubernetes/azure.json")
    parser.add_argument("--azure-resource-group", default="")
    parser.add_argument("--azure-subscription-id", default="")
    parser.add_argument("--policy", default="sync", choices=("sync", "upsert-only", "create-only"))
    parser.add_argument("--registry", default="txt", choices=("txt", "noop"))
    parser.add_argument("--txt-owner-id", default="default")
    parser.add_argument("--txt-prefix", default="")
    parser.add_argument("--interval", type=duration, default=60.0)
    parser.add_argument("--min-event-sync-interval", type=duration, default=5.0)
    for name in ("--events", "--once", "--dry-run"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--log-level", default="info", choices=log.LEVELS)
    parser.add_argument("--log-format", default="text", choices=("text",))
    parser.add_argument("--metrics-address", default=":7979")
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Settings(**{name: value for name, value in given.items() if name not in ("log_format", "metrics_address")})
