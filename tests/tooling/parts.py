# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run parts of the test, some at a time, and end with a table of them.

    python -m tooling.parts [--jobs N] [--logs DIRECTORY] TARGET...

Each part is a target of the Makefile. What it prints goes to a log of its own and is shown when the part fails.
Parts are started in the order given.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    part: str
    status: int
    seconds: float
    log: Path

    @property
    def verdict(self) -> str:
        return "ok" if self.status == 0 else "FAILED"


def run_part(part: str, logs: Path) -> Result:
    log = logs / f"{part}.log"
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        command = [os.environ.get("MAKE", "make"), "--no-print-directory", part]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    return Result(part, done.returncode, time.monotonic() - started, log)


def run_parts(parts: Sequence[str], jobs: int, logs: Path) -> list[Result]:
    """All parts, those that fail included: one run shows everything there is to mend."""
    results: dict[str, Result] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for future in as_completed([pool.submit(run_part, part, logs) for part in parts]):
            result = future.result()
            results[result.part] = result
            if result.status:
                print(f"\n----- {result.part} -----\n{result.log.read_text(encoding='utf-8', errors='replace')}")
            print(f"{result.verdict:7}{result.part} ({result.seconds:.0f} s)", flush=True)
    return [results[part] for part in parts]


def table(results: Sequence[Result], seconds: float) -> str:
    width = max(len("part"), *(len(result.part) for result in results))
    lines = [f"{'part':{width}}  seconds  result"]
    lines += [f"{result.part:{width}}  {result.seconds:7.0f}  {result.verdict}" for result in results]
    lines += [f"{'all':{width}}  {seconds:7.0f}  {'FAILED' if any(result.status for result in results) else 'ok'}"]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="how many parts at a time")
    parser.add_argument("--logs", type=Path, default=Path("build/test"), help="directory of the parts' logs")
    parser.add_argument("parts", nargs="+", metavar="TARGET")
    arguments = parser.parse_args()
    arguments.logs.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    results = run_parts(arguments.parts, arguments.jobs, arguments.logs)
    print(f"\n{table(results, time.monotonic() - started)}\nLogs: {arguments.logs}/<part>.log")
    return int(any(result.status for result in results))


if __name__ == "__main__":
    sys.exit(main())
