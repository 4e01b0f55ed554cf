"""The in-memory cluster's topics, and the network between it and its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from forwarder.kafka.port import Headers, Outgoing, Refused, TooLarge, TopicPartition, TopicSpec

DATA: Final = "data"
GROUPS: Final = "groups"
DEFAULT_BYTES: Final = 1_048_588
FOREVER: Final = 1 << 62
# Length, attributes, deltas and lengths of a record and of its batch, roughly.
FRAMING: Final = 80


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """``Record``."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Partition:
    """Records from offset ``first`` on."""

    first: int = 0
    records: list[MemoryRecord] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.first + len(self.records)

    def read(self, offset: int, most: int) -> list[MemoryRecord]:
        start = max(offset, self.first) - self.first
        return self.records[start : start + most]

    def offset_at(self, time: int) -> int | None:
        found = (record.offset for record in self.records if record.timestamp >= time)
        return next(found, None)

    def delete_before(self, offset: int) -> None:
        gone = min(max(offset - self.first, 0), len(self.records))
        del self.records[:gone]
        self.first += gone


@dataclass(slots=True)
class Topic:
    spec: TopicSpec
    partitions: list[Partition]

    @property
    def largest(self) -> int:
        return int(self.spec.config.get("max.message.bytes", DEFAULT_BYTES))

    @property
    def stamps(self) -> bool:
        """Whether the broker's time replaces the writer's."""
        return self.spec.config.get("message.timestamp.type") == "LogAppendTime"

    def takes(self, ahead: int) -> bool:
        """Whether a time may be so many milliseconds ahead of the broker's."""
        config = self.spec.config
        before = int(config.get("message.timestamp.before.max.ms", FOREVER))
        after = int(config.get("message.timestamp.after.max.ms", FOREVER))
        return -before <= ahead <= after


class Log:
    """Topics of one cluster. ``now``: epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.topics: dict[str, Topic] = {}
        self.refused: set[str] = set()

    def add(self, spec: TopicSpec) -> None:
        if spec.name not in self.topics:
            partitions = [Partition() for _ in range(spec.partitions)]
            self.topics[spec.name] = Topic(spec, partitions)

    def grow(self, name: str, total: int) -> None:
        partitions = self.topic(name).partitions
        if total <= len(partitions):
            raise Refused(f"adding partitions to {name}: it has {len(partitions)} already")
        partitions += [Partition() for _ in range(total - len(partitions))]

    def topic(self, name: str) -> Topic:
        if name in self.refused:
            raise Refused(f"not authorised to use topics: {name}")
        if name not in self.topics:
            raise Refused(f"missing topics: {name}")
        return self.topics[name]

    def partition(self, at: TopicPartition) -> Partition:
        partitions = self.topic(at.topic).partitions
        if at.partition >= len(partitions):
            raise Refused(f"{at.topic} has no partition {at.partition}")
        return partitions[at.partition]

    def append(self, at: TopicPartition, records: Sequence[Outgoing]) -> None:
        """Append those that fit. Raises ``TooLarge`` for the others, afterwards."""
        topic, partition = self.topic(at.topic), self.partition(at)
        refused = []
        for position, outgoing in enumerate(records):
            if size(outgoing) > topic.largest:
                refused.append(position)
            else:
                partition.records.append(self._record(at, topic, partition.end, outgoing))
        if refused:
            text = f"{len(refused)} of {len(records)} records are too large for {at.topic}"
            raise TooLarge(text, refused)

    def _record(
        self, at: TopicPartition, topic: Topic, offset: int, outgoing: Outgoing
    ) -> MemoryRecord:
        now = round(self._now() * 1000)
        told = outgoing.timestamp
        timestamp = now if topic.stamps or told is None or not topic.takes(told - now) else told
        headers = tuple(outgoing.headers)
        return MemoryRecord(*at, offset, timestamp, outgoing.key, outgoing.value, headers)


def size(outgoing: Outgoing) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in outgoing.headers)
    return FRAMING + len(outgoing.key or b"") + len(outgoing.value or b"") + headers


class Network:
    """Who can reach what. ``latency``: seconds of each way of an exchange."""

    def __init__(self, latency: Callable[[], float]) -> None:
        self._latency = latency
        self._changes: asyncio.Future[None] | None = None
        self.down = False
        self.cut: dict[str, set[str]] = {}

    def open(self, name: str, path: str) -> bool:
        return not self.down and path not in self.cut.get(name, ())

    def set_cut(self, name: str, paths: set[str]) -> None:
        self.cut[name] = paths
        self.changed()

    def changed(self) -> None:
        """Wake all that wait for the network, or for records."""
        waiting, self._changes = self._changes, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def change(self) -> None:
        if self._changes is None or self._changes.done():
            self._changes = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changes)

    async def through(self, name: str, path: str) -> None:
        """Pass one way, however long the way stays shut."""
        while True:
            while not self.open(name, path):
                await self.change()
            await asyncio.sleep(self._latency())
            if self.open(name, path):
                return


def spread(records: Sequence[Outgoing], partitions: int, turn: int) -> Mapping[int, Sequence[int]]:
    """Positions by partition: by key, and those without a key together."""
    found: dict[int, list[int]] = {}
    for position, record in enumerate(records):
        hashed = turn if record.key is None else sum(record.key)
        found.setdefault(hashed % partitions, []).append(position)
    return found
