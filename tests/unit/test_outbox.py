"""What is told of deliveries that leave a lane by a record: as soon as the record is written."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import orjson

from forwarder.driver import Driver
from forwarder.event import ConversionEvent, InvalidEvent
from forwarder.http.memory import MemoryClient
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.kafka.port import (
    Committed,
    Consumer,
    Outgoing,
    Producer,
    TooLarge,
    TopicPartition,
    Unavailable,
)
from forwarder.lane.lane import Tally
from forwarder.lease import Lease
from forwarder.ops.logs import Log
from forwarder.outbox import Outbox
from forwarder.writer import Writer
from tests.support.vendor_clock import run_virtually
from tests.unit.lane import fakes

DEAD = "conversions.dlq"
RETRY = "conversions.retry.1m"
SETTLEMENTS = "conversions.settlements"


class Written:
    """A producer that keeps what it is given; ``admit`` lets dead letters through."""

    def __init__(self) -> None:
        self.records: dict[str, list[Outgoing]] = {}
        self.admit = asyncio.Event()
        self.refusals = 0
        """How often settlements are not acknowledged."""
        self.retries_too_large = False

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        if topic == SETTLEMENTS and self.refusals:
            self.refusals -= 1
            raise Unavailable("no answer in time")
        if topic == RETRY and self.retries_too_large:
            raise TooLarge(topic, range(len(records)))
        if topic == DEAD:
            await self.admit.wait()
        self.records.setdefault(topic, []).extend(records)

    def settled(self) -> Counter[str]:
        values = [orjson.loads(one.value or b"") for one in self.records.get(SETTLEMENTS, ())]
        return Counter(value["outcome"] for value in values)

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """As a consumer's: every commit is acknowledged."""


class Told:
    """A report that counts outcomes."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.retried = 0

    def rebalanced(self, role: str) -> None: ...
    def requested(self, account: str, seconds: float, deliveries: int) -> None: ...

    def tallied(self, account: str, tally: Tally, now: float) -> None:
        for (outcome, _), count in tally.outcomes.items():
            self.outcomes[outcome] += count

    def retrying(self, account: str, tier: str, n: int) -> None:
        self.retried += n

    def write_failed(self, topic: str) -> None: ...


async def delivers(_: HttpRequest) -> HttpAnswer:
    return fakes.DELIVERED


async def hangs(_: HttpRequest) -> HttpAnswer:
    await asyncio.Event().wait()
    raise AssertionError


def _undescribed(_: bytes) -> ConversionEvent:
    raise InvalidEvent("invalid_event", ())


REFUSED = fakes.record(0, kind="reject")


@asynccontextmanager
async def outbox(
    written: Written,
    told: Told,
    records: Sequence[fakes.FakeRecord] = (REFUSED,),
    vendor: Callable[[HttpRequest], Awaitable[HttpAnswer]] = delivers,
) -> AsyncIterator[tuple[Outbox, Driver]]:
    """One lane with one event that is refused before sending, and what looks after it."""

    def now() -> float:
        return fakes.START

    lease = Lease(cast("Consumer", written), 15.0, now)
    await lease.commit({})
    writer = Writer(
        cast("Producer", written),
        _undescribed,
        dead_letters=DEAD,
        retries=(RETRY,),
        settlements=SETTLEMENTS,
        now=now,
    )
    box = Outbox("fake", writer, lease, told, Log(cast("Any", None), "error", now), now)
    account = fakes.account(linger=0.0)
    driver = Driver(
        account,
        TopicPartition("conversions.queue.acme", 0),
        fakes.lane(account),
        (),
        fakes.credential,
        lease,
        MemoryClient(vendor),
        request_timeout=7.0,
        now=now,
        changed=box.put,
        requested=lambda *_: None,
    )
    driver.lane.add([cast("Any", one) for one in records], fakes.START)
    driver.nudge()
    task = asyncio.create_task(box.run())
    try:
        yield box, driver
    finally:
        driver.abandon()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(done: Callable[[], bool]) -> None:
    """Turn the loop until ``done``: nothing here waits for time."""
    for _ in range(200):
        if done():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def test_a_dead_letter_is_told_once_it_is_written_and_not_at_the_next_step() -> None:
    written, told = Written(), Told()
    async with outbox(written, told):
        await asyncio.sleep(0)
        assert told.outcomes == {}
        written.admit.set()
        await until(lambda: told.outcomes["dead_lettered"] == 1)
        await until(lambda: written.settled() == {"dead_lettered": 1})
        assert len(written.records[DEAD]) == 1


async def test_what_a_drain_writes_is_told_before_it_ends() -> None:
    written, told = Written(), Told()
    written.admit.set()
    async with outbox(written, told) as (box, driver):
        driver.lane.take(fakes.START, fakes.credential())
        await driver.end(1.0)
        await box.drain([driver])
        assert told.outcomes == {"dead_lettered": 1}
        assert written.settled() == {"dead_lettered": 1}


def test_settlements_are_tried_until_they_are_acknowledged() -> None:
    async def scenario() -> None:
        written, told = Written(), Told()
        written.admit.set()
        written.refusals = 3
        async with outbox(written, told):
            await asyncio.sleep(2)
            assert written.settled() == {}
            await asyncio.sleep(5)
            assert written.settled() == {"dead_lettered": 1}
            assert told.outcomes == {"dead_lettered": 1}

    run_virtually(scenario())


UNANSWERED = (fakes.record(0), fakes.record(1, kind="reject"))
"""The first is on its way when the second is dead-lettered: a drain writes it to a retry topic."""


async def test_a_lane_that_is_over_writes_nothing_even_if_the_lease_is_held_again() -> None:
    written, told = Written(), Told()
    async with outbox(written, told, UNANSWERED, hangs) as (box, driver):
        await asyncio.sleep(0)
        await driver.end(0.0)
        draining = asyncio.create_task(box.drain([driver]))
        await asyncio.sleep(0)
        driver.abandon()  # lost while the dead letter was not acknowledged, and assigned again
        box.clear()
        written.admit.set()
        with suppress(Unavailable):
            await draining
        assert RETRY not in written.records


async def test_a_retry_that_is_too_large_is_told_as_the_dead_letter_that_it_becomes() -> None:
    written, told = Written(), Told()
    written.admit.set()
    written.retries_too_large = True
    async with outbox(written, told, UNANSWERED, hangs) as (box, driver):
        await asyncio.sleep(0)
        await driver.end(0.0)
        await box.drain([driver])
        assert told.outcomes == {"dead_lettered": 2}
        assert written.settled() == {"dead_lettered": 2}
        assert told.retried == 0
        assert [one.value is None for one in written.records[DEAD]] == [False, True]
