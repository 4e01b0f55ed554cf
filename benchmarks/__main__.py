"""Everything that is measured on every change: ``make bench``. ``BENCH=quick`` for a short run, or
the number of repetitions of a full one (5).

Writes ``artifacts/bench.json`` and, after a full run, the figures in ``docs/performance.md``. Ends
with 1 when a ratio is above its guard.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict

from benchmarks import micro, page
from benchmarks.ratios import Found, found
from benchmarks.rig import Rig
from benchmarks.scenarios import SCENARIOS, Measured, router_then_sender
from tests.support.broker import ARTIFACTS, ROOT

PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
Collected = dict[str, list[Measured]]


async def run(repetitions: int, size: float) -> Collected:
    """All scenarios in turn, several times over, so that what is compared are neighbours."""
    runs: Collected = {}
    async with Rig() as rig:
        for repetition in range(repetitions):
            for name, scenario in SCENARIOS.items():
                _note(runs, repetition, name, await scenario(rig, size))
            router, sender = await router_then_sender(rig, size)
            _note(runs, repetition, "router alone", router)
            _note(runs, repetition, "sender alone", sender)
    return runs


def _note(runs: Collected, repetition: int, name: str, measured: Measured) -> None:
    runs.setdefault(name, []).append(measured)
    print(
        f"{repetition + 1}  {name:38} {measured.cpu_us:7.1f} µs  {measured.rate:8,.0f}/s"
        f"  {measured.peak_mib:5.0f} MiB",
        flush=True,
    )


def as_json(runs: Collected, ratios: list[Found], steps: Mapping[str, float]) -> str:
    whole = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "processor": platform.machine(),
            "load": os.getloadavg(),
        },
        "runs": {name: [asdict(one) for one in measured] for name, measured in runs.items()},
        "ratios": [asdict(one) | {"broken": one.broken} for one in ratios],
        "steps": dict(steps),
    }
    return json.dumps(whole, indent=1)


def main() -> int:
    wanted = os.environ.get("BENCH") or "5"
    quick = wanted == "quick"
    steps = micro.measured()
    runs = asyncio.run(run(1, 0.3) if quick else run(int(wanted), 1.0))
    ratios = found(runs)
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "bench.json").write_text(as_json(runs, ratios, steps))
    figures = page.tables(runs, ratios, steps)
    print(figures)
    if not quick:
        PAGE.write_text(page.into(PAGE.read_text(), figures))
        PLOT.write_text(page.plot(runs))
    for one in ratios:
        if one.broken:
            print(f"{one.ratio.above}: {one.median:.2f} is above its guard {one.ratio.guard:.2f}")
    return int(any(one.broken for one in ratios))


if __name__ == "__main__":
    sys.exit(main())
