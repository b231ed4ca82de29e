# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks: measures, writes build/bench.json, and says what came out."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks import contestants, report
from benchmarks.stage import Measured, Stage, stage
from harness.laboratory import REPOSITORY
from lab.arm.throttling import READS, WRITES

SLOW, MANY, MOST = 20, 100, 1000
OVERHEAD_CALLS, OVERHEAD_ROUNDS = 5, 5
_LOOPED, _BULK = "uri and k8s in loops", "workload_identities"


def ways() -> dict[str, Any]:
    """Without throttling: each way on a lab of its own, after a first one that warms up the machine.

    The fast way is over before chance has evened out, so it is run after each of the slow ones, and the median counts.
    """
    slow = {
        "az and kubectl": contestants.by_az,
        _LOOPED: contestants.by_uri,
        "single modules in loops": contestants.by_single_modules,
    }
    figures: dict[str, Any] = {}
    fast: list[Measured] = []
    _once(contestants.in_bulk, 1)
    for name, run in slow.items():
        _once(run, 1)
        figures[name] = _figures(name, _once(run, SLOW), SLOW)
        fast.append(_once(contestants.in_bulk, MANY))
    median = sorted(fast, key=lambda each: each.seconds)[len(fast) // 2]
    figures[_BULK] = _figures(_BULK, median, MANY)
    return figures


def _figures(name: str, measured: Measured, count: int) -> dict[str, Any]:
    each = measured.seconds / count
    say(f"{name}: {count} in {measured.seconds:.1f} s")
    # What grows with N is taken to grow evenly; the slow ways have no start-up worth the name.
    return {**asdict(measured), "count": count, "seconds_each": each, "seconds_for_100": each * MANY}


def _once(run: Callable[[Stage, int], Measured], count: int) -> Measured:
    with stage(throttling=False) as place:
        return run(place, count)


def within_the_buckets() -> dict[str, float]:
    """A thousand against ARM's buckets: made, found as wished, and found so by the Azure task alone."""
    with stage() as place:
        first = contestants.in_bulk(place, MOST)
        say(f"first run of {MOST}: {first.seconds:.1f} s")
        second = _again(place, contestants.in_bulk)
        say(f"second run of {MOST}: {second.seconds:.1f} s")
        azure = _again(place, contestants.in_azure_alone)
        say(f"second run of {MOST}, the Azure task alone: {azure.seconds:.1f} s")
    write_limit = (first.writes - WRITES.size) / WRITES.refill
    read_limit = max(0.0, (azure.reads - READS.size) / READS.refill)
    return {
        "write_bucket_seconds": write_limit,
        "write_bucket_ratio": first.seconds / write_limit,
        "read_bucket_seconds": read_limit,
        "read_bucket_ratio": azure.seconds / read_limit,
        "read_bucket_ratio_with_service_accounts": second.seconds / read_limit,
        "noop_writes": second.writes + azure.writes,
        "noop_reads_per_identity": max(second.reads, azure.reads) / MOST,
        "throttled_requests": first.throttled + second.throttled + azure.throttled,
        "peak_memory_mib": max(each.peak_memory_mib for each in (first, second, azure)),
        "seconds_for_1000": first.seconds,
        "seconds_for_1000_again": second.seconds,
        "seconds_for_1000_again_azure_alone": azure.seconds,
        "request_seconds_again": azure.azure_seconds,
    }


def _again(place: Stage, run: Callable[[Stage, int], Measured]) -> Measured:
    # The buckets fill up again, as they have by the next night.
    time.sleep(READS.size / READS.refill)
    return run(place, MOST)


def overhead() -> dict[str, float]:
    """What a call of a module that has nothing to do costs beyond an empty one: the median of rounds that take turns."""
    with stage(latency_seconds=0.0, throttling=False) as place:
        group = place.lab.environment["LAB_RESOURCE_GROUP"]
        ours = {"aks.virtual_nodes.user_assigned_identity": {"name": "id-1", "resource_group": group}}
        nothing: dict[str, Any] = {"ansible.builtin.ping": {}}
        contestants.play(place, [ours])
        calls = {"loop": list(range(OVERHEAD_CALLS))}
        rounds = [
            contestants.play(place, [{**ours, **calls}]).seconds
            - contestants.play(place, [{**nothing, **calls}]).seconds
            for _number in range(OVERHEAD_ROUNDS)
        ]
        empty = [contestants.play(place, [nothing, nothing]).seconds for _number in range(OVERHEAD_ROUNDS)]
    return {
        "module_overhead_s": statistics.median(rounds) / OVERHEAD_CALLS,
        "sdk_import_s": statistics.median(_import_seconds() for _number in range(OVERHEAD_CALLS * OVERHEAD_ROUNDS)),
        "empty_playbook_s": statistics.median(empty),
    }


def _import_seconds() -> float:
    """In a process of its own; all else of Python's start is an empty module's as well."""
    program = "import time; begun = time.perf_counter(); import azure.identity, azure.mgmt.msi; print(time.perf_counter() - begun)"
    return float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


def main() -> int:
    say("On the lab, a simulator, with 50 ms a request. Ratios within one run count, not seconds.")
    found = ways()
    bulk = found[_BULK]["seconds_for_100"]
    figures: dict[str, Any] = {
        "ratio_vs_az": found["az and kubectl"]["seconds_for_100"] / bulk,
        "ratio_vs_loop": found[_LOOPED]["seconds_for_100"] / bulk,
        **overhead(),
        **within_the_buckets(),
        "ways": found,
    }
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    say(f"\n{report.ways(figures)}\n\n{report.buckets(figures)}\n\n{report.summary(figures)}")
    say("\nmake bench-publish puts these figures into docs/performance.md.")
    return 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
