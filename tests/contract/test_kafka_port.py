"""One suite for every implementation of the Kafka port: what it says is what all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from forwarder.kafka.port import (
    Admin,
    Broken,
    Committed,
    Consumer,
    Kafka,
    Outgoing,
    Producer,
    Reader,
    Record,
    Refused,
    Stale,
    TooLarge,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import Cluster, InMemoryCluster, Listener, RealCluster, until

WAIT = 10.0


@pytest.fixture(params=["memory", "broker"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    if request.param == "memory":
        return InMemoryCluster()
    return RealCluster(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def kafka(cluster: Cluster) -> Kafka:
    return cluster.client()


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Admin]:
    made = kafka.admin()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[Producer]:
    made = kafka.producer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def topic(admin: Admin, unique: str) -> str:
    await admin.create([TopicSpec(unique, 1, -1, {})])
    return unique


@pytest.fixture
async def reader(kafka: Kafka) -> AsyncIterator[Reader]:
    made = kafka.reader()
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def member(
    kafka: Kafka,
    group: str,
    topics: Sequence[str],
    *,
    listener: Listener | None = None,
    units: dict[str, str] | None = None,
    client_id: str = "one",
) -> AsyncIterator[Consumer]:
    made = kafka.consumer(group, topics, listener or Listener(), units=units, client_id=client_id)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def out(value: bytes | None, key: bytes | None = None, at: int | None = None) -> Outgoing:
    return Outgoing(key, value, [], at)


def numbered(count: int) -> list[Outgoing]:
    return [out(str(number).encode(), b"k", 1_700_000_000_000 + number) for number in range(count)]


async def read(
    source: Reader, count: int, partitions: Sequence[TopicPartition] | None = None
) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(WAIT):
        while len(found) < count:
            for records in (await source.poll(partitions, count - len(found), 0.2)).values():
                found += records
    return found


async def read_nothing(
    source: Reader, partitions: Sequence[TopicPartition] | None = None, seconds: float = 0.7
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert not await source.poll(partitions, 10, 0.1)


class TestWriting:
    async def test_what_is_written_is_read_in_order(
        self, producer: Producer, reader: Reader, topic: str
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
        self, producer: Producer, reader: Reader, topic: str
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
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        await producer.write(topic, [Outgoing(None, None, [("h", b"1")])])
        reader.assign([TopicPartition(topic, 0)])
        (found,) = await read(reader, 1)
        assert (found.key, found.value, tuple(found.headers)) == (None, None, (("h", b"1"),))

    async def test_nothing_to_write_is_no_work(self, producer: Producer, unique: str) -> None:
        await producer.write(unique, [])

    async def test_many_large_records_take_several_batches(
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        await producer.write(topic, [out(bytes([n]) * 200_000) for n in range(12)])
        reader.assign([TopicPartition(topic, 0)])
        found = await read(reader, 12)
        assert [(record.value or b"")[:1] for record in found] == [bytes([n]) for n in range(12)]

    async def test_one_key_goes_to_one_partition(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
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
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
    ) -> None:
        await admin.create([TopicSpec(unique, 3, -1, {})])
        await producer.write(unique, numbered(5), partition=2)
        assert await reader.bounds([TopicPartition(unique, n) for n in range(3)]) == {
            TopicPartition(unique, 0): (0, 0),
            TopicPartition(unique, 1): (0, 0),
            TopicPartition(unique, 2): (0, 5),
        }

    async def test_a_missing_topic_is_refused_and_not_created(
        self, producer: Producer, admin: Admin, unique: str
    ) -> None:
        with pytest.raises(Refused, match=unique):
            await producer.write(unique, [out(b"v")])
        assert unique not in await admin.topics()

    async def test_what_is_too_large_is_named_and_the_rest_written(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
    ) -> None:
        await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": "20000"})])
        records = [out(b"x" * (30_000 if n in (3, 7) else 10)) for n in range(10)]
        with pytest.raises(TooLarge) as caught:
            await producer.write(unique, records)
        assert caught.value.records == (3, 7)
        reader.assign([TopicPartition(unique, 0)])
        assert {len(record.value or b"") for record in await read(reader, 8)} == {10}

    async def test_writing_goes_on_after_something_was_too_large(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
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
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
    ) -> None:
        await admin.create([TopicSpec(unique, 1, -1, {"max.message.bytes": str(1_179_648)})])
        await producer.write(unique, [Outgoing(b"k", b"x" * 1_048_576, [("h", b"y" * 60_000)])])
        reader.assign([TopicPartition(unique, 0)])
        (found,) = await read(reader, 1)
        assert len(found.value or b"") == 1_048_576

    async def test_several_may_write_at_once_also_where_something_is_too_large(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
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

    async def test_stop_can_be_called_twice(self, kafka: Kafka) -> None:
        made = kafka.producer()
        await made.start()
        await made.stop()
        await made.stop()


class TestReading:
    async def test_only_the_partitions_asked_for_are_read(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
    ) -> None:
        await admin.create([TopicSpec(unique, 2, -1, {})])
        one, other = TopicPartition(unique, 0), TopicPartition(unique, 1)
        await producer.write(unique, [out(b"one")], partition=0)
        await producer.write(unique, [out(b"other")], partition=1)
        reader.assign([one, other])
        assert [record.value for record in await read(reader, 1, [other])] == [b"other"]
        await read_nothing(reader, [other])
        assert [record.value for record in await read(reader, 1, [one])] == [b"one"]

    async def test_no_partitions_are_none(
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        await producer.write(topic, numbered(3))
        reader.assign([TopicPartition(topic, 0)])
        await read_nothing(reader, [])
        assert len(await read(reader, 3)) == 3

    async def test_a_poll_without_records_lasts_about_its_time(
        self, reader: Reader, topic: str
    ) -> None:
        loop = asyncio.get_running_loop()
        reader.assign([TopicPartition(topic, 0)])
        for partitions in (None, [TopicPartition(topic, 0)], []):
            began = loop.time()
            assert not await reader.poll(partitions, 10, 0.3)
            assert 0.2 < loop.time() - began < 2.0

    async def test_a_poll_gives_at_most_what_was_asked(
        self, producer: Producer, reader: Reader, topic: str
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
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        reader.assign([TopicPartition(topic, 0)])
        await read_nothing(reader, seconds=0.3)
        waiting = asyncio.create_task(reader.poll(None, 10, 8.0))
        await asyncio.sleep(0.1)
        await producer.write(topic, [out(b"v")])
        async with asyncio.timeout(4):
            assert await waiting

    async def test_seek_reads_again_or_skips(
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        await producer.write(topic, numbered(10))
        reader.assign([at])
        assert len(await read(reader, 10)) == 10
        reader.seek(at, 3)
        assert (await read(reader, 1))[0].offset == 3
        reader.seek(at, 8)
        assert [record.offset for record in await read(reader, 2)] == [8, 9]

    async def test_seek_needs_an_assigned_partition(self, reader: Reader, topic: str) -> None:
        with pytest.raises(Stale):
            reader.seek(TopicPartition(topic, 0), 0)

    async def test_bounds_and_offsets_by_time(
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        assert await reader.bounds([at]) == {at: (0, 0)}
        await producer.write(topic, numbered(10))
        assert await reader.bounds([at]) == {at: (0, 10)}
        assert await reader.offsets_at({at: 1_700_000_000_004}) == {at: 4}
        assert await reader.offsets_at({at: 0}) == {at: 0}
        assert await reader.offsets_at({at: 1_800_000_000_000}) == {at: None}

    async def test_a_missing_topic_is_refused_and_not_created(
        self, reader: Reader, admin: Admin, unique: str
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
        self, kafka: Kafka, producer: Producer, admin: Admin, topic: str
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

    async def test_a_reader_without_a_group_keeps_no_place(
        self, reader: Reader, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        reader.assign([at])
        with pytest.raises(Refused):
            await reader.commit({at: Committed(1)})
        with pytest.raises(Refused):
            await reader.committed([at])

    async def test_a_poll_can_be_cancelled(
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
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
        self, producer: Producer, reader: Reader, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        await producer.write(topic, numbered(5))
        reader.assign([at])
        reader.seek(at, 3)
        assert [record.offset for record in await read(reader, 2)] == [3, 4]

    async def test_a_reader_may_not_commit_where_members_are(
        self, kafka: Kafka, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        outsider = kafka.reader(topic)
        await outsider.start()
        outsider.assign([at])
        async with member(kafka, topic, [topic]):
            with pytest.raises(Stale):
                await outsider.commit({at: Committed(1)})
        await outsider.stop()


class TestMember:
    async def test_it_reads_from_the_earliest_record_and_commits_nothing_by_itself(
        self, kafka: Kafka, producer: Producer, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        await producer.write(topic, numbered(5))
        for _ in range(2):
            async with member(kafka, topic, [topic]) as consumer:
                assert consumer.assignment() == {at}
                assert len(await read(consumer, 5)) == 5
                assert await consumer.committed([at]) == {at: None}

    async def test_it_goes_on_where_it_committed(
        self, kafka: Kafka, producer: Producer, admin: Admin, topic: str
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
        self, kafka: Kafka, admin: Admin, producer: Producer, unique: str
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
        self, kafka: Kafka, producer: Producer, topic: str
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
        self, kafka: Kafka, admin: Admin, topic: str
    ) -> None:
        missing = f"{topic}-missing"
        consumer = kafka.consumer(topic, [topic, missing], Listener())
        with pytest.raises(Refused, match=missing):
            await consumer.start()
        assert missing not in await admin.topics()

    async def test_a_listener_that_fails_shows_at_the_next_poll(
        self, kafka: Kafka, topic: str
    ) -> None:
        async def fail() -> None:
            raise ZeroDivisionError

        async with member(kafka, topic, [topic], listener=Listener(on_assigned=fail)) as consumer:
            with pytest.raises(Broken, match="ZeroDivisionError"):
                await consumer.poll(None, 1, 0.1)

    async def test_stop_revokes_first_and_then_leaves(
        self, kafka: Kafka, admin: Admin, topic: str
    ) -> None:
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
        self, kafka: Kafka, admin: Admin, topic: str
    ) -> None:
        other = f"{topic}-other"
        await admin.create([TopicSpec(other, 1, -1, {})])
        async with member(kafka, topic, [topic]) as consumer:
            with pytest.raises(Stale):
                await consumer.commit({TopicPartition(other, 0): Committed(1)})


class TestRebalance:
    async def test_partitions_move_only_after_revoke_and_its_commit(
        self, kafka: Kafka, admin: Admin, producer: Producer, unique: str
    ) -> None:
        await admin.create([TopicSpec(unique, 2, -1, {})])
        both = {TopicPartition(unique, 0), TopicPartition(unique, 1)}
        await producer.write(unique, numbered(4), partition=0)
        await producer.write(unique, numbered(4), partition=1)
        events: list[str] = []
        first, second = Listener(), Listener()
        async with member(kafka, unique, [unique], listener=first, client_id="one") as one:
            assert one.assignment() == both

            async def drain() -> None:
                events.append("drain")
                await asyncio.sleep(0.5)
                await one.commit({at: Committed(3, "drained") for at in one.assignment()})
                events.append("drained")

            first.on_revoked = drain

            async def arrived() -> None:
                events.append("second assigned")

            second.on_assigned = arrived
            async with member(kafka, unique, [unique], listener=second, client_id="two") as two:
                await until(lambda: first.names[:3] == ["assigned", "revoked", "assigned"])
                assert events[:3] == ["drain", "drained", "second assigned"]
                assert len(one.assignment()) == len(two.assignment()) == 1
                assert one.assignment() | two.assignment() == both
                (at,) = two.assignment()
                assert await two.committed([at]) == {at: Committed(3, "drained")}
                assert [record.offset for record in await read(two, 1)] == [3]
                owners = await admin.members(unique)
                assert {owner.split()[0] for owner in owners.values()} == {"one", "two"}
                assert owners.keys() == both
            await until(lambda: one.assignment() == both, polling=[one])

    async def test_nothing_is_read_during_a_rebalance(
        self, kafka: Kafka, producer: Producer, topic: str
    ) -> None:
        listener = Listener()
        polled: list[int] = []
        async with member(kafka, topic, [topic], listener=listener, client_id="one") as one:

            async def poll() -> None:
                await producer.write(topic, numbered(3))
                polled.append(len(await one.poll(None, 10, 0.3)))

            listener.on_revoked = poll
            async with member(kafka, topic, [topic], client_id="two"):
                await until(lambda: listener.names[:2] == ["assigned", "revoked"])
                await until(lambda: len(listener.told) >= 3)
        assert polled[0] == 0

    async def test_who_was_put_out_is_told_that_all_is_lost_and_may_not_commit(
        self, cluster: Cluster, kafka: Kafka, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        mine = frozenset({at})
        listener = Listener()
        async with member(kafka, topic, [topic], listener=listener) as consumer:
            await cluster.put_out(topic, "one")
            with pytest.raises(Stale):
                await consumer.commit({at: Committed(1)})
            await until(lambda: len(listener.told) >= 3, polling=[consumer])
            assert listener.told[:3] == [("assigned", mine), ("lost", mine), ("assigned", mine)]
            await consumer.commit({at: Committed(1)})

    async def test_heartbeats_notice_it_too(
        self, cluster: Cluster, kafka: Kafka, topic: str
    ) -> None:
        listener = Listener()
        async with member(kafka, topic, [topic], listener=listener) as consumer:
            await cluster.put_out(topic, "one")
            await until(lambda: "lost" in listener.names, polling=[consumer])

    async def test_pauses_end_with_a_rebalance(
        self, kafka: Kafka, producer: Producer, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        listener = Listener()
        async with member(kafka, topic, [topic], listener=listener, client_id="one") as one:
            one.pause([at])
            async with member(kafka, topic, [topic], client_id="two"):
                await until(lambda: len(listener.told) >= 3)
            await until(lambda: one.assignment() == {at}, polling=[one])
            await producer.write(topic, numbered(1))
            assert len(await read(one, 1)) == 1


class TestUnits:
    async def test_each_unit_goes_whole_to_one_member(
        self, kafka: Kafka, admin: Admin, unique: str
    ) -> None:
        topics = [f"{unique}-{n}" for n in range(6)]
        await admin.create([TopicSpec(name, 1, -1, {}) for name in topics])
        units = {name: f"unit-{n // 2}" for n, name in enumerate(topics)}
        async with (
            member(kafka, unique, topics, units=units, client_id="one") as one,
            member(kafka, unique, topics, units=units, client_id="two") as two,
        ):
            members = (one, two)
            await until(lambda: all(consumer.assignment() for consumer in members))
            held = [{units[at.topic] for at in consumer.assignment()} for consumer in members]
            assert not held[0] & held[1]
            assert held[0] | held[1] == set(units.values())
            assert sorted(len(names) for names in held) == [1, 2]
            before = one.assignment(), two.assignment()
            async with member(kafka, unique, topics, units=units, client_id="three") as three:
                await until(lambda: all(len(c.assignment()) == 2 for c in (one, two, three)))
                assert one.assignment() <= before[0]
                assert two.assignment() <= before[1]

    async def test_a_unit_that_nobody_can_hold_whole_waits(
        self, kafka: Kafka, admin: Admin, unique: str
    ) -> None:
        kept, gone, new, other = (f"{unique}-{letter}" for letter in "abcd")
        await admin.create([TopicSpec(name, 1, -1, {}) for name in (kept, gone, new, other)])
        before = {kept: "before", gone: "before", other: "other"}
        after = {kept: "after", new: "after", other: "other"}
        async with member(kafka, unique, list(after), units=after, client_id="new") as second:
            async with member(kafka, unique, list(before), units=before, client_id="old") as first:
                only = {TopicPartition(other, 0)}
                await until(lambda: first.assignment() | second.assignment() == only)
            everything = {TopicPartition(name, 0) for name in after}
            await until(lambda: second.assignment() == everything, polling=[second])


class TestAdmin:
    async def test_topics_are_created_as_told(self, admin: Admin, unique: str) -> None:
        config = {"retention.ms": "3600000", "message.timestamp.type": "LogAppendTime"}
        await admin.create([TopicSpec(unique, 3, 1, config)])
        assert (await admin.topics())[unique] == 3
        info = (await admin.describe([unique, f"{unique}-missing"]))[unique]
        assert (info.name, info.partitions, info.replication) == (unique, 3, 1)
        assert config.items() <= info.config.items()
        assert f"{unique}-missing" not in await admin.topics()

    async def test_an_existing_topic_stays_as_it_is(self, admin: Admin, unique: str) -> None:
        await admin.create([TopicSpec(unique, 3, -1, {})])
        await admin.create([TopicSpec(unique, 1, -1, {}), TopicSpec(f"{unique}-b", 1, -1, {})])
        there = await admin.topics()
        assert (there[unique], there[f"{unique}-b"]) == (3, 1)

    async def test_partitions_can_be_added(self, admin: Admin, unique: str) -> None:
        await admin.create([TopicSpec(unique, 1, -1, {})])
        await admin.add_partitions(unique, 4)
        assert (await admin.topics())[unique] == 4
        with pytest.raises(Refused):
            await admin.add_partitions(unique, 2)

    async def test_append_time_replaces_the_writers(
        self, admin: Admin, producer: Producer, reader: Reader, unique: str
    ) -> None:
        config = {"message.timestamp.type": "LogAppendTime"}
        await admin.create([TopicSpec(unique, 1, -1, config)])
        await producer.write(unique, [out(b"v", at=1_000_000_000_000)])
        reader.assign([TopicPartition(unique, 0)])
        assert (await read(reader, 1))[0].timestamp > 1_700_000_000_000

    async def test_records_can_be_deleted_from_the_front(
        self, admin: Admin, producer: Producer, reader: Reader, topic: str
    ) -> None:
        at = TopicPartition(topic, 0)
        await producer.write(topic, numbered(10))
        await admin.delete_records({at: 6})
        assert await reader.bounds([at]) == {at: (6, 10)}
        reader.assign([at])
        assert [record.offset for record in await read(reader, 4)] == [6, 7, 8, 9]

    async def test_an_unknown_group_has_neither_members_nor_offsets(
        self, admin: Admin, unique: str
    ) -> None:
        assert await admin.members(unique) == {}
        assert await admin.committed(unique) == {}
