"""What writing means."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from forwarder.kafka.port import (
    Admin,
    Kafka,
    Outgoing,
    Producer,
    Reader,
    Refused,
    TooLarge,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import (
    numbered,
    out,
    read,
)


async def test_what_is_written_is_read_in_order(
    producer: Producer, reader: Reader, topic: str
) -> None:
    await producer.write(topic, numbered(700))
    await producer.write(topic, [out(b"last")])
    reader.assign([TopicPartition(topic, 0)])
    found = await read(reader, 701)
    assert [record.offset for record in found] == list(range(701))
    assert [record.value for record in found] == [
        *(str(number).encode() for number in range(700)),
        b"last",
    ]


async def test_a_record_keeps_all_that_it_was_given(
    producer: Producer, reader: Reader, topic: str
) -> None:
    headers = (("traceparent", b"00-1"), ("same", b"1"), ("same", b"2"), ("empty", b""))
    given = Outgoing(b"key", b"\x00value", headers, 1_600_000_000_123)
    await producer.write(topic, [given])
    reader.assign([TopicPartition(topic, 0)])
    (found,) = await read(reader, 1)
    assert (found.topic, found.partition, found.offset) == (topic, 0, 0)
    assert (found.key, found.value, found.timestamp) == (b"key", b"\x00value", given.timestamp)
    assert tuple(found.headers) == headers


async def test_neither_key_nor_value_is_needed(
    producer: Producer, reader: Reader, topic: str
) -> None:
    await producer.write(topic, [Outgoing(None, None, [("h", b"1")])])
    reader.assign([TopicPartition(topic, 0)])
    (found,) = await read(reader, 1)
    assert (found.key, found.value, tuple(found.headers)) == (None, None, (("h", b"1"),))


async def test_nothing_to_write_is_no_work(producer: Producer, unique: str) -> None:
    await producer.write(unique, [])


async def test_many_large_records_take_several_batches(
    producer: Producer, reader: Reader, topic: str
) -> None:
    await producer.write(topic, [out(bytes([n]) * 200_000) for n in range(12)])
    reader.assign([TopicPartition(topic, 0)])
    found = await read(reader, 12)
    assert [(record.value or b"")[:1] for record in found] == [bytes([n]) for n in range(12)]


async def test_one_key_goes_to_one_partition(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 3, -1, {})])
    for _ in range(2):
        await producer.write(unique, [out(b"v", str(n).encode()) for n in range(30)])
    reader.assign([TopicPartition(unique, n) for n in range(3)])
    places: dict[bytes | None, set[int]] = {}
    for record in await read(reader, 60):
        places.setdefault(record.key, set()).add(record.partition)
    assert all(len(found) == 1 for found in places.values())
    assert len(set.union(*places.values())) == 3


async def test_a_partition_can_be_told(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 3, -1, {})])
    await producer.write(unique, numbered(5), partition=2)
    assert await reader.bounds([TopicPartition(unique, n) for n in range(3)]) == {
        TopicPartition(unique, 0): (0, 0),
        TopicPartition(unique, 1): (0, 0),
        TopicPartition(unique, 2): (0, 5),
    }


async def test_a_missing_topic_is_refused_and_not_created(
    producer: Producer, admin: Admin, unique: str
) -> None:
    with pytest.raises(Refused, match=unique):
        await producer.write(unique, [out(b"v")])
    assert unique not in await admin.topics()


async def test_what_is_too_large_is_named_and_the_rest_written(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": "20000"})])
    records = [out(b"x" * (30_000 if n in (3, 7) else 10)) for n in range(10)]
    with pytest.raises(TooLarge) as caught:
        await producer.write(unique, records)
    assert caught.value.records == (3, 7)
    reader.assign([TopicPartition(unique, 0)])
    assert {len(record.value or b"") for record in await read(reader, 8)} == {10}


async def test_writing_goes_on_after_something_was_too_large(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": "20000"})])
    await producer.write(unique, [out(b"before")])
    for _ in range(2):
        with pytest.raises(TooLarge):
            await producer.write(unique, [out(b"x" * 30_000)])
        await producer.write(unique, [out(b"after")])
    reader.assign([TopicPartition(unique, 0)])
    found = [record.value for record in await read(reader, 3)]
    assert found == [b"before", b"after", b"after"]


async def test_the_largest_record_fits_a_topic_with_room(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": str(1_179_648)})])
    await producer.write(unique, [Outgoing(b"k", b"x" * 1_048_576, [("h", b"y" * 60_000)])])
    reader.assign([TopicPartition(unique, 0)])
    (found,) = await read(reader, 1)
    assert len(found.value or b"") == 1_048_576


async def test_a_topic_that_takes_little_gets_small_batches(
    admin: Admin, producer: Producer, reader: Reader, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record by record, a poll batch would outlast the time limit of a write, again and again."""
    sent = 0
    send = AIOKafkaProducer.send_batch

    async def counted(*given: Any, **more: Any) -> Any:
        nonlocal sent
        sent += 1
        return await send(*given, **more)

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", counted)
    await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": "65536"})])
    for _ in range(2):
        await producer.write(unique, [out(b"%0800d" % n) for n in range(1000)])
    assert sent < 100
    reader.assign([TopicPartition(unique, 0)])
    found = [int(record.value or b"") for record in await read(reader, 2000)]
    assert sorted(found[:1000]) == list(range(1000))
    assert found[1000:] == list(range(1000))


@pytest.mark.parametrize("bound", ["before", "after"])
async def test_a_time_that_a_topic_does_not_take_is_replaced(
    admin: Admin, producer: Producer, reader: Reader, unique: str, bound: str
) -> None:
    """One such record must not hold up all that are written with it."""
    setting = f"message.timestamp.{bound}.max.ms"
    await admin.create([TopicSpec(unique, 1, -1, {setting: "3600000"})])
    hours = -2 if bound == "before" else 2
    odd = round(time.time() * 1000) + hours * 3_600_000
    await producer.write(unique, [out(b"1"), Outgoing(None, b"2", (), odd), out(b"3")])
    reader.assign([TopicPartition(unique, 0)])
    found = await read(reader, 3)
    assert [record.value for record in found] == [b"1", b"2", b"3"]
    assert abs(found[1].timestamp - odd) > 3_600_000


async def test_several_may_write_at_once_also_where_something_is_too_large(
    admin: Admin, producer: Producer, reader: Reader, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 2, -1, {"max.message.bytes": "20000"})])

    async def write(number: int) -> int:
        size = 30_000 if number % 5 == 0 else 100
        try:
            await producer.write(unique, [out(b"x" * size)] * 3, partition=number % 2)
        except TooLarge as problem:
            return len(problem.records)
        return 0

    refused = await asyncio.gather(*(write(number) for number in range(20)))
    assert refused == [3 if number % 5 == 0 else 0 for number in range(20)]
    ends = await reader.bounds([TopicPartition(unique, n) for n in range(2)])
    assert sum(end for _, end in ends.values()) == 16 * 3


async def test_stop_can_be_called_twice(kafka: Kafka) -> None:
    made = kafka.producer()
    await made.start()
    await made.stop()
    await made.stop()


async def test_hundreds_may_write_to_one_partition_at_once(
    producer: Producer, reader: Reader, topic: str
) -> None:
    writers = 400
    async with asyncio.timeout(15):
        await asyncio.gather(
            *(producer.write(topic, [out(b"%d" % n)], partition=0) for n in range(writers))
        )
    reader.assign([TopicPartition(topic, 0)])
    values = {record.value for record in await read(reader, writers)}
    assert values == {b"%d" % n for n in range(writers)}
