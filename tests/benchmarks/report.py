# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as tables and a chart (Markdown and SVG), made from build/bench.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_WIDTH, _LEFT, _BAR, _ROW = 760, 250, 400, 30

_MEASURED, _LIMIT = "#0b6", "#999"

_WORDS = {
    "az and kubectl": "the recipe's script: `az` and `kubectl`",
    "uri and k8s in loops": "a playbook that loops over `uri` and `k8s`",
    "single modules in loops": "this collection's modules for one resource, in loops",
    "workload_identities": "`workload_identities` and `kubernetes_objects`",
}


def ways(figures: Mapping[str, Any]) -> str:
    rows = ["| way | N | seconds | each | for 100 |", "|---|---|---|---|---|"]
    for name, found in figures["ways"].items():
        measured = "measured" if found["count"] == 100 else "extrapolated"
        rows.append(
            f"| {_WORDS[name]} | {found['count']} | {found['seconds']:.1f} | {found['seconds_each']:.2f} "
            f"| {found['seconds_for_100']:.1f} ({measured}) |"
        )
    return "\n".join(rows)


def buckets(figures: Mapping[str, Any]) -> str:
    rows = (
        ("", "measured", "limit of the bucket", "ratio"),
        ("---", "---", "---", "---"),
        ("first run", *_against_limit(figures, "seconds_for_1000", "write_bucket")),
        (
            "second run, which has nothing to do: `workload_identities`",
            *_against_limit(figures, "seconds_for_1000_again_azure_alone", "read_bucket"),
        ),
        (
            "of which from its first request to Azure to the last",
            f"{figures['request_seconds_again']:.1f} s",
            f"{figures['read_bucket_seconds']:.0f} s",
            f"{figures['request_seconds_again'] / figures['read_bucket_seconds']:.2f}",
        ),
        (
            "second run with the ServiceAccounts in the cluster as well",
            f"{figures['seconds_for_1000_again']:.1f} s",
            f"{figures['read_bucket_seconds']:.0f} s",
            f"{figures['read_bucket_ratio_with_service_accounts']:.2f}",
        ),
        (
            "an `ansible-playbook` with two tasks that do nothing, for comparison",
            f"{figures['empty_playbook_s']:.1f} s",
            "",
            "",
        ),
        ("requests that were refused (429)", f"{figures['throttled_requests']}", "", ""),
        ("writes of the second run", f"{figures['noop_writes']}", "", ""),
        ("reads of the second run, for each identity", f"{figures['noop_reads_per_identity']:.2f}", "", ""),
        ("memory of the largest process", f"{figures['peak_memory_mib']:.0f} MiB", "", ""),
    )
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)


def _against_limit(figures: Mapping[str, Any], measured: str, bucket: str) -> tuple[str, str, str]:
    return f"{figures[measured]:.1f} s", f"{figures[f'{bucket}_seconds']:.0f} s", f"{figures[f'{bucket}_ratio']:.2f}"


def sentences(figures: Mapping[str, Any]) -> str:
    return (
        f"The bulk path is {figures['ratio_vs_az']:.0f} times as fast as the script and {figures['ratio_vs_loop']:.0f} times as fast as the "
        "loop, from the start of the process to its end, with an empty discovery cache of the Kubernetes client.\n\n"
        "| one call of `user_assigned_identity` that has nothing to do | seconds |\n|---|---|\n"
        f"| more than a call of `ansible.builtin.ping` | {figures['module_overhead_s']:.2f} |\n"
        f"| of which are the imports of the SDKs, `azure.identity` and `azure.mgmt.msi` | {figures['sdk_import_s']:.2f} |"
    )


def summary(figures: Mapping[str, Any]) -> str:
    names = [name for name, value in figures.items() if isinstance(value, int | float)]
    return "\n".join(f"{name:24} {figures[name]:10.2f}" for name in names)


def chart(figures: Mapping[str, Any]) -> str:
    """Seconds for 100 applications by each way; and for 1,000, beside what Azure's token buckets dictate."""
    hundred = [(name, found["seconds_for_100"], _MEASURED) for name, found in figures["ways"].items()]
    thousand = [
        ("first run", figures["seconds_for_1000"], _MEASURED),
        ("its writes, by the bucket alone", figures["write_bucket_seconds"], _LIMIT),
        ("second run, in Azure", figures["seconds_for_1000_again_azure_alone"], _MEASURED),
        ("its reads, by the bucket alone", figures["read_bucket_seconds"], _LIMIT),
    ]
    upper = _panel(30, "100 applications, without throttling: seconds, less is better", hundred)
    top = 30 + 20 + _ROW * len(hundred) + 30
    lower = _panel(top, "1,000 applications with workload_identities, within ARM's token buckets: seconds", thousand)
    height = top + 20 + _ROW * len(thousand) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/>{upper}{lower}</svg>\n'
    )


def _panel(top: int, title: str, bars: Iterable[tuple[str, float, str]]) -> str:
    rows = list(bars)
    longest = max(seconds for _name, seconds, _colour in rows)
    drawn = [f'<text x="10" y="{top}" font-weight="bold">{title}</text>']
    for number, (name, seconds, colour) in enumerate(rows):
        y = top + 14 + number * _ROW
        width = max(1.0, _BAR * seconds / longest)
        drawn.append(
            f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{name}</text>'
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="21" fill="{colour}"/>'
            f'<text x="{_LEFT + 6 + width:.1f}" y="{y + 15}">{seconds:.1f} s</text>'
        )
    return "".join(drawn)
