"""Runs as a whole, on a cluster in memory and a clock of its own: killed, cut off, in each other's
way. Whatever happens, each dead letter joins its queue once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from forwarder.deadletters.desk import LIMITS, WATCH, Busy, Clocks, Desk, Overtaken
from forwarder.deadletters.judge import Judge, LetterJudge, Rules
from forwarder.deadletters.ledger import Ledger, Run, life
from forwarder.deadletters.pace import Pace
from forwarder.deadletters.replay import Replay, count
from forwarder.deadletters.resolve import GoOn
from forwarder.deadletters.session import Result
from forwarder.deadletters.work import Places, Work
from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import (
    Committed,
    KafkaProblem,
    Outgoing,
    Producer,
    Reader,
    TopicPartition,
)
from forwarder.kafka.records import read_progress
from forwarder.settings import Settings
from tests.unit.deadletters.build import DLQ, NOW, TRAITS, dead, settings_of, today_of
from tests.unit.lane import virtual

ACCOUNTS = ("acme-pixel", "acme-ttd", "acme-thrad")
LEDGER = "conversions.replays"
BATCH = 10


class World:
    """A cluster, dead letters in it, and senders that take one request's worth a second."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self.random = Random(seed)
        self.now = loop.time
        connection = Connection("memory", write_timeout=LIMITS.write, stop_timeout=LIMITS.stop)
        self.cluster = MemoryCluster(
            self.now, connection=connection, latency=lambda: self.random.uniform(0.0, 0.02)
        )
        self.cluster.add_topic(DLQ, 3)
        self.cluster.add_topic(LEDGER)
        for account in ACCOUNTS:
            self.cluster.add_topic(queue(account))
        self.today = today_of(settings)
        self.blocked: set[str] = set()
        self.said: list[str] = []
        self.letters: Counter[tuple[str, str]] = Counter()
        self.longest: Counter[str] = Counter()
        self._sending = asyncio.create_task(self._send_on())

    def close(self) -> None:
        self._sending.cancel()

    def fill(self, number: int, accounts: tuple[str, ...] = ACCOUNTS) -> None:
        for n in range(number):
            account = self.random.choice(accounts)
            destination = self.today.accounts[account].settings.destination
            letter = dead(n, account=account, destination=destination, failed_at=self.now() - 5)
            self.cluster.put(TopicPartition(DLQ, self.random.randrange(3)), [letter])
            self.letters[account, f"conversions/0/{n}"] += 1

    async def _send_on(self) -> None:
        """What senders do, as far as a replay sees it."""
        while True:
            await asyncio.sleep(1.0)
            for account in ACCOUNTS:
                at = TopicPartition(queue(account), 0)
                group = self.cluster.group(f"senders.{account}")
                end = self.cluster.log.partition(at).end
                place = group.committed.get(at, Committed(0)).offset
                self.longest[account] = max(self.longest[account], end - place)
                if account not in self.blocked:
                    group.commit_from_outside({at: Committed(min(end, place + BATCH))})

    def queued(self) -> Counter[tuple[str, str]]:
        """(account, origin) of everything that ever joined a queue."""
        found: Counter[tuple[str, str]] = Counter()
        for account in ACCOUNTS:
            for record in self.cluster.records(queue(account)):
                found[account, read_progress(record).origin] += 1
        return found

    async def run(self, run_id: str = "r1", token: str = "t1", **options: Any) -> Run:
        reader = self.cluster.client("look").reader()
        parts = [TopicPartition(DLQ, number) for number in range(3)]
        return Run(
            id=run_id,
            source="dlq",
            topic=DLQ,
            by="jo",
            started_at=self.now(),
            token=token,
            alive_at=self.now(),
            options=options,
            spans={at.partition: span for at, span in (await reader.bounds(parts)).items()},
        )

    def work(self, run: Run, name: str = "p1", *, limit: int | None = None, **rules: Any) -> Work:
        async def judging(ledger: Ledger, _: Reader, __: GoOn) -> Judge:
            return LetterJudge(self.today, TRAITS, Rules(**rules), ledger, run.id)

        places = Places(
            ledger=LEDGER,
            queues={account: queue(account) for account in ACCOUNTS},
            senders={account: f"senders.{account}" for account in ACCOUNTS},
            batches=dict.fromkeys(ACCOUNTS, BATCH),
            group=f"g.replay.{run.id}",
        )
        return Work(
            kafka=self.cluster.client(name),
            run=run,
            places=places,
            judging=judging,
            pace=lambda: Pace(places.batches, self.now()),
            clocks=Clocks(self.now, self.now, asyncio.sleep),
            watcher=self,
            limit=limit,
        )

    async def ledger(self) -> Ledger:
        desk = Desk(self.cluster.client("look"), LEDGER, Clocks(self.now, self.now, asyncio.sleep))
        return await desk.load()

    # Watcher
    def counting(self, left: int) -> None:
        assert left >= 0

    def sending(self, sent: int, to_send: int) -> None:
        assert 0 <= sent <= to_send

    def say(self, text: str) -> None:
        self.said.append(text)


