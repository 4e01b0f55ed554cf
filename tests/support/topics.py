"""What stands in topics, and records put there from outside."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing, Record, TopicPartition, TopicSpec


async def records(bootstrap: str, topic: str) -> list[Record]:
    """All that stands in a topic."""
    kafka = open_kafka(Connection(bootstrap))
    admin, reader = kafka.admin(), kafka.reader()
    await admin.start()
    try:
        partitions = [TopicPartition(topic, n) for n in range((await admin.topics())[topic])]
    finally:
        await admin.stop()
    await reader.start()
    try:
        bounds = await reader.bounds(partitions)
        reader.assign(partitions)
        found: list[Record] = []
        while len(found) < sum(end - first for first, end in bounds.values()):
            for some in (await reader.poll(None, 1000, 1.0)).values():
                found += some
        return found
    finally:
        await reader.stop()


async def put(bootstrap: str, topic: str, written: Sequence[Outgoing]) -> None:
    """Write to the first partition of a topic that exists."""
    producer = open_kafka(Connection(bootstrap)).producer()
    await producer.start()
    try:
        await producer.write(topic, written, 0)
    finally:
        await producer.stop()


async def create(bootstrap: str, *specs: TopicSpec) -> None:
    admin = open_kafka(Connection(bootstrap)).admin()
    await admin.start()
    try:
        await admin.create(specs)
    finally:
        await admin.stop()


def header(record: Record, name: str) -> str:
    """One of the forwarder's headers, by the end of its name."""
    return (dict(record.headers)[f"forwarder-{name}"] or b"").decode()
