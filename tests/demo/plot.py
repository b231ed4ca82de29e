# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve of a rollout as a picture (SVG) and as a line of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 760, 360
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 44, 24, 44
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LINES = (("desired", "asked for", "#999"), ("ready", "ready", "#0b6"))

Curve = Sequence[Mapping[str, float]]


def svg(title: str, curve: Curve) -> str:
    """Pods asked for and pods ready over time."""
    seconds = max(1.0, max(point["seconds"] for point in curve))
    most = max(1.0, max(point[name] for point in curve for name, _label, _colour in _LINES))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + inner_width * value / seconds

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / most)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{title}</text>',
    ]
    for tick in _ticks(most):
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:,.0f}</text>')
    for tick in _ticks(seconds):
        parts.append(f'<text x="{x(tick):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{tick:.0f} s</text>')
    for number, (name, label, colour) in enumerate(_LINES):
        points = " ".join(f"{x(point['seconds']):.1f},{y(point[name]):.1f}" for point in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{_LEFT + 12}" y="{_TOP + 16 + 16 * number}" fill="{colour}">{label}</text>')
    return "".join([*parts, "</svg>\n"])


def sparkline(curve: Curve, width: int = 60) -> str:
    """Pods ready, evenly over time."""
    seconds = curve[-1]["seconds"] or 1.0
    most = max(point["ready"] for point in curve) or 1.0
    signs = []
    for column in range(width):
        moment = seconds * (column + 1) / width
        ready = [point["ready"] for point in curve if point["seconds"] <= moment + 1e-9]
        signs.append(_BLOCKS[round((ready[-1] if ready else 0) / most * (len(_BLOCKS) - 1))])
    return "".join(signs)


def _ticks(most: float) -> list[float]:
    step = next(
        step
        for magnitude in range(9)
        for step in (10.0**magnitude, 2 * 10.0**magnitude, 5 * 10.0**magnitude)
        if most / step <= 6
    )
    return [step * number for number in range(int(most // step) + 1)]


def figures(result: Mapping[str, Any]) -> str:
    """What came out, in a line for each."""
    names = {
        "asked_rate": "pods a minute asked for",
        "achieved_rate": "pods a minute achieved",
        "pods": "pods",
        "p50_ready_s": "s until half of the pods are ready",
        "p95_ready_s": "s until 95 of 100 are",
        "requests": "requests sent",
        "watches": "watches at a time",
        "listeners": "listeners on the API server held by pods",
        "peak_memory_mib": "MiB of memory",
    }
    return "\n".join(f"{result[name]:>10,} {label}" for name, label in names.items() if result.get(name) is not None)
