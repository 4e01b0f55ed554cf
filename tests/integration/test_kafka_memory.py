"""What clients of the brokers leave in memory for the garbage collector to find one day: it counts
objects, and some hundred of them can hold hundreds of MiB.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Iterator

import pytest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Kafka, Outgoing, Reader, TopicPartition, TopicSpec

KIB = 1 << 10
TIMES = 6
RECORDS = 2000


@pytest.fixture
def traced() -> Iterator[None]:
    """Python's memory is counted, and nothing is collected."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


@pytest.fixture
def kafka(kafka_bootstrap: str) -> Kafka:
    return open_kafka(Connection(kafka_bootstrap))


@pytest.fixture
async def partition(kafka: Kafka, unique: str) -> TopicPartition:
    """One with 2 MiB."""
    admin, producer = kafka.admin(), kafka.producer()
    await admin.start()
    await admin.create([TopicSpec(unique, 1, -1, {})])
    await admin.stop()
    await producer.start()
    records = [Outgoing(None, os.urandom(KIB), []) for _ in range(RECORDS)]
    await producer.write(unique, records, 0)
    await producer.stop()
    return TopicPartition(unique, 0)


async def _opened(kafka: Kafka, partition: TopicPartition) -> Reader:
    reader = kafka.reader(None)
    await reader.start()
    reader.assign([partition])
    return reader


async def _read_a_little(reader: Reader, partition: TopicPartition, offset: int = 0) -> None:
    reader.seek(partition, offset)
    assert await reader.poll([partition], 10, 10.0)
    await asyncio.sleep(0.2)  # it fetches ahead


async def test_a_closed_reader_keeps_nothing_of_what_it_fetched(
    kafka: Kafka, partition: TopicPartition, traced: None
) -> None:
    """A sender opens one for every lane of a vendor without dedup, at every rebalance."""
    before = 0
    for time in range(TIMES + 1):
        reader = await _opened(kafka, partition)
        await _read_a_little(reader, partition)
        await reader.stop()
        before = before if time else tracemalloc.get_traced_memory()[0]
    assert tracemalloc.get_traced_memory()[0] - before < TIMES * 100 * KIB


async def test_what_was_fetched_and_is_passed_over_is_not_kept(
    kafka: Kafka, partition: TopicPartition, traced: None
) -> None:
    """So it is at each pause of a full lane, and with retries that are not due yet."""
    reader = await _opened(kafka, partition)
    before = 0
    for time in range(TIMES + 1):
        await _read_a_little(reader, partition, 700 * (time % 2))
        before = before if time else tracemalloc.get_traced_memory()[0]
    assert tracemalloc.get_traced_memory()[0] - before < TIMES * 100 * KIB
    await reader.stop()
