"""Faults of the in-memory cluster, to the moment: each as a real cluster was seen to have it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import (
    Broken,
    Committed,
    Consumer,
    KafkaProblem,
    Outgoing,
    Refused,
    Stale,
    TopicPartition,
    Unavailable,
)
from tests.support.vendor_clock import run_virtually

SESSION, REBALANCE, COMMIT, WRITE = 15.0, 60.0, 5.0, 5.0
BEAT = SESSION / 5
Q = TopicPartition("q", 0)


class Diary:
    """What a member was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, tuple[TopicPartition, ...]]] = []
        self.on_revoked: Callable[[], Awaitable[None]] | None = None

    def note(self, what: str, partitions: Collection[TopicPartition]) -> None:
        self.told.append((now(), what, tuple(partitions)))

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.note("assigned", partitions)

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.note("revoked", partitions)
        if self.on_revoked is not None:
            await self.on_revoked()

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        self.note("lost", partitions)

    def times(self, what: str) -> list[float]:
        return [at for at, name, partitions in self.told if name == what and partitions]


def now() -> float:
    return asyncio.get_running_loop().time()


def cluster(*topics: str, latency: float = 0.0) -> MemoryCluster:
    made = MemoryCluster(
        lambda: 1_000_000 + now(),
        connection=Connection(
            "memory",
            session_timeout=SESSION,
            rebalance_timeout=REBALANCE,
            write_timeout=WRITE,
        ),
        latency=lambda: latency,
    )
    for topic in topics or ("q",):
        made.add_topic(topic)
    return made


def out(value: bytes = b"v") -> Outgoing:
    return Outgoing(None, value, [])


async def joined(made: MemoryCluster, name: str, diary: Diary, *topics: str) -> Consumer:
    consumer = made.client(name).consumer("g", topics or ("q",), diary, units={}, client_id=name)
    await consumer.start()
    return consumer


async def raises_after(seconds: float, kind: type[KafkaProblem], doing: Awaitable[object]) -> None:
    began = now()
    with pytest.raises(kind):
        await doing
    assert now() - began == pytest.approx(seconds)


def test_a_crashed_members_partitions_wait_for_its_session_to_end() -> None:
    async def scenario() -> None:
        made, diary = cluster("a", "b"), Diary()
        await joined(made, "victim", Diary(), "a", "b")
        survivor = await joined(made, "survivor", diary, "a", "b")
        assert len(survivor.assignment()) == 1
        began = now()
        made.crash("victim")
        while len(survivor.assignment()) < 2:
            await survivor.poll([], 1, 0.5)
        assert SESSION - BEAT <= now() - began <= SESSION + BEAT + 1
        await survivor.stop()

    run_virtually(scenario())


def test_a_member_that_stops_hands_over_at_the_next_heartbeat() -> None:
    async def scenario() -> None:
        made = cluster("a", "b")
        leaver = await joined(made, "leaver", Diary(), "a", "b")
        stays = await joined(made, "stays", Diary(), "a", "b")
        began = now()
        await leaver.stop()
        while len(stays.assignment()) < 2:
            await stays.poll([], 1, 0.1)
        assert now() - began <= BEAT + 0.2
        await stays.stop()

    run_virtually(scenario())


def test_who_is_cut_from_the_coordinator_reads_on_and_hears_nothing() -> None:
    async def scenario() -> None:
        made, diary = cluster(), Diary()
        cut = await joined(made, "cut", diary)
        made.partition_off("cut")
        waiting = asyncio.create_task(joined(made, "other", Diary()))
        other = await waiting
        assert other.assignment() == {Q}
        assert now() == pytest.approx(SESSION, abs=BEAT)
        made.put(Q, [out()])
        assert await cut.poll(None, 10, 1.0)
        assert await other.poll(None, 10, 1.0)
        assert [what for _, what, _ in diary.told] == ["assigned"]
        await raises_after(COMMIT, Unavailable, cut.commit({Q: Committed(1)}))
        made.thaw("cut")
        while not diary.times("lost"):
            await cut.poll([], 1, 0.5)
        assert [what for _, what, _ in diary.told][:2] == ["assigned", "lost"]
        await cut.stop()
        await other.stop()

    run_virtually(scenario())


