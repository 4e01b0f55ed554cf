"""The two clusters that the contract is checked on, with the few things done from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import Consumer, Kafka, Outgoing, Reader, Record, TopicPartition

WAIT = 20.0


class Cluster(Protocol):
    def client(self) -> Kafka: ...
    async def put_out(self, group: str, client_id: str) -> None:
        """Remove a member that thinks it is one."""
        ...


class RealCluster:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def client(self) -> Kafka:
        return open_kafka(Connection(self._bootstrap, session_timeout=6.0))

    async def put_out(self, group: str, client_id: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([group])
            ids = [member[0] for member in answer.groups[0][5] if member[1] == client_id]
            coordinator = await admin.find_coordinator(group)
            for member_id in ids:
                await admin._send_request(LeaveGroupRequest(group, member_id), coordinator)
        finally:
            await admin.close()


class InMemoryCluster:
    def __init__(self) -> None:
        connection = Connection("memory", session_timeout=1.0)
        self._cluster = MemoryCluster(time.time, connection=connection, latency=lambda: 0.001)

    def client(self) -> Kafka:
        return self._cluster.client("test")

    async def put_out(self, group: str, client_id: str) -> None:
        self._cluster.put_out(group, client_id)


@dataclass
class Listener:
    """Writes down what it is told; ``on_revoked`` runs inside the callback."""

    told: list[tuple[str, frozenset[TopicPartition]]] = field(default_factory=list)
    on_revoked: Callable[[], Awaitable[None]] | None = None
    on_assigned: Callable[[], Awaitable[None]] | None = None

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("assigned", frozenset(partitions)))
        if self.on_assigned is not None:
            await self.on_assigned()

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("revoked", frozenset(partitions)))
        if self.on_revoked is not None:
            await self.on_revoked()

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        self.told.append(("lost", frozenset(partitions)))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


async def until(
    condition: Callable[[], bool], *, within: float = 40.0, polling: Collection[Consumer] = ()
) -> None:
    """Wait for it, reading nothing from ``polling`` meanwhile."""
    async with asyncio.timeout(within):
        while not condition():
            for consumer in polling:
                await consumer.poll([], 1, 0.01)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def member(
    kafka: Kafka,
    group: str,
    topics: Sequence[str],
    *,
    listener: Listener | None = None,
    units: dict[str, str] | None = None,
    client_id: str = "one",
) -> AsyncIterator[Consumer]:
    made = kafka.consumer(group, topics, listener or Listener(), units=units, client_id=client_id)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def out(value: bytes | None, key: bytes | None = None, at: int | None = None) -> Outgoing:
    return Outgoing(key, value, [], at)


def numbered(count: int) -> list[Outgoing]:
    return [out(str(number).encode(), b"k", 1_700_000_000_000 + number) for number in range(count)]


async def read(
    source: Reader, count: int, partitions: Sequence[TopicPartition] | None = None
) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(WAIT):
        while len(found) < count:
            for records in (await source.poll(partitions, count - len(found), 0.2)).values():
                found += records
    return found


async def read_nothing(
    source: Reader, partitions: Sequence[TopicPartition] | None = None, seconds: float = 0.7
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert not await source.poll(partitions, 10, 0.1)
