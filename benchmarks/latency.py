"""Latency and CPU at low load: from the append of an event to the vendor, and of doing nothing.

python -m benchmarks.latency                      all of it, about 4 minutes
python -m benchmarks.latency latency 10 20        10 accounts, 20 events a second
python -m benchmarks.latency idle 300             CPU with 300 accounts and no events
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping

from benchmarks.events import stream
from benchmarks.process import used
from benchmarks.rig import Rig, Settings, accounts
from benchmarks.scenarios import quantile
from tests.support.broker import ARTIFACTS

SECONDS = 30.0
SETTLED = 15.0
"""Seconds after the start of a worker in which it still opens lanes."""


def at_once(number: int) -> dict[str, Settings]:
    """Accounts of one advertiser each, that wait for nothing."""
    made = accounts(["tiktok"] * number, batch={"linger": "0s"})
    for index, account in enumerate(made.values()):
        account["advertisers"] = [f"shop{index:02d}"]
    return made


async def latency(rig: Rig, number: int, rate: float) -> Mapping[str, float]:
    """Milliseconds from append to vendor of single events, each for one of ``number`` accounts."""
    name = rig.new_name("timed")
    settings = await rig.deployment(name, at_once(number))
    worker = await rig.worker(settings)
    try:
        await _publish(rig, name, number, rate, 3.0)  # budgets start empty, lanes have to open
        await asyncio.sleep(SETTLED)
        await rig.sink.ages(name)
        before = used(worker.process.pid).cpu
        sent = await _publish(rig, name, number, rate, SECONDS)
        cpu = used(worker.process.pid).cpu - before
        await asyncio.sleep(1.0)
        ages = await rig.sink.ages(name)
        assert len(ages) == sent, f"{len(ages)} of {sent} events came"
    finally:
        worker.close()
    return {
        "accounts": number,
        "events_per_second": rate,
        "p50_ms": round(quantile(ages, 0.5) or 0.0, 1),
        "p99_ms": round(quantile(ages, 0.99) or 0.0, 1),
        "cpu_percent": round(cpu / SECONDS * 100, 2),
    }


async def _publish(rig: Rig, name: str, number: int, rate: float, seconds: float) -> int:
    """One event at a time, evenly; how many."""
    start, end = time.monotonic(), time.monotonic() + seconds
    sent = 0
    while time.monotonic() < end:
        (record,) = stream(1, number, sent)
        await rig.publish(f"{name}-events", [record], sent)
        sent += 1
        await asyncio.sleep(max(0.0, start + sent / rate - time.monotonic()))
    return sent


async def idle(rig: Rig, number: int) -> Mapping[str, float]:
    """Percent of a core that a worker with ``number`` accounts takes with nothing to do."""
    settings = await rig.deployment(rig.new_name("idle"), at_once(number))
    worker = await rig.worker(settings)
    try:
        await asyncio.sleep(SETTLED + number / 20)
        before = used(worker.process.pid)
        await asyncio.sleep(SECONDS)
        after = used(worker.process.pid)
    finally:
        worker.close()
    percent = (after.cpu - before.cpu) / SECONDS * 100
    return {"accounts": number, "cpu_percent": round(percent, 2), "peak_mib": round(after.peak)}


async def main(arguments: list[str]) -> None:
    async with Rig() as rig:
        if arguments[:1] == ["latency"]:
            print(await latency(rig, int(arguments[1]), float(arguments[2])))
        elif arguments[:1] == ["idle"]:
            print(await idle(rig, int(arguments[1])))
        else:
            found = {
                "latency": [
                    await latency(rig, n, rate) for n, rate in ((1, 20), (10, 20), (50, 20))
                ],
                "idle": [await idle(rig, number) for number in (1, 50, 300)],
            }
            print(json.dumps(found, indent=1))
            (ARTIFACTS / "latency.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
