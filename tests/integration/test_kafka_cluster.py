"""Three brokers: partitions and groups move when one of them dies, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import (
    Committed,
    Kafka,
    KafkaProblem,
    Outgoing,
    Producer,
    TopicPartition,
    TopicSpec,
    Unavailable,
)
from tests.support.broker import Broker
from tests.support.kafka_harness import Listener

REPLICATED = {
    "offsets.topic.replication.factor": "3",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "num.network.threads": "1",
    "num.io.threads": "2",
}


@pytest.fixture
def brokers() -> Iterator[list[Broker]]:
    first = Broker(server_properties=REPLICATED, heap="256m")
    others = [
        Broker(server_properties=REPLICATED, heap="256m", join=first, node=node) for node in (2, 3)
    ]
    everyone = [first, *others]
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(Broker.start, everyone))
        yield everyone
    finally:
        for broker in reversed(everyone):
            broker.close()


@pytest.fixture
async def kafka(brokers: list[Broker]) -> Kafka:
    servers = ",".join(broker.bootstrap for broker in brokers)
    return open_kafka(Connection(servers, session_timeout=6.0, write_timeout=5.0))


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[Producer]:
    made = kafka.producer()
    await made.start()
    yield made
    await made.stop()


async def test_a_broker_dies_under_load(
    kafka: Kafka, brokers: list[Broker], producer: Producer, unique: str
) -> None:
    admin = kafka.admin()
    await admin.start()
    await admin.create([TopicSpec(unique, 6, -1, {})])
    assert (await admin.describe([unique]))[unique].replication == 3
    consumer = kafka.consumer(unique, [unique], Listener())
    await consumer.start()
    written: list[bytes] = []
    read: Counter[bytes] = Counter()
    done = asyncio.Event()

    async def write() -> None:
        for number in range(120):
            value = str(number).encode()
            records = [Outgoing(str(place).encode(), value, []) for place in range(12)]
            with contextlib.suppress(Unavailable):
                await producer.write(unique, records)
                written.append(value)
            await asyncio.sleep(0.05)
        done.set()

    async def consume() -> None:
        while not done.is_set() or any(read[value] < 12 for value in written):
            found = await consumer.poll(None, 500, 0.2)
            for at, records in found.items():
                read.update(record.value or b"" for record in records)
                with contextlib.suppress(KafkaProblem):
                    await consumer.commit({at: Committed(records[-1].offset + 1)})

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(consume())
        await asyncio.sleep(1.5)
        await asyncio.to_thread(brokers[2].kill)
    assert len(written) > 100
    ends = [TopicPartition(unique, number) for number in range(6)]
    assert sum(end for _, end in (await consumer.bounds(ends)).values()) >= len(written) * 12
    await consumer.stop()
    await admin.stop()


async def test_a_broker_that_hangs_keeps_nobody_from_starting(
    kafka: Kafka, brokers: list[Broker], producer: Producer, unique: str
) -> None:
    """Each client begins with a host at random, and asks a broker at random for its group."""
    admin = kafka.admin()
    await admin.start()
    await admin.create([TopicSpec(unique, 3, -1, {})])
    await admin.stop()
    await producer.write(unique, [Outgoing(b"k", b"v", [])], partition=0)
    brokers[1].freeze()
    try:
        async with asyncio.timeout(100):
            for _ in range(5):
                admin = kafka.admin()
                await admin.start()
                await admin.stop()
            consumer = kafka.consumer(unique, [unique], Listener())
            await consumer.start()
            while not await consumer.poll(None, 10, 0.5):
                pass
            await consumer.stop()
    finally:
        brokers[1].thaw()
