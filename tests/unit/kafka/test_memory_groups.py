"""Groups of the in-memory cluster, to the moment: faults as a real cluster was seen to have."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.kafka.port import (
    Committed,
    KafkaProblem,
    Refused,
    Stale,
    Unavailable,
)
from tests.support.memory_cluster import (
    BEAT,
    COMMIT,
    REBALANCE,
    SESSION,
    Diary,
    Q,
    cluster,
    joined,
    now,
    out,
    raises_after,
)
from tests.support.vendor_clock import run_virtually


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


def test_a_rebalance_that_is_over_puts_nobody_out_later() -> None:
    """Its limit was set again while it went on, and the first one still ran."""

    async def scenario() -> None:
        made, diary = cluster("a", "b"), Diary()
        first = await joined(made, "first", diary, "a", "b")
        joining = asyncio.create_task(joined(made, "second", Diary(), "a", "b"))
        await asyncio.sleep(BEAT / 2)
        assert diary.times("revoked") == []
        made.up()
        second = await joining
        for _ in range(round(REBALANCE) + 10):
            await asyncio.gather(first.poll([], 1, 1.0), second.poll([], 1, 1.0))
        assert diary.times("lost") == []
        await first.stop()
        await second.stop()

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
