from __future__ import annotations

import asyncio
import contextlib
import time

from forwarder.ops.loop_lag import KEPT, STEP, LoopLag


def test_the_worst_of_the_last_half_minute_or_more() -> None:
    lag = LoopLag()
    for at, seconds in ((0.0, 0.1), (1.0, 0.4), (2.0, 0.2)):
        lag._measured(at, seconds)
    assert lag.worst() == 0.4
    lag._measured(KEPT, 0.3)
    assert lag.worst() == 0.4
    lag._measured(2 * KEPT, 0.01)
    assert lag.worst() == 0.3


async def test_work_that_blocks_the_loop_shows() -> None:
    lag = LoopLag()
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(STEP + 0.2)  # noqa: ASYNC251 - blocking is what is measured
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert lag.worst() >= 0.15
