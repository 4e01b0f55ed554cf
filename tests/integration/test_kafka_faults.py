"""The client against a real broker that dies, freezes and comes back: bounded, and nothing lost."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Iterator

import pytest

from forwarder.kafka import inside
from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.consumer import AiokafkaConsumer
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
from tests.support.broker import Broker, free_port
from tests.support.kafka_harness import Listener, until


def connection(bootstrap: str) -> Connection:
    return Connection(
        bootstrap,
        session_timeout=6.0,
        request_timeout=6.0,
        write_timeout=2.0,
        commit_timeout=2.0,
        stop_timeout=3.0,
    )


@pytest.fixture(scope="module")
def mortal() -> Iterator[Broker]:
    """A broker of this module's own, which its tests may kill."""
    broker = Broker()
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def broker(mortal: Broker) -> Broker:
    return mortal.start()


@pytest.fixture
def kafka(broker: Broker) -> Kafka:
    return open_kafka(connection(broker.bootstrap))


@pytest.fixture
async def at(kafka: Kafka, unique: str) -> TopicPartition:
    admin = kafka.admin()
    await admin.start()
    await admin.create([TopicSpec(unique, 1, -1, {})])
    await admin.stop()
    return TopicPartition(unique, 0)


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[Producer]:
    made = kafka.producer()
    await made.start()
    yield made
    await made.stop()


def out(number: int) -> Outgoing:
    return Outgoing(None, str(number).encode(), [])


async def fails_within(
    seconds: float, kind: type[KafkaProblem], doing: Awaitable[object]
) -> KafkaProblem:
    async with asyncio.timeout(seconds):
        with pytest.raises(kind) as caught:
            await doing
    return caught.value


async def eventually_written(producer: Producer, topic: str, record: Outgoing) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await producer.write(topic, [record])
            except Unavailable:
                continue
            return


async def test_nothing_listens() -> None:
    kafka = open_kafka(connection(f"127.0.0.1:{free_port()}"))
    for client in (kafka.producer(), kafka.admin(), kafka.reader(), kafka.reader("group")):
        await fails_within(20, Unavailable, client.start())
        await client.stop()
    await fails_within(20, Unavailable, kafka.consumer("g", ["t"], Listener()).start())


async def test_writes_and_reads_go_on_after_a_crash_of_the_broker(
    kafka: Kafka, broker: Broker, producer: Producer, at: TopicPartition
) -> None:
    listener = Listener()
    consumer = kafka.consumer(at.topic, [at.topic], listener)
    await consumer.start()
    await producer.write(at.topic, [out(number) for number in range(5)])
    seen: list[bytes | None] = []

    async def read(count: int) -> None:
        async with asyncio.timeout(40):
            while len(seen) < count:
                found = await consumer.poll(None, 100, 0.2)
                seen.extend(record.value for records in found.values() for record in records)

    await read(5)
    await consumer.commit({at: Committed(5)})
    broker.kill()
    problem = await fails_within(20, Unavailable, producer.write(at.topic, [out(5)]))
    assert at.topic in str(problem)
    await fails_within(20, Unavailable, consumer.commit({at: Committed(5)}))
    broker.start()
    await eventually_written(producer, at.topic, out(6))
    async with asyncio.timeout(60):
        while b"6" not in seen:
            await read(len(seen) + 1)
    assert set(seen) == {b"0", b"1", b"2", b"3", b"4", b"6"}
    await consumer.stop()


async def test_what_was_given_up_in_an_outage_is_not_written_after_it(
    kafka: Kafka, broker: Broker, producer: Producer, at: TopicPartition
) -> None:
    await producer.write(at.topic, [out(0)])
    broker.kill()
    for number in (1, 2, 3):
        await fails_within(20, Unavailable, producer.write(at.topic, [out(number)]))
    broker.start()
    await eventually_written(producer, at.topic, out(4))
    await asyncio.sleep(1)
    reader = kafka.reader()
    await reader.start()
    reader.assign([at])
    found: list[bytes | None] = []
    async with asyncio.timeout(20):
        while b"4" not in found:
            for records in (await reader.poll(None, 100, 0.5)).values():
                found += [record.value for record in records]
    assert found == [b"0", b"4"]
    await reader.stop()


async def test_a_write_outlasts_a_short_outage(broker: Broker, at: TopicPartition) -> None:
    patient = open_kafka(dataclasses.replace(connection(broker.bootstrap), write_timeout=40.0))
    producer = patient.producer()
    await producer.start()
    broker.kill()
    writing = asyncio.create_task(producer.write(at.topic, [out(1)]))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(broker.start)
    await writing
    await producer.stop()