def queue(account: str) -> str:
    return f"conversions.queue.{account}"


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    settings = settings_of(tmp_path)

    def run(story: Callable[[World], Awaitable[None]], seed: int = 0) -> None:
        async def main() -> None:
            world = World(settings, seed)
            try:
                await story(world)
            finally:
                world.close()

        virtual.run(main(), NOW)

    return run


Play = Callable[..., None]


# -- without trouble ------------------------------------------------------------------------------
def test_everything_is_sent_once_and_noted(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(300)
        run = await world.run()
        counted = await count(world.work(run))
        assert (counted.matched, counted.to_send, counted.sent) == (300, 300, 0)
        assert world.queued() == Counter()
        assert world.cluster.records(LEDGER) == []
        result = await Replay(world.work(run)).send()
        assert (result.outcome, result.counts.to_send, result.counts.sent) == ("finished", 300, 300)
        assert world.queued() == world.letters
        told = (await world.ledger()).runs["r1"]
        assert (told.outcome, told.counts["sent"], told.by) == ("finished", 300, "jo")

    play(story)


def test_no_queue_is_ever_longer_than_one_request(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(300)
        await Replay(world.work(await world.run())).send()
        assert max(world.longest.values()) <= BATCH

    play(story)


def test_a_second_run_sends_nothing_unless_told_to(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(60)
        await Replay(world.work(await world.run())).send()
        second = await Replay(world.work(await world.run("r2", "t2"))).send()
        told = second.counts.as_json()
        assert (told["replayed_before"], told["to_send"], told["sent"]) == (60, 0, 0)
        third = await Replay(world.work(await world.run("r3", "t3"), again=True)).send()
        assert third.counts.sent == 60
        assert set(world.queued().values()) == {2}

    play(story)


def test_a_limit_is_for_the_whole_run(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(60)
        run = await world.run()
        result = await Replay(world.work(run, limit=25)).send()
        assert (result.counts.to_send, result.counts.sent) == (25, 25)
        assert sum(world.queued().values()) == 25
        rest = await Replay(world.work(await world.run("r2", "t2"))).send()
        assert (rest.counts.kinds["replayed_before"], rest.counts.sent) == (25, 35)  # type: ignore[index]
        assert world.queued() == world.letters

    play(story)


def test_dead_letters_that_come_later_are_left_to_another_run(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(40)
        run = await world.run()
        known = world.letters.copy()
        world.fill(40)
        await Replay(world.work(run)).send()
        assert sum(world.queued().values()) == sum(known.values())

    play(story)


def test_a_blocked_account_holds_up_nobody(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(600)
        world.blocked.add("acme-ttd")
        sending = Replay(world.work(await world.run()))
        task = asyncio.create_task(sending.send())
        await asyncio.sleep(40)
        queued, others = world.queued(), ("acme-pixel", "acme-thrad")
        for account in others:
            wanted = {key for key in world.letters if key[0] == account}
            assert wanted <= set(queued)
        assert sum(n for (account, _), n in queued.items() if account == "acme-ttd") == BATCH
        assert any("acme-ttd: waits for room in its queue: 10 there" in text for text in world.said)
        world.blocked.clear()
        await task
        assert world.queued() == world.letters

    play(story)


# -- stopping -------------------------------------------------------------------------------------
@pytest.mark.parametrize("from_outside", [True, False])
def test_a_stopped_run_goes_on_where_it_stood(play: Play, from_outside: bool) -> None:
    async def story(world: World) -> None:
        world.fill(300)
        run = await world.run()
        sending = Replay(world.work(run))
        task = asyncio.create_task(sending.send())
        await asyncio.sleep(4)
        if from_outside:
            desk = Desk(world.cluster.client("x"), LEDGER, world.work(run).clocks)
            await desk.start()
            await desk.write([life("r1", "stop", world.now(), by="jo")])
        else:
            sending.stop()
        stopped = await task
        assert stopped.outcome == "stopped"
        assert 0 < stopped.counts.sent < 300
        at = world.now()
        again = await world.run(token="t2")
        again.spans = run.spans
        result = await Replay(world.work(again, "p2")).send()
        assert (result.outcome, result.counts.sent) == ("finished", 300)
        assert world.queued() == world.letters
        assert world.now() - at < 60

    play(story)


# -- trouble --------------------------------------------------------------------------------------
async def resumed(world: World, run: Run, token: str, name: str) -> Result:
    again = await world.run(token=token)
    again.spans = run.spans
    return await Replay(world.work(again, name)).send()


@pytest.mark.parametrize("seed", range(40))
def test_killed_at_any_moment_nothing_is_lost_or_doubled(play: Play, seed: int) -> None:
    async def story(world: World) -> None:
        world.fill(120)
        run = await world.run()
        world.cluster.slow_acks(world.random.choice([0.0, 0.05, 0.4]))
        for life_number in range(world.random.randint(1, 3)):
            again = await world.run(token=f"t{life_number}")
            again.spans = run.spans
            name = f"p{life_number}"
            task = asyncio.create_task(Replay(world.work(again, name)).send())
            await asyncio.sleep(world.random.uniform(0.0, 2.5) + WATCH * bool(life_number))
            world.cluster.crash(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        result = await resumed(world, run, "last", "last")
        assert (result.outcome, result.counts.sent) == ("finished", 120)
        assert world.queued() == world.letters

    play(story, seed)


@pytest.mark.parametrize("seed", range(40))
def test_cut_off_and_taken_over_nothing_is_doubled(play: Play, seed: int) -> None:
    """The first process never dies: it hears nothing for a while, and another takes its run up."""

    async def story(world: World) -> None:
        world.fill(120)
        run = await world.run()
        first = asyncio.create_task(Replay(world.work(run, "p1")).send())
        await asyncio.sleep(world.random.uniform(0.1, 2.5))
        world.cluster.freeze("p1")
        second = asyncio.create_task(resumed(world, run, "t2", "p2"))
        await asyncio.sleep(world.random.uniform(0.0, 2 * WATCH))
        world.cluster.thaw("p1")
        ends = await asyncio.gather(first, second, return_exceptions=True)
        finished = [end for end in ends if isinstance(end, Result)]
        assert finished, ends
        refused = [end for end in ends if not isinstance(end, Result)]
        assert all(isinstance(end, Busy | Overtaken | KafkaProblem) for end in refused), ends
        assert world.queued() == world.letters

    play(story, seed)


class Suspended:
    """A producer of a process that is suspended right after a batch was noted."""

    def __init__(self, inner: Producer, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    async def start(self) -> None:
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    async def write(
        self, topic: str, records: Sequence[Outgoing], partition: int | None = None
    ) -> None:
        await self._inner.write(topic, records, partition)
        if topic == LEDGER and any((r.key or b"").startswith(b"conversions.dlq/") for r in records):
            seconds, self._seconds = self._seconds, 0.0
            await asyncio.sleep(seconds)


def test_a_process_that_was_suspended_writes_no_more(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(120)
        run = await world.run()
        work = world.work(run)
        kafka = world.cluster.client("p1")
        made = Suspended(kafka.producer(), 4 * WATCH)
        kafka.producer = lambda: made  # type: ignore[method-assign]
        first = asyncio.create_task(Replay(replace(work, kafka=kafka)).send())
        await asyncio.sleep(1.0)
        result = await resumed(world, run, "t2", "p2")
        assert not first.done()
        assert result.counts.sent == 120
        with pytest.raises(Overtaken):
            await first
        assert world.queued() == world.letters

    play(story)


@pytest.mark.parametrize("seed", range(10))
def test_brokers_that_are_away_are_waited_for(play: Play, seed: int) -> None:
    async def story(world: World) -> None:
        world.fill(120)
        task = asyncio.create_task(Replay(world.work(await world.run())).send())
        await asyncio.sleep(world.random.uniform(1.0, 3.0))
        world.cluster.down()
        await asyncio.sleep(world.random.uniform(1.0, 90.0))
        world.cluster.up()
        result = await task
        assert (result.outcome, result.counts.sent) == ("finished", 120)
        assert world.queued() == world.letters

    play(story, seed)


def test_brokers_that_are_away_from_the_start_end_it(play: Play) -> None:
    async def story(world: World) -> None:
        run = await world.run()
        world.cluster.down()
        with pytest.raises(KafkaProblem):
            await Replay(world.work(run)).send()

    play(story)


@pytest.mark.parametrize("seed", range(10))
def test_one_live_run_for_a_source(play: Play, seed: int) -> None:
    async def story(world: World) -> None:
        world.fill(120)
        tasks = []
        for number in range(3):
            run = await world.run(f"r{number}", f"t{number}")
            tasks.append(asyncio.create_task(Replay(world.work(run, f"p{number}")).send()))
            await asyncio.sleep(world.random.choice([0.0, 0.0, 0.01, 1.0]))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(end, Result) for end in ends) == 1, ends
        assert sum(isinstance(end, Busy) for end in ends) == 2, ends
        assert world.queued() == world.letters

    play(story, seed)


def test_a_record_too_large_for_its_queue_is_told(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(20, ("acme-ttd",))
        large = dead(99, account="acme-ttd", destination="tradedesk", failed_at=world.now())
        big = large._replace(value=(large.value or b"") + b" " * 2_000_000)
        world.cluster.log.topics[DLQ].spec.config["max.message.bytes"] = "9000000"  # type: ignore[index]
        world.cluster.put(TopicPartition(DLQ, 0), [Outgoing(*big)])
        result = await Replay(world.work(await world.run())).send()
        assert (result.outcome, result.counts.sent) == ("finished", 20)
        assert world.said[-1] == "acme-ttd: 1 records are too large for its queue"
        assert world.queued() == world.letters

    play(story)


def test_a_run_that_first_reads_a_long_queue_keeps_its_source(play: Play) -> None:
    async def story(world: World) -> None:
        world.fill(30)
        work = world.work(await world.run())

        async def slowly(ledger: Ledger, reader: Reader, go_on: GoOn) -> Judge:
            for _ in range(60):
                await asyncio.sleep(1)
                assert await go_on()
            return await work.judging(ledger, reader, go_on)

        first = asyncio.create_task(Replay(replace(work, judging=slowly)).send())
        await asyncio.sleep(30)
        with pytest.raises(Busy):
            await Replay(world.work(await world.run("r2", "t2"), "p2")).send()
        assert (await first).outcome == "finished"

    play(story)
