"""Reader of the in-memory cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from forwarder.kafka.memory_clients import Link, World
from forwarder.kafka.memory_group import Group
from forwarder.kafka.memory_log import DATA, GROUPS
from forwarder.kafka.port import (
    Committed,
    Record,
    Refused,
    Stale,
    TopicPartition,
)

T = TypeVar("T")


class MemoryReader:
    """``Reader``."""

    def __init__(self, world: World, name: str, group: str | None) -> None:
        self._world = world
        self._link = Link(world, name)
        self._group: Group | None = None if group is None else world.group(group)
        self._assigned: tuple[TopicPartition, ...] = ()
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._first = 0
        self._stopped = False

    async def start(self) -> None:
        await self._ask(DATA, "connecting", lambda: None)

    async def stop(self) -> None:
        self._stopped = True
        self._world.network.changed()

    def kill(self) -> None:
        self._stopped = True

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        self._assigned = tuple(sorted(partitions))
        self._positions = {}
        self._paused = set()

    async def poll(
        self, partitions: Collection[TopicPartition] | None, max_records: int, timeout: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        if self._stopped:
            raise Stale("reading: the reader is stopped")
        if max_records < 1:
            raise ValueError("max_records is 1 or more")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            if self._link.open(DATA) and self._has_any(partitions):
                await self._link.through(DATA)
                if found := self._take(partitions, max_records):
                    return found
            if loop.time() >= deadline or self._stopped:
                return {}
            await self._change(deadline - loop.time())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._assigned:
            raise Stale(f"{partition.topic}/{partition.partition} is not assigned")
        self._positions[partition] = offset
        self._world.network.changed()

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        action = self._kept().commit_from_outside
        if not offsets:
            return
        self._check_assigned(offsets)
        await self._commit(lambda: action(offsets))

    async def committed(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Committed | None]:
        found = self._kept().committed
        return await self._ask(
            GROUPS,
            "reading committed offsets",
            lambda: {partition: found.get(partition) for partition in partitions},
        )

    async def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        def action() -> dict[TopicPartition, tuple[int, int]]:
            found = {at: self._world.log.partition(at) for at in partitions}
            return {at: (partition.first, partition.end) for at, partition in found.items()}

        return await self._ask(DATA, "reading the ends of partitions", action)

    async def offsets_at(
        self, times: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int | None]:
        def action() -> dict[TopicPartition, int | None]:
            log = self._world.log
            return {at: log.partition(at).offset_at(time) for at, time in times.items()}

        return await self._ask(DATA, "looking for offsets by time", action)

    def _kept(self) -> Group:
        if self._group is None:
            raise Refused("a reader without a group keeps no offsets")
        return self._group

    def _check_assigned(self, offsets: Collection[TopicPartition]) -> None:
        for partition in offsets:
            if partition not in self._assigned:
                raise Stale(f"committing: {partition.topic}/{partition.partition} is not assigned")

    async def _commit(self, action: Callable[[], None]) -> None:
        limit = self._world.connection.commit_timeout
        await self._link.ask(GROUPS, limit, "committing", action)

    async def _ask(self, path: str, doing: str, action: Callable[[], T]) -> T:
        return await self._link.ask(path, self._world.connection.request_timeout, doing, action)

    async def _change(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._world.network.change()
        except TimeoutError:
            return

    def _wanted(self, partitions: Collection[TopicPartition] | None) -> list[TopicPartition]:
        """Assigned, not paused, with a known position; another one is first each time."""
        turned = self._assigned[self._first :] + self._assigned[: self._first]
        return [
            at
            for at in turned
            if at not in self._paused
            and (partitions is None or at in partitions)
            and self._position(at) is not None
        ]

    def _position(self, at: TopicPartition) -> int | None:
        """Where to read on: found at first use, which for a group needs its coordinator."""
        partition = self._world.log.partition(at)
        offset = self._positions.get(at)
        if offset is None:
            if self._group is not None and not self._link.open(GROUPS):
                return None
            kept = None if self._group is None else self._group.committed.get(at)
            offset = partition.first if kept is None else kept.offset
        if not partition.first <= offset <= partition.end:
            offset = partition.first
        self._positions[at] = offset
        return offset

    def _has_any(self, partitions: Collection[TopicPartition] | None) -> bool:
        log = self._world.log
        return any(self._positions[at] < log.partition(at).end for at in self._wanted(partitions))

    def _take(
        self, partitions: Collection[TopicPartition] | None, max_records: int
    ) -> dict[TopicPartition, Sequence[Record]]:
        found: dict[TopicPartition, Sequence[Record]] = {}
        for at in self._wanted(partitions):
            records = self._world.log.partition(at).read(self._positions[at], max_records)
            if records:
                self._positions[at] = records[-1].offset + 1
                found[at] = records
                max_records -= len(records)
            if max_records <= 0:
                break
        self._first = (self._first + 1) % max(1, len(self._assigned))
        return found

    def _backlog(self) -> dict[str, int]:
        log = self._world.log.topics
        return {
            at.topic: log[at.topic].partitions[at.partition].end - offset
            for at, offset in self._positions.items()
            if at.topic in log
        }
