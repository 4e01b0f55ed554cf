"""The sender's loops, for one destination: read the queues it owns into lanes, commit what is
finished, write what must leave by a record. Each lane is driven by a ``Driver``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from forwarder.budgets import BudgetBook
from forwarder.credentials import Credential
from forwarder.driver import Driver
from forwarder.http.port import HttpClient
from forwarder.intake import Intake, Memory
from forwarder.kafka.port import (
    Broken,
    Committed,
    Consumer,
    KafkaProblem,
    Rebalance,
    Refused,
    Stale,
    TopicPartition,
)
from forwarder.lane.budget import Budget, throttled
from forwarder.lane.lane import Lane, LaneView
from forwarder.lease import Lease
from forwarder.opening import Opener, Place, SenderSettings
from forwarder.ops.logs import Action, Log
from forwarder.outbox import Outbox, Report
from forwarder.polling import JOIN_SECONDS, PAUSE_AFTER_TROUBLE, Behind, behind, poll
from forwarder.tasks import done_before, end
from forwarder.writer import Writer

POLL_RECORDS = 4000
POLL_SECONDS = 0.25
COMMIT_SECONDS = 1.0
TICK_SECONDS = 10.0
DRAIN_SECONDS = 4.5
COMMIT_LIMIT = 1.5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sender works with: ports, clocks, and the parts it shares with other senders."""

    http: HttpClient
    writer: Writer
    memory: Memory
    make_book: Callable[[], BudgetBook]
    credential: Callable[[str], Credential]
    log: Log
    report: Report
    now: Callable[[], float]
    clock: Callable[[], float]


@dataclass(slots=True)
class SenderView:
    """The sender as the status page shows it."""

    joined: bool = False
    partitions: int = 0
    progress_at: float = 0.0
    committed_at: float | None = None
    no_offset: set[str] = field(default_factory=set)


