"""The router's loop: poll, plan, write to the queues, await every acknowledgement, commit.

A poll batch settles as a whole, so nothing needs tracking. At most two batches are uncommitted at
any time: what a crash can write again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from forwarder.due import Due
from forwarder.kafka.places import starts
from forwarder.kafka.port import (
    Broken,
    Committed,
    Consumer,
    KafkaProblem,
    Outgoing,
    Producer,
    Record,
    Refused,
    Stale,
    TooLarge,
    TopicPartition,
    Unavailable,
)
from forwarder.lease import Lease
from forwarder.ops.logs import Action, Log
from forwarder.plan import Plan, Planner
from forwarder.polling import JOIN_SECONDS, PAUSE_AFTER_TROUBLE, Behind, behind, poll
from forwarder.tasks import all_or_first_error, done_before, end

POLL_RECORDS = 2000
POLL_SECONDS = 0.5
WRITE_STALLED = 5.0
"""Seconds after which an unacknowledged write is called stalled (logs, metrics, page)."""
DRAIN_SECONDS = 20.0
"""A revoke's wait for the batch being written: far below the group's 60 s, far above the usual."""
POLL_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RouterTopics:
    """Names of what the router reads and writes. ``retries``: topic name -> delay in seconds;
    ``queues``: by account.
    """

    events: str
    retries: Mapping[str, float]
    dead_letters: str
    queues: Mapping[str, str]


class RouterMetrics(Protocol):
    """What the router counts; ``forwarder.ops.metrics`` implements it."""

    def planned(self, plan: Plan) -> None: ...
    def oversize(self, account: str | None, n: int) -> None: ...
    def write_failed(self, topic: str) -> None: ...
    def rebalanced(self, role: str) -> None: ...


@dataclass(slots=True)
class RouterView:
    """The router as the status page shows it. Clock times, of the clock that was passed in."""

    partitions: tuple[TopicPartition, ...] = ()
    joined: bool = False
    progress_at: float = 0.0
    committed_at: float | None = None
    stalled_since: dict[str, float] = field(default_factory=dict)
    """Topics whose writes are not acknowledged, and since when."""


class Router:
    """One member of the routers' group. ``run`` returns after ``stop``; it raises ``Broken`` when
    only a restart helps.
    """

    role: Final = "router"

    def __init__(
        self,
        make_consumer: Callable[[Router], Consumer],
        producer: Producer,
        planner: Planner,
        topics: RouterTopics,
        *,
        session_timeout: float,
        now: Callable[[], float],
        clock: Callable[[], float],
        log: Log,
        metrics: RouterMetrics,
    ) -> None:
        self._consumer = make_consumer(self)
        self._producer = producer
        self._planner = planner
        self._topics = topics
        self._lease = Lease(self._consumer, session_timeout, clock)
        self._now = now
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._settling = asyncio.Lock()
        self._epoch = 0
        self._commit: asyncio.Task[None] | None = None
        self._commit_failed = False
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self.due = Due(self._consumer, topics.retries)
        self._stopping = asyncio.Event()
        self._give_up_at = math.inf
        self.view = RouterView(progress_at=clock())

    # -- life -----------------------------------------------------------------------------------
    async def run(self) -> None:
        """Join, route until ``stop``, leave. Raises ``Broken`` and what ``start`` raises."""
        try:
            if not await done_before(self._stopping, self._consumer.start(), JOIN_SECONDS):
                return
            stopping = asyncio.create_task(self._stopping.wait(), name="router-stopping")
            while not self._stopping.is_set():
                polling = asyncio.create_task(self._poll(), name="router-poll")
                await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not polling.done():
                    await end([polling])
                    break
                await self._turn_while_polling(polling.result())
            stopping.cancel()
        finally:
            self._stopping.set()
            await self._consumer.stop()

    def stop(self) -> None:
        """Finish the batch that is being written, then leave. May be called twice."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._give_up_at = self._clock() + DRAIN_SECONDS

    @property
    def joined(self) -> bool:
        """Whether the first assignment came; true with nothing assigned."""
        return self.view.joined

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """What it has now."""
        return self.view.partitions

    @property
    def progress_at(self) -> float:
        """See ``Member``."""
        polled = self.view.progress_at
        return min(polled, self._lease.renewed_at) if self.view.partitions else polled

    async def behind(self) -> Mapping[TopicPartition, Behind]:
        """Records not yet routed, by partition. Raises ``KafkaProblem``."""
        return await behind(self._consumer, dict(self._next))

    async def _poll(self) -> Mapping[TopicPartition, Sequence[Record]]:
        self.due.resume(self._now())
        return await poll(
            self._consumer,
            POLL_RECORDS,
            POLL_SECONDS,
            progress=self.view,
            clock=self._clock,
            tell=self._tell,
        )

    def _tell(self, action: Action, error: str) -> None:
        self._log.warning(action, role="router", error=error)

    async def _turn_while_polling(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """A turn may wait for Kafka without end; a member that polls no more loses its place."""
        turn = asyncio.create_task(self._turn(polled), name="router-turn")
        try:
            while not (await asyncio.wait({turn}, timeout=POLL_AGAIN_SECONDS))[0]:
                with contextlib.suppress(Refused, Unavailable):
                    await self._consumer.poll((), 1, 0.0)
            turn.result()
        finally:
            turn.cancel()

    # -- membership -----------------------------------------------------------------------------
    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Start where the group stands; a partition without an offset starts at its beginning.

        Brokers that do not say where that is are asked again, until ``stop``.
        """
        while True:
            try:
                self._committed, fresh = await starts(self._consumer, partitions)
                break
            except Unavailable as problem:
                if self._stopping.is_set():
                    raise
                self._tell("kafka_unreachable", str(problem))
            await asyncio.sleep(PAUSE_AFTER_TROUBLE)
        self._next = self._committed | fresh
        self.due.clear()
        self._lease.begin()
        self.view.partitions = tuple(sorted(partitions))
        self.view.joined = True
        self._metrics.rebalanced("router")
        self._log.info("partitions_assigned", role="router", partitions=len(partitions))

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the batch that is being written and commit it; then fence."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS), self._settling:
                self._committed = {}  # a commit that came late may have taken some back
                await self._commit_progress()
        except (TimeoutError, KafkaProblem) as problem:
            self._tell("drain_incomplete", str(problem) or "time-out")
        finally:
            self._fence()
        self._log.info("partitions_revoked", role="router", partitions=len(partitions))

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        """The membership is over already: what is being written will be written again."""
        self._fence()
        self._log.warning("partitions_lost", role="router", partitions=len(partitions))

    def _fence(self) -> None:
        self._lease.begin()  # an answer that still comes holds no lease of what comes next
        self._epoch += 1
        self._next = {}
        self.due.clear()
        self.view.partitions = ()
        self.view.stalled_since.clear()

    # -- one batch ------------------------------------------------------------------------------
    async def _turn(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> None:
        epoch = self._epoch
        async with self._settling:
            if epoch != self._epoch:
                return  # revoked while the records were on their way: the new owner reads them
            try:
                await self._settle(polled, epoch)
            except (Stale, Unavailable, Refused) as problem:
                await self._give_back(problem)

    async def _settle(self, polled: Mapping[TopicPartition, Sequence[Record]], epoch: int) -> None:
        """Plan, write, and start the commit, which ends before the next batch's commit starts."""
        plan = Plan()
        now = self._now()
        ends: dict[TopicPartition, int] = {}
        for partition, records in polled.items():
            if partition not in self._next:
                continue  # revoked, and assigned again without it, while the poll was under way
            ready = self._plan(partition, records, now, plan)
            if ready:
                ends[partition] = ready[-1].offset + 1
        if self._commit_failed or (self._lease.ageing and not (ends and self._lease.held)):
            await self._commit_progress()
        if not ends:
            return
        if epoch != self._epoch or not self._lease.held:  # lost while the commit was under way
            raise Stale("the lease ended before the write")
        await self._write(plan, epoch)
        self._metrics.planned(plan)
        await self._committing()
        if epoch != self._epoch:
            return
        self._next |= ends
        self.due.routed(ends)
        self._commit = asyncio.create_task(self._commit_progress_quietly(), name="router-commit")

    def _plan(
        self, partition: TopicPartition, records: Sequence[Record], now: float, plan: Plan
    ) -> Sequence[Record]:
        """Plan one partition's records; returns those that are in the plan."""
        if partition.topic not in self._topics.retries:
            self._planner.events(records, now, plan)
            return records
        due = self.due.of(partition, records, now)
        self._planner.retries(due, now, plan)
        return due

    # -- writing --------------------------------------------------------------------------------
    async def _write(self, plan: Plan, epoch: int) -> None:
        jobs = [
            self._write_topic(self._topics.queues[account], records, epoch, account)
            for account, records in plan.queued.items()
        ]
        if plan.dead:
            jobs.append(self._write_topic(self._topics.dead_letters, plan.dead, epoch))
        await all_or_first_error(jobs)

    async def _write_topic(
        self, topic: str, records: Sequence[Outgoing], epoch: int, account: str | None = None
    ) -> None:
        """Write until it is acknowledged. A revoke ends the trying, or a stop, or ``Broken``."""
        stalled = asyncio.get_running_loop().call_later(WRITE_STALLED, self._stalled, topic)
        try:
            while True:
                try:
                    await self._producer.write(topic, records, 0 if account else None)
                    break
                except TooLarge as refusal:
                    refused = [records[index] for index in refusal.records]
                    await self._shrink(topic, refused, epoch, account)
                    break
                except (Unavailable, Refused) as problem:
                    self._stalled(topic, str(problem))
                await self._may_write_again(epoch)
        finally:
            stalled.cancel()
        if self.view.stalled_since.pop(topic, None) is not None:
            self._log.info("write_back", topic=topic)

    async def _may_write_again(self, epoch: int) -> None:
        """Wait a little, and until the lease is held. Raises ``Stale`` when these partitions are
        not this member's any more, ``Unavailable`` when it stops.
        """
        while True:
            await asyncio.sleep(PAUSE_AFTER_TROUBLE)
            if epoch != self._epoch:
                raise Stale("revoked while a write was not acknowledged")
            if self._clock() >= self._give_up_at:
                raise Unavailable("stopped while a write was not acknowledged")
            if self._lease.ageing:
                with contextlib.suppress(Unavailable, Refused):
                    await self._commit_progress()
            if self._lease.held:
                self.view.progress_at = self._clock()
                return

    async def _shrink(
        self, topic: str, refused: Sequence[Outgoing], epoch: int, account: str | None
    ) -> None:
        """These fit no topic with their value: dead-letter them without it."""
        if topic == self._topics.dead_letters and any(record.value is None for record in refused):
            raise Broken(f"{topic} refuses even a record without a value: check its settings")
        now = self._now()
        shrunk = [self._planner.oversize(record, now, account) for record in refused]
        await self._write_topic(self._topics.dead_letters, shrunk, epoch)
        self._metrics.oversize(account, len(shrunk))

    def _stalled(self, topic: str, error: str = "no acknowledgement yet") -> None:
        self._metrics.write_failed(topic)
        self.view.stalled_since.setdefault(topic, self._clock())
        self._log.warning("write_stalled", topic=topic, error=error)

    # -- committing -----------------------------------------------------------------------------
    async def _commit_progress(self) -> None:
        """Commit what is settled; with nothing new all again, which renews the lease.

        Raises ``Stale``, ``Unavailable``.
        """
        await self._committing()
        await self._commit_due()

    async def _commit_progress_quietly(self) -> None:
        try:
            await self._commit_due()
        except KafkaProblem as problem:
            self._commit_failed = True  # no third batch before what this one should have done
            self._tell("commit_failed", str(problem))

    async def _commit_due(self) -> None:
        due = {tp: at for tp, at in self._next.items() if self._committed.get(tp) != at}
        offsets = due or dict(self._next)
        epoch = self._epoch
        if offsets:
            await self._lease.commit({tp: Committed(at) for tp, at in offsets.items()})
            self._commit_failed = False
            if epoch == self._epoch:
                self._committed |= offsets
            self.view.committed_at = self._clock()

    async def _committing(self) -> None:
        """Wait for the commit that is under way: batches commit in order. Whoever gives up waiting
        does not end it: cancelled, it would end the next one who waits, too.
        """
        if (commit := self._commit) is not None:
            await asyncio.wait({commit})
            if self._commit is commit:
                self._commit = None
            commit.result()

    async def _give_back(self, problem: KafkaProblem) -> None:
        """What was polled is not settled: read it again from where this member stands."""
        self._tell("router_paused", str(problem))
        self.due.reread()
        for partition in self._consumer.assignment():
            if partition in self._next:
                self._consumer.seek(partition, self._next[partition])
        await asyncio.sleep(PAUSE_AFTER_TROUBLE)
