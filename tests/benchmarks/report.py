# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a table and a chart (Markdown and SVG), made from build/bench.json alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WIDTH, _BAR, _ROW = 720, 420, 34


def table(figures: Mapping[str, Any]) -> str:
    rows = ["| way | N | seconds | each | for 100 |", "|---|---|---|---|---|"]
    for name, found in figures["ways"].items():
        measured = "measured" if found["count"] == 100 else "extrapolated"
        rows.append(
            f"| {name} | {found['count']} | {found['seconds']:.1f} | {found['seconds_each']:.2f} "
            f"| {found['seconds_for_100']:.1f} ({measured}) |"
        )
    return "\n".join(rows)


def summary(figures: Mapping[str, Any]) -> str:
    names = [name for name, value in figures.items() if isinstance(value, int | float)]
    return "\n".join(f"{name:24} {figures[name]:10.2f}" for name in names)


def chart(figures: Mapping[str, Any]) -> str:
    """Seconds for 100 applications, as bars."""
    ways = figures["ways"]
    longest = max(found["seconds_for_100"] for found in ways.values())
    bars = []
    for number, (name, found) in enumerate(ways.items()):
        top = 40 + number * _ROW
        width = max(1.0, _BAR * found["seconds_for_100"] / longest)
        bars.append(
            f'<text x="200" y="{top + 17}" text-anchor="end">{name}</text>'
            f'<rect x="210" y="{top}" width="{width:.1f}" height="24" fill="#0b6"/>'
            f'<text x="{215 + width:.1f}" y="{top + 17}">{found["seconds_for_100"]:.1f} s</text>'
        )
    height = 60 + _ROW * len(ways)
    title = "100 applications on the lab at 50 ms a request: seconds, less is better"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/><text x="10" y="22" font-weight="bold">{title}</text>'
        f"{''.join(bars)}</svg>\n"
    )
