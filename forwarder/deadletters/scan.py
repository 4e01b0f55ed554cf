"""Reading a topic once, from start to the ends that it had when the reading began."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from forwarder.kafka.port import Admin, Reader, Record, Refused, TopicPartition, Unavailable

POLL_RECORDS: Final = 2_000
POLL_SECONDS: Final = 1.0
QUIET: Final = 10.0
"""Seconds of asking without a record after which it is looked into: what is left may have been
deleted, and where a producer uses transactions its last offsets may be no records at all.
"""
SLACK: Final = 60.0
"""Seconds that the clock of one writer may be behind that of another."""


class Span(NamedTuple):
    """Offsets of one partition, from ``start`` (included) to ``end`` (excluded)."""

    start: int
    end: int


Spans = Mapping[TopicPartition, Span]


def size(spans: Spans) -> int:
    """Offsets in all of them."""
    return sum(max(0, span.end - span.start) for span in spans.values())


async def partitions(admin: Admin, topic: str) -> list[TopicPartition]:
    """Raises ``Refused`` when the topic is not there."""
    found = await admin.topics()
    if topic not in found:
        raise Refused(f"the cluster has no topic {topic} that this principal can see")
    return [TopicPartition(topic, number) for number in range(found[topic])]


async def spans(
    reader: Reader, wanted: Sequence[TopicPartition], since: float | None = None
) -> dict[TopicPartition, Span]:
    """Where each partition begins and ends now. ``since``: leave out what was written (by the
    records' timestamps) more than ``SLACK`` before that; epoch seconds.
    """
    if not wanted:
        return {}
    bounds = await reader.bounds(wanted)
    if since is None:
        return {at: Span(*bounds[at]) for at in wanted}
    time = max(0, int((since - SLACK) * 1000))
    starts = await reader.offsets_at(dict.fromkeys(wanted, time))
    found = {}
    for at in wanted:
        start, (_, end) = starts[at], bounds[at]
        found[at] = Span(end if start is None else min(start, end), end)
    return found


class Scan:
    """One pass over ``spans``. ``position``: by partition, the next offset that was not handed
    out. ``foreign``: a topic that others write to, perhaps in transactions, so that silence is an
    end there, as long as the brokers answer.
    """

    def __init__(
        self,
        reader: Reader,
        spans: Spans,
        clock: Callable[[], float],
        *,
        foreign: bool = False,
    ) -> None:
        self.position = {at: span.start for at, span in spans.items()}
        self._reader = reader
        self._ends = {at: span.end for at, span in spans.items()}
        self._left = {at for at, span in spans.items() if span.start < span.end}
        self._clock = clock
        self._foreign = foreign
        self._quiet = 0.0
        if spans:
            reader.assign(sorted(spans))
        for at in sorted(self._left):
            reader.seek(at, spans[at].start)

    @property
    def done(self) -> bool:
        return not self._left

    @property
    def left(self) -> int:
        """Offsets not handed out yet."""
        return sum(self._ends[at] - self.position[at] for at in self._left)

    async def read(
        self, most: int = POLL_RECORDS, seconds: float = POLL_SECONDS
    ) -> Sequence[Record]:
        """The next records, in the order of each partition; none at the end, or when none came in
        time. Raises ``KafkaProblem``.
        """
        if not self._left:
            return ()
        asked_at = self._clock()
        found = await self._reader.poll(sorted(self._left), most, seconds)
        if any(found.values()):
            self._quiet = 0.0
        else:  # only time spent asking counts
            self._quiet += self._clock() - asked_at
            if self._quiet >= QUIET:
                self._look_into(await self._reader.bounds(sorted(self._left)))
        return [record for at, records in found.items() for record in self._within(at, records)]

    async def batches(self) -> AsyncIterator[Sequence[Record]]:
        """All that is left, a poll at a time."""
        while not self.done:
            records = await self.read()
            if records:
                yield records

    def _within(self, at: TopicPartition, records: Sequence[Record]) -> Sequence[Record]:
        if at not in self._left or not records:
            return ()
        end = self._ends[at]
        self.position[at] = min(records[-1].offset + 1, end)
        if self.position[at] < end:
            return records
        self._finish([at])
        return [record for record in records if record.offset < end]

    def _look_into(self, bounds: Mapping[TopicPartition, tuple[int, int]]) -> None:
        self._quiet = 0.0
        gone = [at for at, (first, _) in bounds.items() if first >= self._ends[at]]
        self._finish(list(self._left) if self._foreign else gone)
        if self._left:
            at = min(self._left)
            raise Unavailable(f"no records come from {at.topic}/{at.partition}")

    def _finish(self, done: Iterable[TopicPartition]) -> None:
        for at in done:
            self.position[at] = self._ends[at]
            self._left.discard(at)
