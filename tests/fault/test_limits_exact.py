"""Vendor limits, exactly, while replicas are killed, frozen, added and removed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.support.broker import Broker
from tests.support.limits import deployment, impose, use
from tests.support.load import QUICK, Load, logs, running

SESSION = 6.0
STILL = SESSION + 2.0
"""Seconds that a killed or frozen replica's accounts may stand still, by promise 4."""
FIRST = 1.0
"""And until the first request of the smallest budget, which starts empty."""


async def test_no_window_is_too_full_and_most_of_each_is_used(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    async with deployment(broker.bootstrap, unique, tmp_path, delivery=QUICK) as deployed:
        await deployed.run("topics", "create")
        impose(deployed)
        async with Load(broker.bootstrap, f"{unique}-events", rate=1000, most=500) as load:
            await asyncio.gather(*(deployed.start() for _ in range(4)))
            since = time.time()
            await asyncio.sleep(5)
            running(deployed)[0].kill()
            await asyncio.sleep(STILL + FIRST)  # else one account may stand still for both
            frozen = running(deployed)[0]
            frozen.freeze()
            await asyncio.sleep(8)
            frozen.thaw()
            await deployed.start()
            running(deployed)[1].terminate()
            await asyncio.sleep(5)
            until = time.time()
            await load.stop()
        for one in use(deployed, since, until):
            assert one.worst <= one.limit.requests, one
            assert one.refused == 0, one
            assert one.share > 0.8, one
            assert max(one.still, default=0.0) < STILL + FIRST, (one, logs(deployed))