async def test_clients_stop_in_order_while_nothing_listens(
    broker: Broker, kafka: Kafka, at: TopicPartition
) -> None:
    """A fetch that has just failed is cancelled by it, and nobody else may be."""
    readers = [kafka.reader() for _ in range(4)]
    for reader in readers:
        await reader.start()
        reader.assign([at])
        await reader.poll(None, 1, 0.3)
    consumer = kafka.consumer(at.topic, [at.topic], Listener())
    await consumer.start()
    await asyncio.to_thread(broker.kill)
    for client in (*readers, consumer):
        await asyncio.sleep(0.037)
        await client.stop()


async def test_a_producer_stops_in_order_right_after_its_broker_died(
    broker: Broker, kafka: Kafka, at: TopicPartition
) -> None:
    """As ``publish`` does: while the batches that it gave up are being dropped."""
    odd: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: odd.append(context))
    producer = kafka.producer()
    await producer.start()

    async def kill() -> None:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(broker.kill)

    async def publish() -> None:
        while True:
            await producer.write(at.topic, [Outgoing(None, b"x" * 800, ())] * 2000)

    killing = asyncio.create_task(kill())
    with pytest.raises(Unavailable):
        await publish()
    await producer.stop()
    await killing
    await asyncio.sleep(0.1)
    assert odd == []


async def test_a_frozen_broker_costs_no_more_than_the_limits(
    kafka: Kafka, broker: Broker, producer: Producer, at: TopicPartition
) -> None:
    consumer = kafka.consumer(at.topic, [at.topic], Listener())
    await consumer.start()
    await producer.write(at.topic, [out(0)])
    reader = kafka.reader()
    await reader.start()
    broker.freeze()
    try:
        await fails_within(20, Unavailable, producer.write(at.topic, [out(1)]))
        await fails_within(20, Unavailable, consumer.commit({at: Committed(1)}))
        await fails_within(20, Unavailable, reader.bounds([at]))
        async with asyncio.timeout(10):
            await consumer.poll([], 10, 1.0)
        async with asyncio.timeout(30):
            await reader.stop()
        async with asyncio.timeout(30):
            await consumer.stop()
        async with asyncio.timeout(30):
            await producer.stop()
    finally:
        broker.thaw()


async def test_a_dead_members_partitions_wait_for_its_session_to_end(
    kafka: Kafka, at: TopicPartition
) -> None:
    victim = kafka.consumer(at.topic, [at.topic], Listener(), units={}, client_id="victim")
    await victim.start()
    await victim.commit({at: Committed(3, "mine")})
    assert isinstance(victim, AiokafkaConsumer)
    inner = victim._inner
    inner._closed = True
    await inside.abandon(inner, 1.0)  # gone without a word, as with kill -9
    began = asyncio.get_running_loop().time()
    heir = kafka.consumer(at.topic, [at.topic], Listener(), units={}, client_id="heir")
    await heir.start()
    assert 2.0 < asyncio.get_running_loop().time() - began < 30.0
    assert heir.assignment() == {at}
    assert await heir.committed([at]) == {at: Committed(3, "mine")}
    await heir.stop()


async def test_no_topic_is_created_by_accident(kafka: Kafka, at: TopicPartition) -> None:
    """The broker creates topics that are asked for by name; nothing here may ask like that."""
    admin, producer, reader = kafka.admin(), kafka.producer(), kafka.reader(at.topic)
    for client in (admin, producer, reader):
        await client.start()
    before = await admin.topics()
    missing = f"{at.topic}.missing"
    await fails_within(20, KafkaProblem, producer.write(missing, [out(1)]))
    await fails_within(20, KafkaProblem, reader.bounds([TopicPartition(missing, 0)]))
    await fails_within(20, KafkaProblem, reader.offsets_at({TopicPartition(missing, 0): 0}))
    reader.assign([TopicPartition(missing, 0)])
    await reader.committed([TopicPartition(missing, 0)])
    await fails_within(20, KafkaProblem, reader.poll(None, 1, 0.1))
    await fails_within(20, KafkaProblem, kafka.consumer("g", [missing], Listener()).start())
    await admin.describe([missing])
    assert await admin.topics() == before
    for client in (admin, producer, reader):
        await client.stop()


async def test_units_are_handed_over_whole_when_a_member_joins(kafka: Kafka, unique: str) -> None:
    topics = [f"{unique}-{number}" for number in range(20)]
    admin = kafka.admin()
    await admin.start()
    await admin.create([TopicSpec(name, 1, -1, {}) for name in topics])
    await admin.stop()
    units = {name: f"u{number // 2}" for number, name in enumerate(topics)}
    members = []
    for name in ("one", "two", "three"):
        members.append(kafka.consumer(unique, topics, Listener(), units=units, client_id=name))
        await members[-1].start()
    await until(lambda: sorted(len(m.assignment()) for m in members) == [6, 6, 8])
    held = [{units[at.topic] for at in member.assignment()} for member in members]
    assert sum(len(names) for names in held) == len(set.union(*held)) == 10
    for member in members:
        await member.stop()
