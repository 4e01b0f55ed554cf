"""What reading means, with and without a group to keep the place in."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.kafka.port import (
    Admin,
    Committed,
    Kafka,
    Producer,
    Reader,
    Refused,
    Stale,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import (
    WAIT,
    member,
    numbered,
    out,
    read,
    read_nothing,
)


async def test_only_the_partitions_asked_for_are_read(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 2, -1, {})])
    one, other = TopicPartition(unique, 0), TopicPartition(unique, 1)
    await producer.write(unique, [out(b"one")], partition=0)
    await producer.write(unique, [out(b"other")], partition=1)
    reader.assign([one, other])
    assert [record.value for record in await read(reader, 1, [other])] == [b"other"]
    await read_nothing(reader, [other])
    assert [record.value for record in await read(reader, 1, [one])] == [b"one"]


async def test_no_partitions_are_none(producer: Producer, reader: Reader, topic: str) -> None:
    await producer.write(topic, numbered(3))
    reader.assign([TopicPartition(topic, 0)])
    await read_nothing(reader, [])
    assert len(await read(reader, 3)) == 3


async def test_a_poll_asks_for_one_record_at_least(reader: Reader, topic: str) -> None:
    reader.assign([TopicPartition(topic, 0)])
    assert not await reader.poll((), 1, 0.0)
    with pytest.raises(ValueError, match="max_records"):
        await reader.poll((), 0, 0.0)


async def test_a_poll_without_records_lasts_about_its_time(reader: Reader, topic: str) -> None:
    loop = asyncio.get_running_loop()
    reader.assign([TopicPartition(topic, 0)])
    for partitions in (None, [TopicPartition(topic, 0)], []):
        began = loop.time()
        assert not await reader.poll(partitions, 10, 0.3)
        assert 0.2 < loop.time() - began < 2.0


async def test_a_poll_gives_at_most_what_was_asked(
    producer: Producer, reader: Reader, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(10))
    reader.assign([at])
    sizes: list[int] = []
    async with asyncio.timeout(WAIT):
        while sum(sizes) < 10:
            sizes += [len(found) for found in (await reader.poll(None, 4, 0.2)).values()]
    assert sizes == [4, 4, 2]


async def test_a_waiting_poll_ends_with_the_first_record(
    producer: Producer, reader: Reader, topic: str
) -> None:
    reader.assign([TopicPartition(topic, 0)])
    await read_nothing(reader, seconds=0.3)
    waiting = asyncio.create_task(reader.poll(None, 10, 8.0))
    await asyncio.sleep(0.1)
    await producer.write(topic, [out(b"v")])
    async with asyncio.timeout(4):
        assert await waiting


async def test_seek_reads_again_or_skips(producer: Producer, reader: Reader, topic: str) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(10))
    reader.assign([at])
    assert len(await read(reader, 10)) == 10
    reader.seek(at, 3)
    assert (await read(reader, 1))[0].offset == 3
    reader.seek(at, 8)
    assert [record.offset for record in await read(reader, 2)] == [8, 9]


async def test_seek_needs_an_assigned_partition(reader: Reader, topic: str) -> None:
    with pytest.raises(Stale):
        reader.seek(TopicPartition(topic, 0), 0)


async def test_bounds_and_offsets_by_time(producer: Producer, reader: Reader, topic: str) -> None:
    at = TopicPartition(topic, 0)
    assert await reader.bounds([at]) == {at: (0, 0)}
    await producer.write(topic, numbered(10))
    assert await reader.bounds([at]) == {at: (0, 10)}
    assert await reader.offsets_at({at: 1_700_000_000_004}) == {at: 4}
    assert await reader.offsets_at({at: 0}) == {at: 0}
    assert await reader.offsets_at({at: 1_800_000_000_000}) == {at: None}


async def test_a_missing_topic_is_refused_and_not_created(
    reader: Reader, admin: Admin, unique: str
) -> None:
    at = TopicPartition(unique, 0)
    with pytest.raises(Refused, match=unique):
        await reader.bounds([at])
    reader.assign([at])
    with pytest.raises(Refused, match=unique):
        await reader.poll(None, 1, 0.1)
    reader.assign([])
    assert unique not in await admin.topics()


async def test_a_reader_keeps_its_place_in_a_group_without_joining(
    kafka: Kafka, producer: Producer, admin: Admin, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(5))
    first = kafka.reader(topic)
    await first.start()
    first.assign([at])
    assert await first.committed([at]) == {at: None}
    await first.commit({at: Committed(2, "here")})
    assert await admin.members(topic) == {}
    await first.stop()
    second = kafka.reader(topic)
    await second.start()
    assert await second.committed([at]) == {at: Committed(2, "here")}
    second.assign([at])
    assert [record.offset for record in await read(second, 3)] == [2, 3, 4]
    await second.stop()
    await second.stop()


async def test_a_reader_without_a_group_keeps_no_place(reader: Reader, topic: str) -> None:
    at = TopicPartition(topic, 0)
    reader.assign([at])
    with pytest.raises(Refused):
        await reader.commit({at: Committed(1)})
    with pytest.raises(Refused):
        await reader.committed([at])


async def test_a_poll_can_be_cancelled(producer: Producer, reader: Reader, topic: str) -> None:
    reader.assign([TopicPartition(topic, 0)])
    await read_nothing(reader, seconds=0.2)
    for _ in range(3):
        waiting = asyncio.create_task(reader.poll(None, 10, 30.0))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await producer.write(topic, numbered(3))
    assert [record.offset for record in await read(reader, 3)] == [0, 1, 2]


async def test_seek_may_come_before_the_first_poll(
    producer: Producer, reader: Reader, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(5))
    reader.assign([at])
    reader.seek(at, 3)
    assert [record.offset for record in await read(reader, 2)] == [3, 4]


async def test_a_reader_may_not_commit_where_members_are(kafka: Kafka, topic: str) -> None:
    at = TopicPartition(topic, 0)
    outsider = kafka.reader(topic)
    await outsider.start()
    outsider.assign([at])
    async with member(kafka, topic, [topic]):
        with pytest.raises(Stale):
            await outsider.commit({at: Committed(1)})
    await outsider.stop()