def test_the_first_commit_after_the_cut_is_stale() -> None:
    async def scenario() -> None:
        made = cluster()
        cut = await joined(made, "cut", Diary())
        made.partition_off("cut")
        other = await joined(made, "other", Diary())
        made.thaw("cut")
        with pytest.raises(Stale):
            await cut.commit({Q: Committed(9)})
        assert (await other.committed([Q]))[Q] is None
        await cut.stop()
        await other.stop()

    run_virtually(scenario())


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


def test_an_outage_puts_nobody_out() -> None:
    async def scenario() -> None:
        made, diary = cluster(), Diary()
        consumer = await joined(made, "one", diary)
        made.down()
        await raises_after(COMMIT, Unavailable, consumer.commit({Q: Committed(1)}))
        await asyncio.sleep(10 * SESSION)
        made.up()
        await consumer.commit({Q: Committed(2, "after")})
        await consumer.poll([], 1, 2 * SESSION)
        assert [what for _, what, _ in diary.told] == ["assigned"]
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


def test_the_group_waits_for_a_slow_revoke() -> None:
    async def scenario() -> None:
        made, diary = cluster(), Diary()
        slow = await joined(made, "a-slow", diary)

        async def drain() -> None:
            await asyncio.sleep(40)
            await slow.commit({Q: Committed(5, "drained")})

        diary.on_revoked = drain
        other = await joined(made, "other", Diary())
        assert 40 <= now() <= 40 + 2 * BEAT
        assert (await other.committed([Q]))[Q] == Committed(5, "drained")
        await slow.stop()
        await other.stop()

    run_virtually(scenario())


def test_the_group_does_not_wait_for_ever() -> None:
    async def scenario() -> None:
        made, diary = cluster(), Diary()
        slow = await joined(made, "a-slow", diary)
        problems: list[KafkaProblem] = []

        async def drain() -> None:
            await asyncio.sleep(REBALANCE + 20)
            try:
                await slow.commit({Q: Committed(5)})
            except KafkaProblem as problem:
                problems.append(problem)

        diary.on_revoked = drain
        other = await joined(made, "other", Diary())
        assert REBALANCE - 0.1 <= now() <= REBALANCE + 2 * BEAT
        assert other.assignment() == {Q}
        await asyncio.sleep(40)
        assert [isinstance(problem, Stale) for problem in problems] == [True]
        await slow.stop()
        await other.stop()

    run_virtually(scenario())


def test_a_member_that_does_not_poll_is_put_out_after_five_minutes() -> None:
    async def scenario() -> None:
        made, lazy, busy = cluster(), Diary(), Diary()
        sleeper = await joined(made, "a-sleeper", lazy)
        other = await joined(made, "other", busy)
        began = now()
        while not busy.times("assigned"):
            await other.poll([], 1, 1.0)
            assert now() - began < 400
        assert lazy.times("lost") or lazy.times("revoked")
        assert 290 < now() - began < 320
        await sleeper.stop()
        await other.stop()

    run_virtually(scenario())


def test_a_group_has_one_way_to_assign() -> None:
    async def scenario() -> None:
        made = cluster()
        first = await joined(made, "one", Diary())
        with pytest.raises(Refused):
            await made.client("two").consumer("g", ["q"], Diary()).start()
        await first.stop()

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


def test_each_run_is_the_same() -> None:
    async def scenario() -> list[object]:
        made = cluster("a", "b", "c", "d", latency=0.003)
        diaries = {name: Diary() for name in ("one", "two", "three")}
        members = [await joined(made, name, diaries[name], "a", "b", "c", "d") for name in diaries]
        made.crash("two")
        for _ in range(60):
            for consumer in (members[0], members[2]):
                await consumer.poll([], 1, 0.5)
        for consumer in (members[0], members[2]):
            await consumer.stop()
        return [diary.told for diary in diaries.values()]

    assert run_virtually(scenario()) == run_virtually(scenario())
