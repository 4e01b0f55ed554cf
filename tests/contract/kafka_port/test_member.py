"""What a member of a group may count on while nobody else comes or goes."""

from __future__ import annotations

import pytest

from forwarder.kafka.port import (
    Admin,
    Broken,
    Committed,
    Kafka,
    Producer,
    Refused,
    Stale,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import (
    Listener,
    member,
    numbered,
    out,
    read,
    read_nothing,
)


async def test_it_reads_from_the_earliest_record_and_commits_nothing_by_itself(
    kafka: Kafka, producer: Producer, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(5))
    for _ in range(2):
        async with member(kafka, topic, [topic]) as consumer:
            assert consumer.assignment() == {at}
            assert len(await read(consumer, 5)) == 5
            assert await consumer.committed([at]) == {at: None}


async def test_it_goes_on_where_it_committed(
    kafka: Kafka, producer: Producer, admin: Admin, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(5))
    metadata = '{"breaker":"open","reason":"misconfigured"}'.ljust(512)
    async with member(kafka, topic, [topic]) as consumer:
        await consumer.commit({at: Committed(3, metadata)})
        await consumer.commit({at: Committed(3, metadata)})  # unchanged is fine: the lease
        await consumer.commit({})
    assert await admin.committed(topic) == {at: Committed(3, metadata)}
    async with member(kafka, topic, [topic]) as consumer:
        assert await consumer.committed([at]) == {at: Committed(3, metadata)}
        assert [record.offset for record in await read(consumer, 2)] == [3, 4]


async def test_pause_holds_records_back_until_resume(
    kafka: Kafka, admin: Admin, producer: Producer, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 2, -1, {})])
    held, free = TopicPartition(unique, 0), TopicPartition(unique, 1)
    async with member(kafka, unique, [unique]) as consumer:
        consumer.pause([held, TopicPartition("not-mine", 0)])
        await producer.write(unique, [out(b"held")], partition=0)
        await producer.write(unique, [out(b"free")], partition=1)
        assert [record.value for record in await read(consumer, 1)] == [b"free"]
        await read_nothing(consumer)
        consumer.resume([held, TopicPartition("not-mine", 0)])
        assert [record.value for record in await read(consumer, 1)] == [b"held"]
        assert consumer.assignment() == {held, free}


async def test_seek_back_and_pause_holds_a_record_that_is_not_due(
    kafka: Kafka, producer: Producer, topic: str
) -> None:
    at = TopicPartition(topic, 0)
    await producer.write(topic, numbered(3))
    async with member(kafka, topic, [topic]) as consumer:
        assert (await read(consumer, 1))[0].offset == 0
        consumer.seek(at, 0)
        consumer.pause([at])
        await read_nothing(consumer)
        consumer.resume([at])
        assert [record.offset for record in await read(consumer, 3)] == [0, 1, 2]


async def test_subscribing_to_a_missing_topic_is_refused_and_creates_none(
    kafka: Kafka, admin: Admin, topic: str
) -> None:
    missing = f"{topic}-missing"
    consumer = kafka.consumer(topic, [topic, missing], Listener())
    with pytest.raises(Refused, match=missing):
        await consumer.start()
    assert missing not in await admin.topics()


async def test_a_listener_that_fails_shows_at_the_next_poll(kafka: Kafka, topic: str) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async with member(kafka, topic, [topic], listener=Listener(on_assigned=fail)) as consumer:
        with pytest.raises(Broken, match="ZeroDivisionError"):
            await consumer.poll(None, 1, 0.1)


async def test_stop_revokes_first_and_then_leaves(kafka: Kafka, admin: Admin, topic: str) -> None:
    at = TopicPartition(topic, 0)
    mine = frozenset({at})
    listener = Listener()
    consumer = kafka.consumer(topic, [topic], listener)

    async def commit() -> None:
        await consumer.commit({at: Committed(7, "last")})

    listener.on_revoked = commit
    await consumer.start()
    await consumer.stop()
    await consumer.stop()
    assert listener.told == [("assigned", mine), ("revoked", mine)]
    assert await admin.committed(topic) == {at: Committed(7, "last")}
    assert await admin.members(topic) == {}


async def test_commits_of_what_is_not_assigned_are_stale(
    kafka: Kafka, admin: Admin, topic: str
) -> None:
    other = f"{topic}-other"
    await admin.create([TopicSpec(other, 1, -1, {})])
    async with member(kafka, topic, [topic]) as consumer:
        with pytest.raises(Stale):
            await consumer.commit({TopicPartition(other, 0): Committed(1)})
