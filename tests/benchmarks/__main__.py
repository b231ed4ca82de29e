# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks: measures, writes build/bench.json, and says what came out."""

from __future__ import annotations

import json
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
# The fast way is over before chance has evened out.
FAST_RUNS = 3
OVERHEAD_CALLS = 10
_LOOPED = "uri and k8s in loops"


def ways() -> dict[str, Any]:
    """Without throttling: each way on a lab of its own, one after the other, after a first one that warms up the machine."""
    runs = (
        ("az and kubectl", contestants.by_az, SLOW, 1),
        (_LOOPED, contestants.by_uri, SLOW, 1),
        ("single modules in loops", contestants.by_single_modules, SLOW, 1),
        ("workload_identities", contestants.in_bulk, MANY, FAST_RUNS),
    )
    figures: dict[str, Any] = {}
    for name, run, count, times in runs:
        _once(run, 1)
        measured = sorted((_once(run, count) for _number in range(times)), key=lambda each: each.seconds)[times // 2]
        each = measured.seconds / count
        # What grows with N is taken to grow evenly; the slow ways have no start-up worth the name.
        figures[name] = {**asdict(measured), "count": count, "seconds_each": each, "seconds_for_100": each * MANY}
        say(f"{name}: {count} in {measured.seconds:.1f} s")
    return figures


def _once(run: Callable[[Stage, int], Measured], count: int) -> Measured:
    with stage(throttling=False) as place:
        return run(place, count)


def within_the_buckets() -> dict[str, float]:
    """A thousand, twice, against ARM's buckets."""
    with stage() as place:
        first = contestants.in_bulk(place, MOST)
        say(f"first run of {MOST}: {first.seconds:.1f} s")
        # The buckets fill up again, as they have by the next night.
        second = _again(place)
    write_limit = (first.writes - WRITES.size) / WRITES.refill
    read_limit = max(0.0, (second.reads - READS.size) / READS.refill)
    return {
        "write_bucket_seconds": write_limit,
        "write_bucket_ratio": first.seconds / write_limit,
        "read_bucket_seconds": read_limit,
        "read_bucket_ratio": second.seconds / read_limit,
        "noop_writes": second.writes,
        "noop_reads_per_identity": second.reads / MOST,
        "throttled_requests": first.throttled + second.throttled,
        "peak_memory_mib": max(first.peak_memory_mib, second.peak_memory_mib),
        "seconds_for_1000": first.seconds,
        "seconds_for_1000_again": second.seconds,
    }


def _again(place: Stage) -> Measured:
    time.sleep(READS.size / READS.refill)
    return contestants.in_bulk(place, MOST)


def overhead() -> dict[str, float]:
    """What a call of a module that has nothing to do costs beyond an empty one."""
    with stage(latency_seconds=0.0, throttling=False) as place:
        group = place.lab.environment["LAB_RESOURCE_GROUP"]
        ours = {"aks.virtual_nodes.user_assigned_identity": {"name": "id-1", "resource_group": group}}
        contestants.play(place, [ours])
        calls = {"loop": list(range(OVERHEAD_CALLS))}
        with_ours = contestants.play(place, [{**ours, **calls}])
        with_nothing = contestants.play(place, [{"ansible.builtin.ping": {}, **calls}])
    return {"module_overhead_s": (with_ours.seconds - with_nothing.seconds) / OVERHEAD_CALLS}


def main() -> int:
    say("On the lab, a simulator, with 50 ms a request. Ratios within one run count, not seconds.")
    found = ways()
    bulk = found["workload_identities"]["seconds_for_100"]
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
