"""What the lanes of one sender leave to do after each step: counts, log lines, and the records that
deliveries leave by. A lane whose records are not acknowledged sends no more until they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from forwarder.driver import Driver
from forwarder.kafka.port import Broken, KafkaProblem, Unavailable
from forwarder.lane.budget import throttled
from forwarder.lane.lane import Settled, Tally, Write, WriteKind
from forwarder.lease import Lease
from forwarder.ops.logs import Log
from forwarder.polling import PAUSE_AFTER_TROUBLE
from forwarder.writer import Writer

TOGETHER = 0.01
"""Seconds in which the next steps of all lanes are collected: to look after a lane at every single
one costs half as much as sending a small request."""
WRITE_STALLED = 5.0
"""Seconds without acknowledgement of a lane's dead letters or retries, after which it sends no
more: what it sent could only add to them."""
MOST_UNSETTLED = 20_000
"""Deliveries of all lanes whose settlements wait for brokers; those beyond are not kept."""


class Report(Protocol):
    """Told what a sender and its lanes did, for metrics, logs and the status page."""

    def rebalanced(self, role: str) -> None: ...
    def requested(self, account: str, seconds: float, deliveries: int) -> None: ...
    def tallied(self, account: str, tally: Tally, now: float) -> None: ...
    def retrying(self, account: str, tier: str, n: int) -> None: ...
    def write_failed(self, topic: str) -> None: ...


class Outbox:
    """Lanes are ``put`` here whenever something changed, ``run`` looks after them."""

    def __init__(
        self,
        destination: str,
        writer: Writer,
        lease: Lease,
        report: Report,
        log: Log,
        now: Callable[[], float],
    ) -> None:
        self._destination = destination
        self._writer = writer
        self._lease = lease
        self._report = report
        self._log = log
        self._now = now
        self._changed: dict[Driver, None] = {}
        self._stalling: dict[Driver, asyncio.TimerHandle] = {}
        self._unsettled: dict[Driver, list[Settled]] = {}
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    def put(self, driver: Driver) -> None:
        """Look after this lane: it has something to report or to write."""
        if not driver.over:
            self._changed[driver] = None
            self._wake.set()

    def clear(self) -> None:
        """Forget all: their lanes are over."""
        self._changed.clear()
        self._unsettled.clear()
        for timer in self._stalling.values():
            timer.cancel()
        self._stalling.clear()

    async def run(self) -> None:
        """Look after lanes until cancelled. Raises ``Broken``."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, {}
            async with self._writing:
                await asyncio.gather(*(self._look_after(driver) for driver in changed))
            await asyncio.sleep(TOGETHER)

    async def drain(self, drivers: Sequence[Driver]) -> None:
        """Write all that these lanes leave behind, now that they send no more.

        Raises ``Unavailable`` when some of it was not acknowledged: what these lanes finished after
        it will be sent again.
        """
        async with self._writing:
            await asyncio.gather(*(self._look_after(driver) for driver in drivers))
            now = self._now()
            leaving = [(driver, driver.lane.drain(now)) for driver in drivers]
            await asyncio.gather(*(self._write(d, writes) for d, writes in leaving if writes))
            await asyncio.gather(*(self._tell(driver) for driver in drivers))
        stuck = sorted(driver.account.name for driver in drivers if driver in self._stalling)
        if stuck:
            raise Unavailable(f"dead letters or retries not acknowledged: {', '.join(stuck)}")

    async def _look_after(self, driver: Driver) -> None:
        """Report what a lane did, and write what must leave it."""
        if driver.over:
            return
        writes = driver.lane.take_writes()
        await self._tell(driver)
        if writes and not driver.over:
            await self._write(driver, writes)
            await self._tell(driver)  # what was written has ended now: no later step may come

    async def _tell(self, driver: Driver) -> None:
        """Report what a lane did since the last time, and keep its outcomes where that is set."""
        account = driver.account
        tally = driver.lane.take_tally()
        self._report.tallied(account.name, tally, self._now())
        for alert in tally.alerts:
            if alert.action == "throttled" and alert.until is not None:
                throttled(driver.budgets, account.name, alert.until - self._now())
        settled = [*self._unsettled.pop(driver, ()), *tally.settled]
        try:
            await self._writer.settle(account, settled)
        except KafkaProblem as problem:
            self._settle_later(driver, settled)
            self._log.warning(
                "write_stalled",
                destination=self._destination,
                account=account.name,
                error=str(problem),
            )

    def _settle_later(self, driver: Driver, settled: list[Settled]) -> None:
        waiting = (one for many in (settled, *self._unsettled.values()) for one in many)
        if not driver.over and sum(len(one.deliveries) for one in waiting) <= MOST_UNSETTLED:
            self._unsettled[driver] = settled
            asyncio.get_running_loop().call_later(PAUSE_AFTER_TROUBLE, self.put, driver)

    async def _write(self, driver: Driver, writes: Sequence[Write]) -> None:
        """Write, or hand them back to the lane and try again later."""
        loop = asyncio.get_running_loop()
        if driver not in self._stalling:
            self._stalling[driver] = loop.call_later(WRITE_STALLED, self._hold_back, driver)
        groups = self._writer.by_topic(writes).items()
        written = all([await self._write_group(driver, topic, group) for topic, group in groups])
        if driver.over:
            return
        if written:
            self._stalling.pop(driver).cancel()
            driver.held_back = False
        else:
            loop.call_later(PAUSE_AFTER_TROUBLE, self.put, driver)
        driver.nudge()

    async def _write_group(self, driver: Driver, topic: str, group: Sequence[Write]) -> bool:
        """Whether all of it was acknowledged."""
        left = group
        try:
            self._require_lease(driver)
            written, left = await self._writer.write(driver.account, topic, group)
            self._written(driver, topic, written)
            if left:
                self._require_lease(driver)
                self._written(driver, topic, await self._writer.shrink(driver.account, left))
        except Broken:
            raise
        except KafkaProblem as problem:
            driver.lane.unwritten(left)
            self._failed(topic, str(problem))
            return False
        return True

    def _require_lease(self, driver: Driver) -> None:
        """Only the owner may write: what another one has now would go on twice."""
        if driver.over or not self._lease.held:
            raise Unavailable("no lease")

    def _written(self, driver: Driver, topic: str, writes: Sequence[Write]) -> None:
        driver.lane.written(writes, self._now())
        self._count_retries(driver, topic, writes)

    def _count_retries(self, driver: Driver, topic: str, group: Sequence[Write]) -> None:
        retries = sum(write.kind is WriteKind.RETRY for write in group)
        if retries:
            self._report.retrying(driver.account.name, topic.rsplit(".", 1)[-1], retries)

    def _failed(self, topic: str, error: str) -> None:
        self._report.write_failed(topic)
        self._log.warning("write_stalled", destination=self._destination, topic=topic, error=error)

    def _hold_back(self, driver: Driver) -> None:
        driver.held_back = True
        self._log.warning(
            "write_stalled",
            destination=self._destination,
            account=driver.account.name,
            error="no acknowledgement yet",
        )
