"""Reading and writing the ledger, and holding a run against all others.

A run is alive as long as it says so in the ledger every few seconds. Who takes it up again, or
starts another one over the same source, first watches for a sign of life for longer than a living
process could be silent and still write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from forwarder.deadletters.ledger import Holder, Ledger, Run, life, started
from forwarder.deadletters.scan import Scan, Span
from forwarder.kafka.connection import WriteLimits
from forwarder.kafka.port import Kafka, Outgoing, TopicPartition

ALIVE_EVERY: Final = 1.0
FENCE: Final = 1.5
"""Seconds after its last sign of life in which a run may still begin to write to a queue."""
LIMITS: Final = WriteLimits(write=5.0, stop=3.0)
"""What the clients of a run must keep to, so that ``WATCH`` is enough."""
WATCH: Final = FENCE + LIMITS.write + LIMITS.stop + 2.5
"""Seconds of silence after which nothing of a run can arrive any more: it begins no write after
``FENCE``, gives one up after its limit, and what is under way then when it closes. The rest is for
brokers that are slow. (What a cut network still holds then is lost or late; see the docs.)
"""
LONG_DEAD: Final = 600.0
LOOK_EVERY: Final = 1.0


class Busy(Exception):
    """Another process replays from the same source."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} is under way")
        self.run = run


class Overtaken(Exception):
    """Another process has taken this run up."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """``now``: epoch seconds. ``steady``: seconds that only grow, also while the process stands."""

    now: Callable[[], float]
    steady: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class Desk:
    """The ledger topic. Every call raises ``KafkaProblem``."""

    def __init__(self, kafka: Kafka, topic: str, clocks: Clocks) -> None:
        self._at = TopicPartition(topic, 0)
        self._clocks = clocks
        self._reader = kafka.reader()
        # a reader that waits for records at the end of a topic keeps its other requests waiting
        self._looker = kafka.reader()
        self._producer = kafka.producer()

    async def start(self) -> None:
        try:
            await self._reader.start()
            await self._looker.start()
            await self._producer.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._producer.stop()
        await self._looker.stop()
        await self._reader.stop()

    async def load(self, own: str = "") -> Ledger:
        """All of it. ``own``: the run whose entries are kept apart."""
        ledger = Ledger(own)
        await self.catch_up(ledger)
        return ledger

    async def catch_up(self, ledger: Ledger) -> None:
        """Read what was added since."""
        first, end = (await self._looker.bounds([self._at]))[self._at]
        start = max(first, ledger.next_offset)
        scan = Scan(self._reader, {self._at: Span(start, end)}, self._clocks.steady)
        async for records in scan.batches():
            for record in records:
                ledger.add(record)

    async def write(self, records: Sequence[Outgoing]) -> None:
        await self._producer.write(self._at.topic, records, 0)

    async def claim(self, ledger: Ledger, run: Run, say: Callable[[str], None]) -> None:
        """Make ``run`` that of this process (``run.token``). Raises ``Busy``."""
        holder = ledger.holders.get(run.source)
        if holder is not None and holder.token != run.token:
            await self._silent(ledger, holder, say)
        await self.write([started(run, ledger.next_offset, self._clocks.now())])
        await self.catch_up(ledger)
        holder = ledger.holders.get(run.source)
        if holder is not None and holder.token != run.token:
            raise Busy(ledger.runs[holder.run])

    async def _silent(self, ledger: Ledger, seen: Holder, say: Callable[[str], None]) -> None:
        """Return when the holder is surely dead. Raises ``Busy``."""
        run = ledger.runs[seen.run]
        if self._clocks.now() - run.alive_at > LONG_DEAD:
            return
        say(f"run {run.id} did not end: looking for {WATCH:.0f} s whether it lives")
        until = self._clocks.steady() + WATCH
        while self._clocks.steady() < until:
            await self._clocks.sleep(LOOK_EVERY)
            await self.catch_up(ledger)
            holder = ledger.holders.get(run.source)
            if holder is None:
                return
            if holder != seen:
                raise Busy(ledger.runs[holder.run])


class Hold:
    """What the process that has claimed a run keeps up while it works."""

    def __init__(self, desk: Desk, ledger: Ledger, run: Run, clocks: Clocks) -> None:
        self._desk = desk
        self._ledger = ledger
        self._run = run
        self._clocks = clocks
        self._said_at = clocks.steady()

    @property
    def stop_wanted(self) -> bool:
        """Whether somebody asked this run to stop."""
        return self._ledger.runs[self._run.id].stop_wanted

    @property
    def due(self) -> bool:
        return self._clocks.steady() - self._said_at >= ALIVE_EVERY

    @property
    def firm(self) -> bool:
        """Whether a write that starts now is still within what others wait for."""
        return self._clocks.steady() - self._said_at < FENCE

    async def say(self, counts: dict[str, object]) -> None:
        """Tell that the run lives, and listen. Raises ``Overtaken``."""
        at = self._clocks.steady()
        await self._desk.write([self._life("alive", counts=counts)])
        await self._desk.catch_up(self._ledger)
        holder = self._ledger.holders.get(self._run.source)
        if holder is None or holder.token != self._run.token:
            raise Overtaken
        self._said_at = at

    async def end(self, outcome: str, counts: dict[str, object]) -> None:
        await self._desk.write([self._life("end", outcome=outcome, counts=counts)])

    def _life(self, kind: str, **more: object) -> Outgoing:
        return life(self._run.id, kind, self._clocks.now(), token=self._run.token, **more)
