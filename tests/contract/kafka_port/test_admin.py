"""Looking at the cluster, and creating topics."""

from __future__ import annotations

import pytest

from forwarder.kafka.port import (
    Admin,
    Producer,
    Reader,
    Refused,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import (
    numbered,
    out,
    read,
)


async def test_topics_are_created_as_told(admin: Admin, unique: str) -> None:
    config = {"retention.ms": "3600000", "message.timestamp.type": "LogAppendTime"}
    await admin.create([TopicSpec(unique, 3, 1, config)])
    assert (await admin.topics())[unique] == 3
    info = (await admin.describe([unique, f"{unique}-missing"]))[unique]
    assert (info.name, info.partitions, info.replication) == (unique, 3, 1)
    assert config.items() <= info.config.items()
    assert f"{unique}-missing" not in await admin.topics()


async def test_an_existing_topic_stays_as_it_is(admin: Admin, unique: str) -> None:
    await admin.create([TopicSpec(unique, 3, -1, {})])
    await admin.create([TopicSpec(unique, 1, -1, {}), TopicSpec(f"{unique}-b", 1, -1, {})])
    there = await admin.topics()
    assert (there[unique], there[f"{unique}-b"]) == (3, 1)


async def test_partitions_can_be_added(admin: Admin, unique: str) -> None:
    await admin.create([TopicSpec(unique, 1, -1, {})])
    await admin.add_partitions(unique, 4)
    assert (await admin.topics())[unique] == 4
    with pytest.raises(Refused):
        await admin.add_partitions(unique, 2)


async def test_append_time_replaces_the_writers(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    config = {"message.timestamp.type": "LogAppendTime"}
    await admin.create([TopicSpec(unique, 1, -1, config)])
    await producer.write(unique, [out(b"v", at=1_000_000_000_000)])
    reader.assign([TopicPartition(unique, 0)])
    assert (await read(reader, 1))[0].timestamp > 1_700_000_000_000


async def test_records_can_be_deleted_from_the_front(
    admin: Admin, producer: Producer, reader: Reader, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(10))
    await admin.delete_records({at: 6})
    assert await reader.bounds([at]) == {at: (6, 10)}
    reader.assign([at])
    assert [record.offset for record in await read(reader, 4)] == [6, 7, 8, 9]


async def test_an_unknown_group_has_neither_members_nor_offsets(admin: Admin, unique: str) -> None:
    assert await admin.members(unique) == {}
    assert await admin.committed(unique) == {}
