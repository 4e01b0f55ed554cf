"""Whether memory stays flat while a great many events wait.

    python -m benchmarks.backlog [EVENTS]

A million events wait for three accounts, one at each destination, that may send 10 requests of at
most 10 events a second; memory is read once a second for four minutes, while the router fills their
queues and the senders work on them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.events import stream
from benchmarks.rig import Rig, accounts
from tests.support.broker import ARTIFACTS

SECONDS = 240.0
PART = 50_000


def resident(pid: int) -> float:
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


async def main(number: int) -> None:
    async with Rig() as rig:
        name = rig.new_name("backlog")
        slow = accounts(["tiktok", "tradedesk", "thrad"], budgets=[{"requests": 600, "per": "60s"}])
        for account in slow.values():
            if account["destination"] != "thrad":
                account["batch"] = {"events": 10}
        settings = await rig.deployment(name, slow)
        for start in range(0, number, PART):
            await rig.publish(f"{name}-events", stream(min(PART, number - start), 1, start))
        worker = await rig.worker(settings)
        try:
            seen = await _watched(worker.process.pid)
            taken = await rig.sink.events(name)
        finally:
            worker.close()
    quarters = [seen[len(seen) * part // 4 : len(seen) * (part + 1) // 4] for part in range(4)]
    told = {
        "events": number,
        "taken": taken,
        "seconds": SECONDS,
        "peak_mib": round(max(seen)),
        "median_mib_by_quarter": [round(median(quarter)) for quarter in quarters],
    }
    print(json.dumps(told, indent=1))
    (ARTIFACTS / "backlog.json").write_text(json.dumps(told, indent=1))


async def _watched(pid: int) -> list[float]:
    until = time.monotonic() + SECONDS
    seen = []
    while time.monotonic() < until:
        seen.append(resident(pid))
        await asyncio.sleep(1.0)
    return seen


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000))
