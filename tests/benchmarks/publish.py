# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.publish: docs/performance.md, its chart and docs/performance.json, from build/bench.json.

With --check, nothing is written: it fails if the page does not show what docs/performance.json says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import report
from harness.laboratory import REPOSITORY

_DOCS = REPOSITORY / "docs"
_FIGURES, _PAGE, _CHART = _DOCS / "performance.json", _DOCS / "performance.md", _DOCS / "images" / "performance.svg"


def filled(page: str, figures: Mapping[str, Any]) -> str:
    """The page with what stands between C(<!-- name -->) and C(<!-- /name -->) made anew."""
    parts = {"ways": report.ways(figures), "buckets": report.buckets(figures), "sentences": report.sentences(figures)}
    for name, text in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found_begin, rest = page.partition(begin)
        _old, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise SystemExit(f"{_PAGE}: it needs {begin.rstrip()} and {end}.")
        page = f"{before}{begin}\n{text}\n\n{end}{after}"
    return page


def wanted(figures: Mapping[str, Any]) -> dict[Path, str]:
    page = filled(_PAGE.read_text(encoding="utf-8"), figures)
    return {_PAGE: page, _CHART: report.chart(figures), _FIGURES: json.dumps(figures, indent=2) + "\n"}


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        files = wanted(json.loads(_FIGURES.read_text(encoding="utf-8")))
        stale = [
            str(path.relative_to(REPOSITORY))
            for path, text in files.items()
            if path.read_text(encoding="utf-8") != text
        ]
        if stale:
            print(f"Not what docs/performance.json says: {', '.join(stale)}. Run make bench-publish.", file=sys.stderr)
        return 1 if stale else 0
    for path, text in wanted(json.loads((REPOSITORY / "build" / "bench.json").read_text(encoding="utf-8"))).items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
