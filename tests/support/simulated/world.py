"""Plays one seed."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from forwarder import router, sender
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing, TopicPartition
from forwarder.ops.logs import Level, Value
from forwarder.worker import Roles
from tests.support.simulated.answers import Door
from tests.support.simulated.cluster import SimulatedCluster
from tests.support.simulated.events import STRAYS, Maker
from tests.support.simulated.faults import Faults
from tests.support.simulated.ledger import QUEUE, SETTLEMENTS, Ledger, Published
from tests.support.simulated.loop import VirtualLoop
from tests.support.simulated.plan import Plan, draw
from tests.support.simulated.promises import Promises
from tests.support.simulated.replica import Replica
from tests.support.simulated.settled import Settled
from tests.support.simulated.vendors import Vendors

EPOCH: Final = 1_790_000_000.0
SMALL: Final = "2000"
LARGEST: Final = str(2 << 20)
SETTLES_WITHIN: Final = 5400.0
"""Seconds after the last fault within which all is done that can be done: refused events that stand
alone at an account are judged one by one after an hour."""
HOURS: Final = 5 * 3600.0
"""The same for a run that stays until the retry topics are empty."""
LATER: Final = (".10m", ".1h")
STOPS_WITHIN: Final = 75.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """``digest``: equal for runs that went the same way, step by step."""

    seed: int
    profile: str
    violations: tuple[str, ...]
    digest: str
    trace: tuple[str, ...]
    lasted: float
    delivered: int


def run(seed: int, profile: str | None = None) -> Outcome:
    return play(draw(seed, profile))


def play(plan: Plan) -> Outcome:
    loop = VirtualLoop()
    with _tuned(plan.poll_records):
        world = World(plan, loop)
        try:
            loop.play(world.play())
        except Exception:  # noqa: BLE001 - whatever it is, the seed failed
            world.ledger.break_("the run failed", traceback.format_exc())
    ledger = world.ledger
    return Outcome(
        plan.seed,
        plan.profile,
        tuple(ledger.violations),
        ledger.digest,
        tuple(ledger.trace),
        ledger.now(),
        sum(len(sent.taken) for sent in ledger.sent),
    )


@contextlib.contextmanager
def _tuned(poll_records: int) -> Iterator[None]:
    """Small poll batches, so that what a crash may repeat is small too; and long polls, which end
    when something comes: most of a run's work would be asking again.
    """
    before = router.POLL_RECORDS, router.POLL_SECONDS, sender.POLL_SECONDS
    router.POLL_RECORDS, router.POLL_SECONDS, sender.POLL_SECONDS = poll_records, 1.0, 2.0
    try:
        yield
    finally:
        router.POLL_RECORDS, router.POLL_SECONDS, sender.POLL_SECONDS = before


class World:
    """One deployment, from its start to the judgement."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self._plan = plan
        self._loop = loop
        settings = plan.settings
        self.ledger = Ledger(loop.time, settings.kafka.events_topic)
        self._random = Random(f"world {plan.seed}")
        self._environ = dict(plan.environ)
        settled = Settled(self.ledger, settings.delivery.session_timeout / 2, plan.poll_records)
        self._cluster = SimulatedCluster(
            self.ledger,
            loop,
            epoch=EPOCH,
            connection=Connection("memory", session_timeout=settings.delivery.session_timeout),
            latency=self._latency,
            settled=settled,
            router_group=settings.kafka.group_id,
            group_of=self._group_of,
        )
        self._vendors = Vendors(
            self.ledger,
            loop,
            Random(f"vendors {plan.seed}"),
            {
                name: Door(
                    a.destination,
                    [f"key-of-{name}"],
                    self._random.random() < 0.7,
                    a.concurrency,
                )
                for name, a in plan.upgraded.accounts.items()
            },
            plan.weather,
            lambda account, replica: settled.check_lease(
                self._group_of(account), replica, "a sender sent"
            ),
        )
        self._vendors.connecting = plan.connecting
        self._replicas: list[Replica] = []
        self._faults = Faults(
            plan,
            self._cluster,
            self._vendors,
            self.ledger,
            loop,
            self._environ,
            self._replicas,
            self._start,
            self._upgrade,
        )
        self._current = settings
        self._unclean: set[tuple[str, str]] = set()
        self._ending = False

    def _group_of(self, account: str) -> str:
        settings = self._plan.upgraded
        return settings.kafka.sender_group(settings.accounts[account].destination)

    def _upgrade(self) -> None:
        self._current = self._plan.upgraded

    def _latency(self) -> float:
        return self._faults.latency()

    async def play(self) -> None:
        plan = self._plan
        self._cluster.add_topic(
            plan.settings.kafka.events_topic, plan.partitions, {"max.message.bytes": LARGEST}
        )
        for topic in plan.small:
            number = 1 if QUEUE in topic else 4
            self._cluster.add_topic(topic, number, {"max.message.bytes": SMALL})
        for _ in range(plan.replicas):
            self._start(None)
        self._schedule()
        await asyncio.sleep(plan.until)
        self._faults.calm()
        await self._settle()
        await self._stop()
        self._judge()

    def _schedule(self) -> None:
        maker = Maker(self._plan.upgraded, Random(f"events {self._plan.seed}"))
        for at, kind in self._plan.events:
            self._loop.call_later(at, self._publish, maker, kind)
        for at, name in self._plan.strays:
            self._loop.call_later(at, self._stray, name)
        for fault in self._plan.faults:
            self._loop.call_later(fault.at, self._faults.strike, fault)

    def _publish(self, maker: Maker, kind: str | None) -> None:
        topic = self._plan.settings.kafka.events_topic
        at = TopicPartition(topic, self._random.randrange(self._plan.partitions))
        made = maker.make(EPOCH + self._loop.time(), kind)
        offset = len(self.ledger.records[at])
        origin = f"{topic}/{at.partition}/{offset}"
        self.ledger.publish(
            Published(made.event_id, origin, self._loop.time(), made.expected, made.dies)
        )
        self._cluster.put(at, [made.record])

    def _stray(self, name: str) -> None:
        """A record in a retry topic that no sender wrote."""
        headers, reason = STRAYS[name]
        at = TopicPartition(self._plan.settings.kafka.retry_topics[0], 0)
        log = self._cluster.log
        if at.topic not in log.topics or at.topic in log.refused:
            return
        where = f"{at.topic}/{at.partition}/{len(self.ledger.records[at])}"
        origin = "x/0/0" if name == "homeless" else where
        account = headers.get("forwarder-account", b"").decode()
        self.ledger.publish(
            Published(f"{name} {where}", origin, self._loop.time(), {}, reason, account)
        )
        self._cluster.put(at, [Outgoing(None, b"{}", list(headers.items()))])

    # -- replicas -------------------------------------------------------------------------------
    def _start(self, like: Replica | None) -> None:
        """``like``: of the same roles as that one."""
        if self._ending:
            return  # nobody would stop it
        number = len(self._replicas)
        skew = self._random.uniform(-1, 1) * self._plan.skew
        replica = Replica(
            f"r{number}",
            self._current,
            self._roles(number) if like is None else like.roles,
            self._cluster,
            self._vendors,
            self._loop,
            environ=self._environ,
            epoch=EPOCH,
            skew=skew,
            told=self._told,
            seed=f"replica {self._plan.seed} {number}",
        )
        self._replicas.append(replica)
        self.ledger.say("start", replica.name)
        self._loop.call_later(0.5, self._watch, replica, context=self._loop.outside)

    def _roles(self, number: int) -> Roles:
        destinations = frozenset(a.destination for a in self._plan.settings.accounts.values())
        if not self._plan.split:
            return Roles(router=True, senders=destinations)
        router_too = number % 2 == 0
        return Roles(router=router_too, senders=frozenset() if router_too else destinations)

    def _watch(self, replica: Replica) -> None:
        """As an orchestrator does: what ended without being asked to is started again."""
        if replica.alive:
            self._loop.call_later(0.5, self._watch, replica, context=self._loop.outside)
            return
        self.ledger.say("ended", replica.name, replica.ended)
        if replica.crashed is not None:
            told = "".join(traceback.format_exception(replica.crashed))
            self.ledger.break_("a replica crashed", replica.name, told)
        if replica.ended == "stopped" and not replica.stopping:
            self.ledger.break_("a replica stopped by itself", replica.name)
        if self._ending:
            return
        same = sum(r.alive and r.roles == replica.roles for r in self._replicas)
        if not replica.stopping or same == 0:
            self._loop.call_later(
                self._random.choice((0.1, 2.0, 8.0)),
                self._start,
                replica,
                context=self._loop.outside,
            )

    def _told(
        self, replica: Replica, level: Level, action: str, fields: Mapping[str, Value]
    ) -> None:
        told = " ".join(f"{name}={value}" for name, value in fields.items())
        self.ledger.say("log", replica.name, level, action, told)
        kafka = self._plan.settings.kafka
        destination = fields.get("destination")
        group = kafka.sender_group(str(destination)) if destination else kafka.group_id
        match action:
            case "partitions_assigned":
                self._unclean.discard((replica.name, group))
            case "drain_incomplete":
                self._unclean.add((replica.name, group))
            case "partitions_revoked":
                if (replica.name, group) not in self._unclean:
                    self._cluster.group(group).gave_back(replica.name)

    # -- the end --------------------------------------------------------------------------------
    async def _settle(self) -> None:
        """One replica of each kind is left, and all that is due gets done."""
        await asyncio.sleep(20)
        kept: list[Roles] = []
        for replica in self._replicas:
            if replica.alive and not replica.stopping:
                if replica.roles in kept:
                    replica.stop()
                kept.append(replica.roles)
        until = self._loop.time() + (HOURS if self._plan.patient else SETTLES_WITHIN)
        while (undone := self._undone()) is not None:
            if self._loop.time() > until:
                self.ledger.break_("stuck", undone)
                return
            if self.ledger.violations:
                return
            await asyncio.sleep(2)

    def _undone(self) -> str | None:
        ledger = self.ledger
        passed = (".dlq", SETTLEMENTS) if self._plan.patient else (".dlq", SETTLEMENTS, *LATER)
        for at, records in sorted(ledger.records.items()):
            done = ledger.committed.get(at, 0)
            if at.topic.endswith(passed) or done >= len(records):
                continue
            if QUEUE in at.topic and self._waits_for_long(at, done):
                continue
            return f"{at.topic}/{at.partition} stands at {done} of {len(records)}"
        return None

    def _waits_for_long(self, at: TopicPartition, done: int) -> bool:
        """A paused account; and one with nothing but events that are refused in its queue, which
        may look as if it was at fault for an hour.
        """
        ledger = self.ledger
        left = [record for record in ledger.records[at][done:] if record is not None]
        return all(
            self._plan.upgraded.accounts[record.account].state == "paused"
            or ledger.published[record.origin].expected[record.account] == "refused"
            for record in left
        )

    async def _stop(self) -> None:
        self._ending = True
        for replica in self._replicas:
            replica.stop()
        await asyncio.sleep(STOPS_WITHIN)
        for replica in self._replicas:
            if replica.alive:
                self.ledger.break_("does not stop", replica.name)

    def _judge(self) -> None:
        for fault in self._loop.faults:
            self.ledger.break_("an error that nobody saw", fault)
        if self._plan.profile in ("planned", "vendors"):
            for loss in self.ledger.losses:
                self.ledger.break_("lost without a crash", *loss)
        if not self.ledger.violations:
            promises = Promises(self.ledger, self._plan)
            promises.judge(self._vendors.arrivals)
