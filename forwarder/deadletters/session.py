"""One process's work on a run: claim the source, settle what an earlier process left open, count,
then feed the queues as far as they have room.

Each batch is noted in the ledger before it is written to its queue. That it was written is noted
with whatever is noted next; until then only the queue can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from forwarder.deadletters.desk import Desk, Hold
from forwarder.deadletters.feed import Feed
from forwarder.deadletters.judge import Candidate, Kind
from forwarder.deadletters.ledger import Ledger, OpenBatch, Run, life, noted
from forwarder.deadletters.pace import Pace
from forwarder.deadletters.queues import Queues
from forwarder.deadletters.scan import Scan, Span
from forwarder.deadletters.survey import Counts
from forwarder.deadletters.work import Work
from forwarder.kafka.port import Committed, Outgoing, Producer, Reader, TooLarge, TopicPartition

TICK: Final = 0.2
TELL_EVERY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """``outcome``: ``finished`` or ``stopped``."""

    run: Run
    outcome: str
    counts: Counts


class Session:
    """``run`` once. ``claimed``: whether the source was this process's at any time."""

    def __init__(self, work: Work) -> None:
        self.claimed = False
        self._work = work
        self._clocks = work.clocks
        self._desk = Desk(work.kafka, work.places.ledger, work.clocks)
        self._ledger = Ledger()
        self._hold = Hold(self._desk, self._ledger, work.run, work.clocks)
        self._reader: Reader = work.kafka.reader(work.places.group)
        self._producer: Producer = work.kafka.producer()
        self._queues = Queues(work.kafka.admin(), work.kafka.reader(), work.places)
        self._counts = Counts()
        self._notes: list[Outgoing] = []
        self._batches = 0
        self._looked_at = float("-inf")
        self._told_at: dict[str, float] = {}
        self._position: dict[TopicPartition, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Start no batch any more, and end in order."""
        self._stopping = True

    @property
    def _stopped(self) -> bool:
        return self._stopping or self._hold.stop_wanted

    async def run(self) -> Result:
        """Raises ``KafkaProblem``, ``Busy``, ``Overtaken``."""
        async with AsyncExitStack() as stack:
            for client in (self._desk, self._reader, self._producer, self._queues):
                stack.push_async_callback(client.stop)
                await client.start()
            run = self._work.run
            self._ledger = await self._desk.load(run.id)
            self._hold = Hold(self._desk, self._ledger, run, self._clocks)
            await self._desk.claim(self._ledger, run, self._work.watcher.say)
            self.claimed = True
            await self._work.settle(self._ledger, self._reader, self._note, self._keep)
            await self._keep()
            self._counts = await self._work.survey(self._ledger, self._reader, self._keep)
            if not self._stopped:
                await self._feed_all()
            outcome = "stopped" if self._stopped else "finished"
            await self._flush()
            await self._hold.end(outcome, self._counts.as_json())
            return Result(run, outcome, self._counts)

    # -- reading ----------------------------------------------------------------------------------
    async def _feed_all(self) -> None:
        judge = await self._work.judging(self._ledger, self._reader, self._keep)
        counts = self._counts
        feed = Feed(judge, counts.by_account, self._work.places.batches, counts.left)
        pace = self._work.pace()
        starts: Mapping[TopicPartition, int] | None = await self._starts()
        while starts is not None:
            scan = self._work.scan(self._reader, self._from(starts))
            await self._pass(scan, feed, pace)
            starts = None if self._stopped else feed.again()
        await self._commit(feed)

    async def _starts(self) -> dict[TopicPartition, int]:
        """Where this run stands: below, nothing is left to do."""
        spans = self._work.spans
        self._reader.assign(sorted(spans))
        committed = await self._reader.committed(sorted(spans))
        self._position = {at: span.end for at, span in spans.items()}
        starts = {}
        for at, span in spans.items():
            place = committed[at]
            starts[at] = span.start if place is None else max(span.start, place.offset)
        return starts

    def _from(self, starts: Mapping[TopicPartition, int]) -> dict[TopicPartition, Span]:
        """All partitions, since only what is assigned can be committed."""
        spans = self._work.spans
        return {at: Span(min(starts.get(at, s.end), s.end), s.end) for at, s in spans.items()}

    async def _pass(self, scan: Scan, feed: Feed, pace: Pace) -> None:
        """Feed from one scan until nothing of it is left, or wanted."""
        while not self._stopped:
            if not scan.done and feed.free:
                now = self._clocks.now()
                for record in await scan.read(feed.free, TICK):
                    feed.offer(record, now)
            elif feed.ready():
                await self._clocks.sleep(TICK)
            else:
                self._position |= scan.position
                return
            self._position |= scan.position
            await self._pump(feed, pace)
            if self._hold.due:
                await self._commit(feed)
                await self._keep()

    # -- writing ----------------------------------------------------------------------------------
    async def _pump(self, feed: Feed, pace: Pace) -> None:
        """Write as much as there is room for; look for room no oftener than every ``TICK``."""
        ready = feed.ready()
        if not ready or self._clocks.steady() - self._looked_at < TICK:
            return
        rooms = await self._queues.look(ready)
        self._looked_at = self._clocks.steady()
        for account in ready:
            now, room = self._clocks.steady(), rooms[account]
            candidates = feed.take(account, pace.allowed(account, room.waiting, now))
            if candidates:
                await self._write(account, candidates, room.end)
                pace.given(account, len(candidates), now)
            elif pace.stuck(account, now):
                self._tell(account, room.words())
        self._work.watcher.sending(self._counts.sent, self._counts.to_send)

    async def _write(self, account: str, candidates: Sequence[Candidate], queue_end: int) -> None:
        run, places = self._work.run, self._work.places
        self._batches += 1
        batch = OpenBatch(
            run.id,
            f"{run.token}-{self._batches}",
            account,
            queue_end,
            [c.entry for c in candidates],
        )
        await self._flush(*noted(batch, self._clocks.now()))
        if not self._hold.firm:
            await self._hold.say(self._counts.as_json())
        unsent: list[str] = []
        try:
            await self._producer.write(
                places.queues[account], [c.outgoing() for c in candidates], 0
            )
        except TooLarge as refusal:
            unsent = [candidates[index].entry.origin for index in refusal.records]
            self._work.watcher.say(f"{account}: {len(unsent)} records are too large for its queue")
        self._notes.append(self._written(batch, unsent))
        sent = len(candidates) - len(unsent)
        self._counts.kinds[Kind.SENT] += sent
        self._counts.kinds[Kind.TO_SEND] -= len(candidates)

    async def _note(self, batch: OpenBatch, unsent: Collection[str]) -> None:
        """An open batch of an earlier process is settled."""
        self._notes.append(self._written(batch, unsent))
        await self._keep()

    def _written(self, batch: OpenBatch, unsent: Collection[str]) -> Outgoing:
        now = self._clocks.now()
        return life(batch.run, "written", now, batch=batch.batch, unsent=list(unsent))

    async def _flush(self, *more: Outgoing) -> None:
        notes = [*self._notes, *more]
        if notes:
            await self._desk.write(notes)
        self._notes.clear()

    # -- keeping up -------------------------------------------------------------------------------
    async def _keep(self) -> bool:
        """Note what is written, and show that the run lives, when it is time; whether to go on."""
        if self._hold.due:
            await self._flush()
            await self._hold.say(self._counts.as_json())
        return not self._stopped

    async def _commit(self, feed: Feed) -> None:
        settled = feed.settled(self._position)
        await self._reader.commit({at: Committed(offset) for at, offset in settled.items()})

    def _tell(self, account: str, words: str) -> None:
        now = self._clocks.steady()
        if now - self._told_at.get(account, float("-inf")) >= TELL_EVERY:
            self._told_at[account] = now
            self._work.watcher.say(f"{account}: waits for room in its queue: {words}")
