"""Who is told what, and when, as members come and go."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.kafka.port import (
    Admin,
    Committed,
    Kafka,
    Producer,
    Stale,
    TopicPartition,
    TopicSpec,
)
from forwarder.tasks import end
from tests.support.kafka_harness import (
    Cluster,
    Listener,
    member,
    numbered,
    read,
    until,
)


async def test_partitions_move_only_after_revoke_and_its_commit(
    kafka: Kafka, admin: Admin, producer: Producer, unique: str
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
    kafka: Kafka, producer: Producer, topic: str
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


async def test_what_a_waiting_poll_finds_before_its_listener_is_done_is_found_again(
    kafka: Kafka, admin: Admin, producer: Producer, unique: str
) -> None:
    await admin.create([TopicSpec(unique, 2, -1, {})])
    listener = Listener()
    told: list[object] = []
    async with member(kafka, unique, [unique], listener=listener, client_id="one") as one:

        async def poll_on() -> None:
            while True:
                polled = await one.poll(None, 100, 5.0)
                told.extend(record.offset for records in polled.values() for record in records)

        async def slowly() -> None:
            for partition in (0, 1):
                await producer.write(unique, numbered(3), partition=partition)
            await asyncio.sleep(1.0)
            told.append("assigned")

        listener.on_assigned = slowly
        polling = asyncio.create_task(poll_on())
        await asyncio.sleep(0.2)
        async with member(kafka, unique, [unique], client_id="two"):
            await until(lambda: len(told) == 4)
            assert told == ["assigned", 0, 1, 2]
            await end([polling])


async def test_who_was_put_out_is_told_that_all_is_lost_and_may_not_commit(
    cluster: Cluster, kafka: Kafka, topic: str
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


async def test_heartbeats_notice_it_too(cluster: Cluster, kafka: Kafka, topic: str) -> None:
    listener = Listener()
    async with member(kafka, topic, [topic], listener=listener) as consumer:
        await cluster.put_out(topic, "one")
        await until(lambda: "lost" in listener.names, polling=[consumer])


async def test_pauses_end_with_a_rebalance(kafka: Kafka, producer: Producer, topic: str) -> None:
    at = TopicPartition(topic, 0)
    listener = Listener()
    async with member(kafka, topic, [topic], listener=listener, client_id="one") as one:
        one.pause([at])
        async with member(kafka, topic, [topic], client_id="two"):
            await until(lambda: len(listener.told) >= 3)
        await until(lambda: one.assignment() == {at}, polling=[one])
        await producer.write(topic, numbered(1))
        assert len(await read(one, 1)) == 1
