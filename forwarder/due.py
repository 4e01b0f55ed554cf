"""Retry topics: which of their records are due. The others stay there, not in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from forwarder.kafka.port import Consumer, Record, TopicPartition


class Due:
    """``delays``: retry topic to seconds. ``overdue``: told by how many seconds a topic is late."""

    def __init__(
        self,
        consumer: Consumer,
        delays: Mapping[str, float],
        overdue: Callable[[str, float], None],
    ) -> None:
        self._consumer = consumer
        self._delays = delays
        self._overdue = overdue
        self._paused_until: dict[TopicPartition, float] = {}

    def of(
        self, partition: TopicPartition, records: Sequence[Record], now: float
    ) -> Sequence[Record]:
        """The records whose delay is over. Reading goes back to the first that is not due."""
        delay = self._delays[partition.topic]
        for index, record in enumerate(records):
            due_at = record.timestamp / 1000 + delay
            if due_at > now:
                self._consumer.seek(partition, record.offset)
                self._consumer.pause([partition])
                # A clock that is ahead of ours must not hold a record for longer than its delay.
                self._paused_until[partition] = min(due_at, now + delay)
                self._overdue(partition.topic, 0.0)
                return records[:index]
        if records:
            self._overdue(partition.topic, now - (records[0].timestamp / 1000 + delay))
        return records

    def resume(self, now: float) -> None:
        """Read on where something is due by now."""
        due = [partition for partition, at in self._paused_until.items() if at <= now]
        for partition in due:
            del self._paused_until[partition]
        if due:
            self._consumer.resume(due)

    def clear(self) -> None:
        """The partitions are gone, and their pauses with them."""
        self._paused_until.clear()
