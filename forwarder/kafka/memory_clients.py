"""Producer and admin of the in-memory cluster, and the way that all its clients take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from forwarder.kafka.connection import Connection
from forwarder.kafka.memory_group import Group
from forwarder.kafka.memory_log import DATA, GROUPS, Log, Network, spread
from forwarder.kafka.port import (
    Broken,
    Committed,
    KafkaProblem,
    Outgoing,
    Refused,
    TooLarge,
    TopicInfo,
    TopicPartition,
    TopicSpec,
    Unavailable,
)

T = TypeVar("T")


class World(Protocol):
    """What clients share."""

    connection: Connection
    log: Log
    network: Network
    fenced: set[str]
    may_create: bool

    def group(self, name: str) -> Group: ...
    def ack_delay(self, topic: str) -> float: ...


class Link:
    """One client's way to the cluster, under a name by which it can be cut."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._order: dict[str, asyncio.Lock] = {}

    async def ask(self, path: str, seconds: float, doing: str, action: Callable[[], T]) -> T:
        """There, ``action`` at the broker, and back. Raises ``Unavailable`` after the time.

        The action may have been done although the answer did not arrive in time.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.there(path)
                result = action()
                await self.through(path)
        except TimeoutError:
            raise Unavailable(f"{doing}: no answer in time") from None
        return result

    def open(self, path: str) -> bool:
        return self._world.network.open(self._name, path)

    async def there(self, path: str) -> None:
        """To the broker, in the order of sending, as on one connection: what was committed before
        a member joins again arrives before it has joined.
        """
        async with self._order.setdefault(path, asyncio.Lock()):
            await self.through(path)

    async def through(self, path: str) -> None:
        await self._world.network.through(self._name, path)


class MemoryProducer:
    """``Producer``.

    A batch that is under way when its writer gives up may still be written later: a frozen broker
    has it in its buffers. What waits behind it is withdrawn.
    """

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._link = Link(world, name)
        self._turns: dict[TopicPartition, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0

    async def start(self) -> None:
        limit = self._world.connection.request_timeout
        await self._link.ask(DATA, limit, "connecting the producer", _nothing)

    async def stop(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._world.connection.stop_timeout)
        self.kill()

    def kill(self) -> None:
        """End as with the process: what was not sent never will be."""
        for task in self._tasks:
            task.cancel()

    async def write(
        self, topic: str, records: Sequence[Outgoing], partition: int | None = None
    ) -> None:
        if not records:
            return
        self._turn += 1
        try:
            async with asyncio.timeout(self._world.connection.write_timeout):
                await self._link.through(DATA)
                parts = self._parts(topic, records, partition)
                sent = [await self._send(at, records, part) for at, part in parts.items()]
                await asyncio.wait(sent)
        except TimeoutError:
            raise Unavailable(f"writing to {topic}: no answer in time") from None
        _raise_worst(topic, [task.exception() for task in sent], list(parts.values()))

    def _parts(
        self, topic: str, records: Sequence[Outgoing], partition: int | None
    ) -> Mapping[TopicPartition, Sequence[int]]:
        count = len(self._world.log.topic(topic).partitions)
        if partition is not None and partition >= count:
            raise Refused(f"{topic} has no partition {partition}")
        if partition is not None:
            return {TopicPartition(topic, partition): range(len(records))}
        parts = spread(records, count, self._turn)
        return {TopicPartition(topic, number): part for number, part in sorted(parts.items())}

    async def _send(
        self, at: TopicPartition, records: Sequence[Outgoing], part: Sequence[int]
    ) -> asyncio.Task[None]:
        turn = self._turns.setdefault(at, asyncio.Lock())
        await turn.acquire()
        batch = [records[position] for position in part]
        task = asyncio.create_task(self._deliver(at, batch), name=f"write to {at.topic}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, turn))
        return task

    def _done(self, task: asyncio.Task[None], turn: asyncio.Lock) -> None:
        turn.release()
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when its writer has given up waiting

    async def _deliver(self, at: TopicPartition, batch: Sequence[Outgoing]) -> None:
        await self._link.through(DATA)
        if self._name in self._world.fenced:
            raise Broken("the producer is fenced")
        try:
            self._world.log.append(at, batch)
        finally:
            self._world.network.changed()
        await asyncio.sleep(self._world.ack_delay(at.topic))
        await self._link.through(DATA)


class MemoryAdmin:
    """``Admin``."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._link = Link(world, name)

    async def start(self) -> None:
        await self._ask(DATA, "connecting", _nothing)

    async def stop(self) -> None:
        return

    async def topics(self) -> Mapping[str, int]:
        log = self._world.log
        return await self._ask(
            DATA,
            "listing topics",
            lambda: {
                name: len(topic.partitions)
                for name, topic in log.topics.items()
                if name not in log.refused
            },
        )

    async def describe(self, names: Collection[str]) -> Mapping[str, TopicInfo]:
        there = await self.topics()
        return {name: self._info(name) for name in sorted(names) if name in there}

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        def action() -> None:
            if not self._world.may_create:
                names = ", ".join(spec.name for spec in specs)
                raise Refused(f"creating {names}: TopicAuthorizationFailedError")
            for spec in specs:
                self._world.log.add(spec)

        await self._ask(DATA, "creating topics", action)

    async def add_partitions(self, topic: str, total: int) -> None:
        action = self._world.log.grow
        await self._ask(DATA, f"adding partitions to {topic}", lambda: action(topic, total))

    async def committed(self, group: str) -> Mapping[TopicPartition, Committed]:
        found = self._world.group(group).committed
        return await self._ask(GROUPS, "reading committed offsets", lambda: dict(found))

    async def members(self, group: str) -> Mapping[TopicPartition, str]:
        return await self._ask(GROUPS, "describing a group", self._world.group(group).members)

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        def action() -> None:
            for at, offset in before.items():
                self._world.log.partition(at).delete_before(offset)

        await self._ask(DATA, "deleting records", action)

    def _info(self, name: str) -> TopicInfo:
        topic = self._world.log.topics[name]
        replication = max(1, topic.spec.replication)
        return TopicInfo(name, len(topic.partitions), replication, dict(topic.spec.config))

    async def _ask(self, path: str, doing: str, action: Callable[[], T]) -> T:
        limit = self._world.connection.request_timeout
        return await self._link.ask(path, limit, doing, action)


def _raise_worst(
    topic: str, errors: Sequence[BaseException | None], parts: Sequence[Sequence[int]]
) -> None:
    """Any other problem comes before ``TooLarge``, which says that the rest is written."""
    refused: list[int] = []
    for error, part in zip(errors, parts, strict=True):
        if isinstance(error, TooLarge):
            refused += [part[position] for position in error.records]
        elif isinstance(error, KafkaProblem):
            raise error
    if refused:
        raise TooLarge(f"{len(refused)} records are too large for {topic}", sorted(refused))


def _nothing() -> None:
    return
