"""Writes to the in-memory cluster under faults, to the moment."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.kafka.port import (
    Broken,
    Refused,
    Unavailable,
)
from tests.support.memory_cluster import (
    WRITE,
    Diary,
    Q,
    cluster,
    joined,
    now,
    out,
    raises_after,
)
from tests.support.vendor_clock import run_virtually


def test_a_frozen_client_neither_reads_nor_writes() -> None:
    async def scenario() -> None:
        made = cluster()
        consumer = await joined(made, "frozen", Diary())
        producer = made.client("frozen").producer()
        await producer.start()
        made.put(Q, [out()])
        made.freeze("frozen")
        assert not await consumer.poll(None, 10, 2.0)
        await raises_after(WRITE, Unavailable, producer.write("q", [out()]))
        made.thaw("frozen")
        assert await consumer.poll(None, 10, 2.0)
        await producer.stop()
        await consumer.stop()

    run_virtually(scenario())


def test_nothing_starts_while_the_brokers_are_down() -> None:
    async def scenario() -> None:
        made = cluster()
        made.down()
        kafka = made.client("one")
        limit = made.connection.request_timeout
        for client in (kafka.producer(), kafka.reader(), kafka.admin()):
            await raises_after(limit, Unavailable, client.start())
        await raises_after(limit, Unavailable, kafka.consumer("g", ["q"], Diary()).start())

    run_virtually(scenario())


def test_a_slow_acknowledgement_leaves_the_writer_in_doubt() -> None:
    async def scenario() -> None:
        made = cluster()
        producer = made.client("one").producer()
        await producer.start()
        made.slow_acks(7.0, "q")
        await raises_after(WRITE, Unavailable, producer.write("q", [out()]))
        assert len(made.records("q")) == 1
        made.slow_acks(0.0, "q")
        await producer.stop()

    run_virtually(scenario())


def test_what_was_given_up_before_it_left_is_never_written() -> None:
    async def scenario() -> None:
        made = cluster()
        producer = made.client("one").producer()
        await producer.start()
        made.down()
        for _ in range(3):
            await raises_after(WRITE, Unavailable, producer.write("q", [out(b"given up")]))
        made.up()
        await producer.write("q", [out(b"last")])
        assert [record.value for record in made.records("q")] == [b"last"]
        await producer.stop()

    run_virtually(scenario())


def test_what_was_under_way_when_it_was_given_up_may_be_written_later() -> None:
    async def scenario() -> None:
        made = cluster(latency=1.0)
        producer = made.client("one").producer()
        await producer.start()
        writing = asyncio.create_task(producer.write("q", [out(b"late")]))
        await asyncio.sleep(1.5)
        made.freeze("one")
        with pytest.raises(Unavailable):
            await writing
        assert made.records("q") == []
        made.thaw("one")
        await asyncio.sleep(3)
        assert [record.value for record in made.records("q")] == [b"late"]
        await producer.stop()

    run_virtually(scenario())


def test_a_crashed_writer_writes_nothing_later() -> None:
    async def scenario() -> None:
        made = cluster()
        producer = made.client("one").producer()
        await producer.start()
        made.partition_off("one")
        made.freeze("one")
        writing = asyncio.create_task(producer.write("q", [out()]))
        await asyncio.sleep(1)
        made.crash("one")
        with pytest.raises(Unavailable):
            await writing
        made.thaw("one")
        await asyncio.sleep(60)
        assert made.records("q") == []

    run_virtually(scenario())


def test_a_topic_may_be_refused_for_a_while() -> None:
    async def scenario() -> None:
        made = cluster()
        kafka = made.client("one")
        producer, admin = kafka.producer(), kafka.admin()
        await producer.start()
        made.refuse("q")
        with pytest.raises(Refused):
            await producer.write("q", [out()])
        assert "q" not in await admin.topics()
        made.allow("q")
        await producer.write("q", [out()])
        made.delete_topic("q")
        with pytest.raises(Refused):
            await producer.write("q", [out()])
        await producer.stop()

    run_virtually(scenario())


def test_topics_cannot_be_created_where_that_is_not_allowed() -> None:
    async def scenario() -> None:
        made = cluster()
        made.may_create = False
        with pytest.raises(Refused, match="creating new"):
            await (
                made.client("one").admin().create([made.log.topics["q"].spec._replace(name="new")])
            )

    run_virtually(scenario())


def test_a_fenced_producer_is_broken_for_good() -> None:
    async def scenario() -> None:
        made = cluster()
        producer, other = made.client("one").producer(), made.client("two").producer()
        await producer.start()
        made.fence("one")
        for _ in range(2):
            with pytest.raises(Broken):
                await producer.write("q", [out()])
        await other.write("q", [out()])

    run_virtually(scenario())


def test_acknowledgements_take_as_long_as_the_way() -> None:
    async def scenario() -> None:
        made = cluster(latency=0.25)
        producer = made.client("one").producer()
        await producer.start()
        began = now()
        await producer.write("q", [out()])
        assert now() - began == pytest.approx(0.75)

    run_virtually(scenario())
