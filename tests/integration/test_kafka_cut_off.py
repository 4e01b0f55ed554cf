"""A member that is cut from its group's coordinator only, in memory and on a real broker alike."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import (
    Committed,
    Consumer,
    Kafka,
    Outgoing,
    Stale,
    TopicPartition,
    TopicSpec,
    Unavailable,
)
from tests.support.broker import Broker, free_port
from tests.support.kafka_harness import Listener, until
from tests.support.proxy import COORDINATOR, Proxy

AT = TopicPartition("q", 0)


@dataclass(frozen=True)
class Place:
    """``victim`` and ``other`` see one cluster; ``cut`` and ``mend`` are about the victim."""

    victim: Kafka
    other: Kafka
    cut: Callable[[], None]
    mend: Callable[[], None]


def connection(bootstrap: str) -> Connection:
    return Connection(bootstrap, session_timeout=6.0, commit_timeout=2.0, request_timeout=6.0)


@asynccontextmanager
async def in_memory() -> AsyncIterator[Place]:
    cluster = MemoryCluster(time.time, connection=connection("memory"))
    yield Place(
        cluster.client("victim"),
        cluster.client("other"),
        lambda: cluster.partition_off("victim"),
        lambda: cluster.thaw("victim"),
    )


@asynccontextmanager
async def on_a_broker() -> AsyncIterator[Place]:
    outer, inner = free_port(), free_port()
    local = "PLAINTEXT://127.0.0.1:{port}"
    controller = "CONTROLLER://127.0.0.1:{controller_port}"
    protocols = "PLAINTEXT:PLAINTEXT,WIRE:PLAINTEXT,CONTROLLER:PLAINTEXT"
    properties = {
        "listeners": f"{local},WIRE://127.0.0.1:{inner},{controller}",
        "advertised.listeners": f"{local},WIRE://127.0.0.1:{outer}",
        "listener.security.protocol.map": protocols,
        "inter.broker.listener.name": "PLAINTEXT",
    }
    with Broker(server_properties=properties) as broker:
        async with Proxy(outer, inner) as wire:
            yield Place(
                open_kafka(connection(f"127.0.0.1:{outer}")),
                open_kafka(connection(broker.bootstrap)),
                lambda: setattr(wire, "dropped", COORDINATOR),
                lambda: setattr(wire, "dropped", ()),
            )


@pytest.mark.parametrize("place", [in_memory, on_a_broker])
async def test_it_reads_on_unknowing_may_not_commit_and_is_told_when_it_returns(
    place: Callable[[], AbstractAsyncContextManager[Place]],
) -> None:
    async with place() as here:
        await _scenario(here)


async def _scenario(here: Place) -> None:
    admin, producer = here.other.admin(), here.other.producer()
    await admin.start()
    await producer.start()
    await admin.create([TopicSpec(AT.topic, 1, -1, {})])
    told = Listener()
    victim = here.victim.consumer("g", [AT.topic], told, units={}, client_id="victim")
    other = here.other.consumer("g", [AT.topic], Listener(), units={}, client_id="other")
    await victim.start()
    await victim.commit({AT: Committed(0, "mine")})

    here.cut()
    began = time.monotonic()
    await other.start()
    assert 3.0 < time.monotonic() - began < 30.0
    assert other.assignment() == {AT}
    await producer.write(AT.topic, [Outgoing(None, b"v", [])])
    assert await _reads_one(other)
    assert await _reads_one(victim)
    assert told.names == ["assigned"]
    assert victim.assignment() == {AT}
    with pytest.raises(Unavailable):
        await victim.commit({AT: Committed(1, "too late")})
    await other.commit({AT: Committed(1, "rightly")})

    here.mend()
    with pytest.raises(Stale):
        await _commits(victim)
    await until(lambda: told.names[:3] == ["assigned", "lost", "assigned"], polling=[victim, other])
    assert await admin.committed("g") == {AT: Committed(1, "rightly")}
    for client in (victim, other, producer, admin):
        await client.stop()


async def _commits(victim: Consumer) -> None:
    """What it asked for while it was cut off is asked again after ``request_timeout``."""
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(Unavailable):
                return await victim.commit({AT: Committed(1, "too late")})


async def _reads_one(consumer: Consumer) -> bool:
    async with asyncio.timeout(10):
        while not await consumer.poll(None, 1, 0.5):
            pass
    return True