class Sender:
    """One member of one destination's group. ``run`` returns after ``stop``; it raises ``Broken``
    when only a restart helps.
    """

    def __init__(
        self,
        make_consumer: Callable[[Rebalance], Consumer],
        make_opener: Callable[[Consumer], Opener],
        settings: SenderSettings,
        around: Surroundings,
    ) -> None:
        self._consumer = make_consumer(self)
        self._opener = make_opener(self._consumer)
        self._settings = settings
        self._around = around
        self._log = around.log
        self._lease = Lease(self._consumer, settings.session_timeout, around.clock)
        self._drivers: dict[TopicPartition, Driver] = {}
        self._book = around.make_book()
        self._starts: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, Committed] = {}
        self._intake = Intake(self._consumer, around.memory, around.now)
        self._outbox = Outbox(
            settings.destination,
            around.writer,
            self._lease,
            around.report,
            around.log,
            around.now,
        )
        self.destination = settings.destination
        self.role = f"sender of {self.destination}"
        self._opening: asyncio.Task[None] | None = None
        self._opening_at = around.clock()
        """When the last lane was opened, or could not be for a reason that no restart mends."""
        self._stopping = asyncio.Event()
        self.view = SenderView(progress_at=around.clock())

    # -- life -----------------------------------------------------------------------------------
    async def run(self) -> None:
        """Join, send until ``stop``, drain, leave. Raises ``Broken`` and what ``start`` raises."""
        tasks: list[asyncio.Task[object]] = []
        draining: list[asyncio.Task[object]] = []
        try:
            if not await done_before(self._stopping, self._consumer.start(), JOIN_SECONDS):
                return
            tasks = [
                asyncio.create_task(self._read(), name="sender-read"),
                asyncio.create_task(self._stopping.wait(), name="sender-stopping"),
            ]
            draining = [
                asyncio.create_task(self._keep(), name="sender-keep"),
                asyncio.create_task(self._outbox.run(), name="sender-write"),
            ]
            done, _ = await asyncio.wait([*tasks, *draining], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end(tasks)
            await self._consumer.stop()  # its drain needs the lease, and what is being written
            await end(draining)

    def stop(self) -> None:
        """Drain and leave. May be called twice."""
        self._stopping.set()

    def credential_changed(self, account: str) -> None:
        """A breaker that a new credential may cure probes at once. Budgets stay what they are: what
        the old one sent may be on its way still, and a vendor may count both together.
        """
        for driver in self._drivers.values():
            if driver.account.name == account:
                version = self._around.credential(account).version
                driver.lane.credential_changed(version, self._around.now())
                driver.nudge()

    @property
    def joined(self) -> bool:
        """Whether the first assignment came; true with nothing assigned."""
        return self.view.joined

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """The queues whose lanes are open here."""
        return self._drivers.keys()

    @property
    def progress_at(self) -> float:
        times = [self.view.progress_at]
        if self._drivers:
            times.append(self._lease.renewed_at)
        if self._opening is not None and not self._opening.done():
            times.append(self._opening_at)
        return min(times)

    async def behind(self) -> Mapping[TopicPartition, Behind]:
        """Records not yet finished, by queue. Raises ``KafkaProblem``."""
        mine = self._starts | {tp: place.offset for tp, place in self._committed.items()}
        return await behind(self._consumer, mine)

    def views(self) -> dict[str, LaneView]:
        """The lanes that are here, by account."""
        now = self._around.now()
        return {driver.account.name: driver.lane.view(now) for driver in self._drivers.values()}

    def budgets(self) -> dict[str, Sequence[Budget]]:
        """The budgets that are owned here, by account."""
        return {driver.account.name: driver.budgets for driver in self._drivers.values()}

    # -- membership -----------------------------------------------------------------------------
    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Own these queues. They stay paused until their lanes are open."""
        self._lease.begin()
        self._book = self._around.make_book()
        self.view.joined = True
        self.view.partitions = len(partitions)
        self._committed.clear()
        self._starts.clear()
        self._intake.hold(partitions)
        self._opening_at = self._around.clock()
        self._opening = asyncio.create_task(self._open(sorted(partitions)), name="sender-open")
        self._around.report.rebalanced("sender")
        self._log.info(
            "partitions_assigned", destination=self.destination, partitions=len(partitions)
        )

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Start no more, finish what is in flight, move what is unfinished below the highest
        finished offset to the first retry topic, commit; then fence.
        """
        await self._end_opening()
        drivers = list(self._drivers.values())
        await asyncio.gather(*(d.end(self._settings.request_timeout + 1) for d in drivers))
        try:
            await self._in_time(DRAIN_SECONDS, self._drained(drivers))
            self._committed.clear()  # a commit that came late may have taken some back
            await self._in_time(COMMIT_LIMIT, self._commit(drivers))
        finally:
            self._fence()
        self._log.info(
            "partitions_revoked", destination=self.destination, partitions=len(partitions)
        )

    async def _drained(self, drivers: Sequence[Driver]) -> None:
        """Without the lease these lanes may be another one's, and nothing of theirs is written."""
        if not drivers:
            return
        if not self._lease.held:
            await self._commit(drivers)
        if not self._lease.held:
            raise Stale("the lease ended, so nothing more may be written")
        await self._outbox.drain(drivers)

    async def _in_time(self, seconds: float, step: Awaitable[None]) -> None:
        """One step of the drain. What it leaves undone the next owner does again."""
        try:
            async with asyncio.timeout(seconds):
                await step
        except (TimeoutError, KafkaProblem) as problem:
            error = str(problem) or "time-out"
            self._log.warning("drain_incomplete", destination=self.destination, error=error)

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        """The membership is over already: fence at once, what comes back changes nothing."""
        self._fence()
        self._log.warning(
            "partitions_lost", destination=self.destination, partitions=len(partitions)
        )

    def _fence(self) -> None:
        self._lease.begin()  # an answer that still comes holds no lease of what comes next
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        for driver in self._drivers.values():
            driver.abandon()
        self._opener.close()
        self._drivers.clear()
        self._outbox.clear()
        self._committed.clear()
        self._starts.clear()

    async def _end_opening(self) -> None:
        if self._opening is not None:
            await end([self._opening])
            self._opening = None

    async def _open(self, partitions: Sequence[TopicPartition]) -> None:
        """Open their lanes. Trouble is said, and what is left then is tried again in halves, so
        that one queue cannot keep the others closed, nor brokers that were away for a moment open
        hundreds one by one.
        """
        left = [list(partitions)]
        self.view.no_offset.clear()
        while left:
            some = left.pop(0)
            try:
                places = await self._opener.places(some)
                while some:
                    await self._open_one(some[0], places[some[0]])
                    some.pop(0)
                    self._opening_at = self._around.clock()
            except KafkaProblem as problem:
                if isinstance(problem, Refused):
                    self._opening_at = self._around.clock()
                self._log.warning(
                    "kafka_unreachable", destination=self.destination, error=str(problem)
                )
                half = (len(some) + 1) // 2
                left += [part for part in (some[:half], some[half:]) if part]
                await asyncio.sleep(PAUSE_AFTER_TROUBLE)

    async def _open_one(self, partition: TopicPartition, start: Place | None) -> None:
        if start is None:
            account = self._settings.queues[partition.topic]
            self.view.no_offset.add(account)
            self._log.error("no_offset", account=account)
        else:
            self._drive(partition, await self._opener.open(partition, start), start)

    def _drive(self, partition: TopicPartition, lane: Lane, start: Place) -> None:
        self._intake.open(partition, start.offset)  # the first: it may be another one's by now
        account = lane.account
        self._starts[partition] = start.offset
        if start.committed is not None:
            self._committed[partition] = start.committed
        budgets = self._book.open(account.name)
        now = self._around.now()
        not_before = lane.view(now).not_before
        if not_before is not None:
            throttled(budgets, account.name, not_before - now)
        self._drivers[partition] = Driver(
            account,
            partition,
            lane,
            budgets,
            lambda: self._around.credential(account.name),
            self._lease,
            self._around.http,
            request_timeout=self._settings.request_timeout,
            now=self._around.now,
            changed=self._changed,
            requested=self._around.report.requested,
        )

    # -- reading --------------------------------------------------------------------------------
    async def _read(self) -> None:
        while True:
            polled = await poll(
                self._consumer,
                POLL_RECORDS,
                POLL_SECONDS,
                progress=self.view,
                clock=self._around.clock,
                tell=self._tell,
            )
            for partition, records in polled.items():
                driver = self._drivers.get(partition)
                if driver is not None:
                    driver.lane.add(records, self._around.now())
                    driver.nudge()
                    self._intake.filled(driver)

    def _tell(self, action: Action, error: str) -> None:
        self._log.warning(action, destination=self.destination, error=error)

    def _changed(self, driver: Driver) -> None:
        self._intake.changed(driver)
        self._outbox.put(driver)

    # -- keeping place --------------------------------------------------------------------------
    async def _keep(self) -> None:
        """Once a second: commit what is finished, renew the lease, look after idle lanes."""
        ticked_at = self._around.clock()
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            drivers = list(self._drivers.values())
            had_lease = self._lease.held
            ends_at = self._lease.ends_at
            try:
                await self._commit(drivers)
            except KafkaProblem as problem:
                lost = had_lease and isinstance(problem, Stale)
                self._tell("lease_lost" if lost else "commit_failed", str(problem))
            if self._around.clock() - ticked_at >= TICK_SECONDS:
                ticked_at = self._around.clock()
                self._tick(drivers)
            if self._lease.held and self._around.clock() >= ends_at:  # it was over meanwhile
                for driver in drivers:
                    driver.nudge()

    async def _commit(self, drivers: Sequence[Driver]) -> None:
        """Commit what changed; with nothing new all again when the lease is ageing.

        A lane's start is committed too: a queue that is idle for long must not lose its place.
        Raises ``Stale``, ``Unavailable``.
        """
        due: dict[TopicPartition, Committed] = {}
        for driver in drivers:
            offset, metadata = driver.lane.commit_point()
            start = self._starts.get(driver.partition, 0)
            place = Committed(start if offset is None else offset, metadata)
            if self._committed.get(driver.partition) != place:
                due[driver.partition] = place
        if not due and self._lease.ageing:
            due = dict(self._committed)
        if due:
            assignment = self._lease.assignment
            await self._lease.commit(due)
            self.view.committed_at = self._around.clock()
            if assignment == self._lease.assignment:
                self._committed |= due

    def _tick(self, drivers: Sequence[Driver]) -> None:
        opening = self._opening
        if opening is not None and opening.done():
            opening.result()  # its end was no failure
        now = self._around.now()
        waiting = 0
        for driver in drivers:
            if driver.failed is not None:
                raise Broken(f"the lane of {driver.account.name} ended") from driver.failed
            driver.lane.tick(now)
            self._changed(driver)
            waiting += driver.lane.view(now).waiting > 0 and not driver.lane.at_rest
            driver.nudge()
        self._around.memory.waiting(self.destination, waiting)
