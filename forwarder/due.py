"""Retry topics: which of their records are due. The others stay there, not in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from forwarder.kafka.port import Consumer, Record, TopicPartition


class Due:
    """``delays``: retry topic to seconds."""

    def __init__(self, consumer: Consumer, delays: Mapping[str, float]) -> None:
        self._consumer = consumer
        self._delays = delays
        self._first: dict[TopicPartition, float] = {}
        """When the first record that is not routed yet is due, of what was read."""
        self._paused_until: dict[TopicPartition, float] = {}
        self._seen: dict[TopicPartition, tuple[int, float]] = {}
        """The highest offset of a poll, and when that was: what is below was written before."""

    def of(
        self, partition: TopicPartition, records: Sequence[Record], now: float
    ) -> Sequence[Record]:
        """The records whose delay is over. Reading goes back to the first that is not due."""
        if not records:
            return records
        delay = self._delays[partition.topic]
        seen_to, seen_at = self._see(partition, records, now)
        for index, record in enumerate(records):
            # A clock that is ahead of ours must not hold a record for longer than its delay.
            known_since = seen_at if record.offset <= seen_to else now
            due_at = min(record.timestamp / 1000, known_since) + delay
            if index == 0:
                self._first[partition] = due_at
            if due_at > now:
                self._consumer.seek(partition, record.offset)
                self._consumer.pause([partition])
                self._paused_until[partition] = due_at
                return records[:index]
        return records

    def routed(self, partitions: Iterable[TopicPartition]) -> None:
        """What ``of`` gave of these is in the queues."""
        for partition in partitions:
            if partition in self._paused_until:
                self._first[partition] = self._paused_until[partition]
            else:
                self._first.pop(partition, None)

    def overdue(self, now: float) -> Mapping[str, float]:
        """By how many seconds each retry topic is late; it grows while nothing is routed."""
        late = dict.fromkeys(self._delays, 0.0)
        for partition, due_at in self._first.items():
            late[partition.topic] = max(late[partition.topic], now - due_at)
        return late

    def _see(
        self, partition: TopicPartition, records: Sequence[Record], now: float
    ) -> tuple[int, float]:
        seen = self._seen.get(partition)
        if seen is None or records[0].offset > seen[0]:
            seen = self._seen[partition] = (records[-1].offset, now)
        return seen

    def resume(self, now: float) -> None:
        """Read on where something is due by now."""
        due = [partition for partition, at in self._paused_until.items() if at <= now]
        for partition in due:
            del self._paused_until[partition]
        if due:
            self._consumer.resume(due)

    def reread(self) -> None:
        """What was read is read again: also what stood before a pause."""
        self._consumer.resume(self._paused_until)
        self._paused_until.clear()

    def clear(self) -> None:
        """The partitions are gone, and their pauses with them."""
        self._first.clear()
        self._paused_until.clear()
        self._seen.clear()
