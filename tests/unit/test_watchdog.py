"""What the watchdog says of what it measures."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import pytest

from forwarder.board import Watched
from forwarder.kafka.port import Broken, TopicPartition
from forwarder.ops.logs import Log, open_log
from forwarder.polling import Behind
from forwarder.watchdog import Watchdog
from tests.support.vendor_clock import run_virtually

QUEUE = TopicPartition("conversions.queue.acme", 0)


class Member:
    """A sender of one queue, of which Kafka deletes."""

    role = "sender"
    partitions = (QUEUE,)

    def __init__(self) -> None:
        self.found = Behind(5, 0)

    @property
    def progress_at(self) -> float:
        return asyncio.get_running_loop().time()

    async def behind(self) -> Mapping[TopicPartition, Behind]:
        return {QUEUE: self.found}


class Admin:
    async def topics(self) -> Mapping[str, int]:
        return {}


def test_a_clock_that_goes_back_ends_the_worker() -> None:
    """Lanes wait for times of day; a new process reads them again from what is kept."""

    async def scenario() -> None:
        loop, ahead = asyncio.get_running_loop(), 3600.0
        watched = Watched()
        watchdog = Watchdog(
            [Member()],
            cast("Any", Admin()),
            watched,
            Log(None, "error", loop.time),
            clock=loop.time,
            now=lambda: loop.time() + ahead,
        )
        running = asyncio.create_task(watchdog.run())
        await asyncio.sleep(25)
        ahead = 0.0
        with pytest.raises(Broken, match="the clock went back by 3590 s"):
            await running
        assert watched.sick == "the clock went back by 3590 s"

    run_virtually(scenario())


def test_what_kafka_deleted_unsent_is_told_once() -> None:
    """No dead letter and no count would tell of it."""
    out = io.StringIO()

    async def scenario() -> None:
        clock = asyncio.get_running_loop().time
        member, watched = Member(), Watched()
        log = open_log("info", "json", clock, out)
        watchdog = Watchdog([member], cast("Any", Admin()), watched, log, clock=clock, now=clock)
        running = asyncio.create_task(watchdog.run())
        await asyncio.sleep(1.5)  # a new partition is looked at at once
        assert watched.behind == {QUEUE: 5}
        member.found = Behind(2, 3)
        await asyncio.sleep(200)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    run_virtually(scenario())
    (line,) = (json.loads(text) for text in out.getvalue().splitlines())
    assert (line["action"], line["level"]) == ("records_deleted", "error")
    assert (line["topic"], line["records"]) == (QUEUE.topic, 3)
