"""When a record of a retry topic is due, whatever the clock said that stamped it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import cast

from forwarder.due import Due
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.kafka.port import Consumer, Record, TopicPartition

AT = TopicPartition("retry.1m", 0)
DELAY = 60.0
NOW = 1_000_000.0


@dataclass
class Position:
    """As much of a consumer as pausing needs."""

    offset: int = 0
    paused: set[TopicPartition] = field(default_factory=set)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.offset = offset

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self.paused.difference_update(partitions)


def stamped(*times: float) -> list[MemoryRecord]:
    return [
        MemoryRecord(*AT, offset, int(at * 1000), None, b"", []) for offset, at in enumerate(times)
    ]


def released(records: Sequence[Record], until: float, step: float = 1.0) -> dict[int, float]:
    """Offset to seconds after ``NOW`` at which each came out, polling every ``step``."""
    position, out = Position(), {}
    due = Due(cast("Consumer", position), {AT.topic: DELAY})
    for tick in range(int(until / step)):
        now = NOW + tick * step
        due.resume(now)
        if AT in position.paused:
            continue
        polled = records[position.offset :]
        position.offset = len(records)
        for record in due.of(AT, polled, now):
            out[record.offset] = now - NOW
    return out


def test_the_delay_counts_from_the_records_own_time() -> None:
    assert released(stamped(NOW - 50, NOW - 10), 100) == {0: 10, 1: 50}


def test_a_clock_that_is_ahead_holds_nothing_for_longer_than_the_delay() -> None:
    day = 86_400.0
    assert released(stamped(NOW + day, NOW + day, NOW + 2 * day), 1000) == {0: 60, 1: 60, 2: 60}


def test_a_clock_that_is_a_little_ahead_holds_for_the_delay() -> None:
    assert released(stamped(NOW + 5), 1000) == {0: 60}


def test_a_record_ahead_of_its_time_does_not_let_others_out_early() -> None:
    assert released(stamped(NOW + 86_400, NOW - 1), 1000) == {0: 60, 1: 60}
    assert released(stamped(NOW - 70, NOW + 86_400, NOW - 70), 1000) == {0: 0, 1: 60, 2: 60}


def test_a_clock_that_is_behind_makes_it_due_at_once() -> None:
    assert released(stamped(NOW - 86_400), 10) == {0: 0}


def test_it_is_overdue_from_its_time_until_it_is_routed() -> None:
    due = Due(cast("Consumer", Position()), {AT.topic: DELAY})
    other = TopicPartition(AT.topic, 1)
    assert due.overdue(NOW) == {AT.topic: 0.0}
    due.of(other, stamped(NOW), NOW)  # not due for a minute
    assert len(due.of(AT, stamped(NOW - 100, NOW - 10), NOW)) == 1
    assert due.overdue(NOW) == {AT.topic: 40.0}
    assert due.overdue(NOW + 5) == {AT.topic: 45.0}  # its write hangs
    due.routed([AT])
    assert due.overdue(NOW + 5) == {AT.topic: 0.0}
    assert due.overdue(NOW + 70) == {AT.topic: 20.0}  # nobody reads the next one
    due.resume(NOW + 70)
    due.of(AT, stamped(NOW - 100, NOW - 10)[1:], NOW + 70)
    due.routed([AT])
    assert due.overdue(NOW + 70) == {AT.topic: 10.0}
    due.clear()
    assert due.overdue(NOW + 99) == {AT.topic: 0.0}


def test_what_was_due_before_a_pause_is_read_again_when_its_write_failed() -> None:
    position = Position()
    due = Due(cast("Consumer", position), {AT.topic: DELAY})
    assert len(due.of(AT, stamped(NOW - 100, NOW), NOW)) == 1
    assert AT in position.paused
    due.reread()
    assert AT not in position.paused
