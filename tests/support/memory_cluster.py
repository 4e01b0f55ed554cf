"""The in-memory cluster on a virtual clock, and a member that writes down what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import (
    Consumer,
    KafkaProblem,
    Outgoing,
    TopicPartition,
)

SESSION, REBALANCE, COMMIT, WRITE = 15.0, 60.0, 5.0, 5.0
BEAT = SESSION / 5
Q = TopicPartition("q", 0)


class Diary:
    """What a member was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, tuple[TopicPartition, ...]]] = []
        self.on_revoked: Callable[[], Awaitable[None]] | None = None

    def note(self, what: str, partitions: Collection[TopicPartition]) -> None:
        self.told.append((now(), what, tuple(partitions)))

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.note("assigned", partitions)

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.note("revoked", partitions)
        if self.on_revoked is not None:
            await self.on_revoked()

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        self.note("lost", partitions)

    def times(self, what: str) -> list[float]:
        return [at for at, name, partitions in self.told if name == what and partitions]


def now() -> float:
    return asyncio.get_running_loop().time()


def cluster(*topics: str, latency: float = 0.0) -> MemoryCluster:
    made = MemoryCluster(
        lambda: 1_000_000 + now(),
        connection=Connection(
            "memory",
            session_timeout=SESSION,
            rebalance_timeout=REBALANCE,
            write_timeout=WRITE,
        ),
        latency=lambda: latency,
    )
    for topic in topics or ("q",):
        made.add_topic(topic)
    return made


def out(value: bytes = b"v") -> Outgoing:
    return Outgoing(None, value, [])


async def joined(made: MemoryCluster, name: str, diary: Diary, *topics: str) -> Consumer:
    consumer = made.client(name).consumer("g", topics or ("q",), diary, units={}, client_id=name)
    await consumer.start()
    return consumer


async def raises_after(seconds: float, kind: type[KafkaProblem], doing: Awaitable[object]) -> None:
    began = now()
    with pytest.raises(kind):
        await doing
    assert now() - began == pytest.approx(seconds)
