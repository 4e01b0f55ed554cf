"""What one process runs, and in which order it starts and stops.

Start: topics, producer, probes, then router and senders. Stop, on a signal or a failure: router and
senders drain and leave their groups side by side, then probes, HTTP client and producer close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from random import Random

from forwarder.board import Board, Identity
from forwarder.budgets import BudgetBook, plans
from forwarder.credentials import CredentialChange, CredentialWatch
from forwarder.destinations import DESTINATIONS
from forwarder.event import decode, decode_checked
from forwarder.http.port import HttpClient
from forwarder.intake import Memory
from forwarder.kafka import topics
from forwarder.kafka.port import Admin, Consumer, Kafka, Producer, Rebalance, TopicPartition
from forwarder.lane.ahead import Ahead
from forwarder.lane.lane import LaneSettings
from forwarder.opening import Opener, SenderSettings
from forwarder.ops.gauges import readings
from forwarder.ops.logs import Log
from forwarder.ops.metrics import Metrics
from forwarder.ops.report import Report
from forwarder.ops.server import OpsServer
from forwarder.ops.status import Status
from forwarder.plan import Planner
from forwarder.router import Router, RouterTopics
from forwarder.routing import Routing
from forwarder.sender import Sender, Surroundings
from forwarder.settings import (
    Settings,
    advertiser_defaults,
    bind_accounts,
    config_hash,
    topic_translator,
    units,
)
from forwarder.startup import create_missing_topics, ends_of, place_new_group, wrong_topics
from forwarder.tasks import raise_first
from forwarder.watchdog import Watchdog
from forwarder.writer import Writer

AHEAD = 32 << 20
"""Bytes of items, and of the records they are made of, that the router may be ahead of the lanes of
its process."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What this process does: ``router``, and ``senders`` for these destinations."""

    router: bool
    senders: frozenset[str]


@dataclass(frozen=True, slots=True)
class Surfaces:
    """The outside, passed in: ports, clocks, randomness.

    ``now``: epoch seconds. ``clock``: seconds that only grow, also while the process is stopped.
    """

    kafka: Kafka
    http: HttpClient
    credentials: CredentialWatch
    log: Log
    now: Callable[[], float]
    clock: Callable[[], float]
    random: Random


class Worker:
    """One process's work. ``run`` returns after ``stop``; it raises what ended it otherwise:
    ``Broken`` and other ``KafkaProblem``, ``CannotListen``.
    """

    def __init__(self, settings: Settings, roles: Roles, surfaces: Surfaces, version: str) -> None:
        self._settings = settings
        self._roles = roles
        self._surfaces = surfaces
        self._accounts = bind_accounts(settings)
        destinations = {name: a.settings.destination for name, a in self._accounts.items()}
        identity = Identity(version, config_hash(settings), surfaces.now())
        self._metrics = Metrics(version=version, config_hash=identity.config_hash)
        self._report = Report(self._metrics, surfaces.log, destinations, surfaces.now)
        self._queues = {name: settings.kafka.queue_topic(name) for name in self._accounts}
        self._board = Board(
            identity,
            self._accounts,
            self._queues,
            {topic: topic.rsplit(".", 1)[-1] for topic in settings.kafka.retry_topics},
            settings.kafka.events_topic,
            self._report,
            surfaces.credentials.get,
            now=surfaces.now,
            clock=surfaces.clock,
        )
        self._metrics.watch(lambda: readings(self._board.status()))
        self._server = OpsServer(
            settings.ops.listen, self._board, self._board.status, self._metrics.page
        )
        self._ahead = Ahead(AHEAD)
        self._ends: Mapping[TopicPartition, int] = {}
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """The port of probes and page, once started."""
        return self._server.port

    @property
    def settings(self) -> Settings:
        return self._settings

    def status(self) -> Status:
        """How this replica stands, as on its page."""
        return self._board.status()

    def outcomes(self, account: str) -> Mapping[tuple[str, str], int]:
        """Deliveries of ``account`` that ended here, by (outcome, reason)."""
        return self._report.outcomes(account)

    def records(self) -> Mapping[str, int]:
        """Records of the events topic that were settled here, by outcome."""
        return self._metrics.outcomes_of(self._settings.kafka.events_topic)

    def stop(self) -> None:
        """Drain, leave, end. May be called twice."""
        self._stopping.set()

    async def run(self) -> None:
        log = self._surfaces.log
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._surfaces.http.close)
            await self._server.start()
            stack.push_async_callback(self._server.stop)
            await self._prepare()
            producer = self._surfaces.kafka.producer()
            stack.push_async_callback(producer.stop)
            await producer.start()
            admin = self._surfaces.kafka.admin()
            stack.push_async_callback(admin.stop)
            await admin.start()
            log.info("service_started", accounts=len(self._accounts))
            await self._work(producer, admin)
        log.info("stopped")

    async def _work(self, producer: Producer, admin: Admin) -> None:
        """Run until a stop or the first failure; then let every member drain and leave."""
        members = self._members(producer)
        around = self._surfaces
        watchdog = Watchdog(
            members, admin, self._board.watched, around.log, clock=around.clock, now=around.now
        )
        running = {asyncio.create_task(member.run(), name=member.role) for member in members}
        watching = {
            asyncio.create_task(watchdog.run(), name="watchdog"),
            asyncio.create_task(self._watch_credentials(), name="credentials"),
        }
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        await asyncio.wait({*running, *watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._board.draining = True
        self._surfaces.log.info("draining")
        for member in members:
            member.stop()
        ended = await asyncio.gather(*running, return_exceptions=True)
        for task in (*watching, stopping):
            task.cancel()
        seen = await asyncio.gather(*watching, return_exceptions=True)
        raise_first(*ended, *seen)
        if not self._stopping.is_set():
            raise RuntimeError("a part of the worker ended without being asked to")

    async def _prepare(self) -> None:
        """Topics first: subscribing to a missing one would create it with the broker's defaults."""
        kafka, around = self._settings.kafka, self._surfaces
        partitions = await create_missing_topics(around.kafka, self._settings)
        for topic, wrong in (await wrong_topics(around.kafka, self._settings)).items():
            around.log.warning("settings_warning", topic=topic, message=wrong)
        if self._roles.senders and kafka.start_from not in (None, "earliest"):
            self._ends = await ends_of(around.kafka, list(self._queues.values()))
        if self._roles.router:
            events = kafka.events_topic
            numbered = [TopicPartition(events, number) for number in range(partitions[events])]
            await place_new_group(
                around.kafka, kafka.group_id, numbered, kafka.start_from, around.now()
            )

    async def _watch_credentials(self) -> None:
        around = self._surfaces

        def changed(change: CredentialChange) -> None:
            for problem in change.problems:
                around.log.warning(
                    "credential_unreadable", account=change.account, error=problem.rule
                )
            if change.credential is not None:
                around.log.info("credential_changed", account=change.account)
                for sender in self._board.senders:
                    sender.credential_changed(change.account)

        await around.credentials.run(changed, around.now, asyncio.sleep)

    def _members(self, producer: Producer) -> list[Router | Sender]:
        router = [self._router(producer)] if self._roles.router else []
        memory = Memory(self._settings.delivery.memory)
        senders = [self._sender(name, producer, memory) for name in sorted(self._roles.senders)]
        self._board.router = router[0] if router else None
        self._board.senders = senders
        return [*router, *senders]

    def _router(self, producer: Producer) -> Router:
        kafka, around = self._settings.kafka, self._surfaces
        planner = Planner(
            self._accounts,
            Routing(self._accounts, DESTINATIONS),
            partial(decode, advertisers=advertiser_defaults(self._settings)),
            unrouted_dies=self._settings.unrouted == "dead_letter",
            translator=topic_translator(self._settings),
            ahead=self._ahead,
        )
        delays = dict(topics.retry_topics(kafka.topic_prefix))
        names = RouterTopics(kafka.events_topic, delays, kafka.dead_letter_topic, self._queues)

        def make_consumer(rebalance: Rebalance) -> Consumer:
            return around.kafka.consumer(
                kafka.group_id, [kafka.events_topic, *delays], rebalance, client_id="router"
            )

        return Router(
            make_consumer,
            producer,
            planner,
            names,
            session_timeout=self._settings.delivery.session_timeout,
            now=around.now,
            clock=around.clock,
            log=around.log,
            metrics=self._report,
        )

    def _sender(self, destination: str, producer: Producer, memory: Memory) -> Sender:
        settings, around = self._settings, self._surfaces
        kafka, delivery = settings.kafka, settings.delivery
        mine = {n: a for n, a in self._accounts.items() if a.settings.destination == destination}
        unit_of = units(settings)
        decode_trusted = partial(decode_checked, advertisers=advertiser_defaults(settings))
        sender_settings = SenderSettings(
            destination=destination,
            traits=DESTINATIONS[destination].traits,
            queues={self._queues[name]: name for name in mine},
            lane={name: lane_settings(settings, name) for name in mine},
            session_timeout=delivery.session_timeout,
            request_timeout=delivery.request_timeout,
            start_from=kafka.start_from,
            ends=self._ends,
        )
        writer = Writer(
            producer,
            decode_trusted,
            dead_letters=kafka.dead_letter_topic,
            retries=kafka.retry_topics,
            settlements=kafka.settlements_topic,
            now=around.now,
        )

        def make_consumer(rebalance: Rebalance) -> Consumer:
            return around.kafka.consumer(
                kafka.sender_group(destination),
                sorted(sender_settings.queues),
                rebalance,
                units={self._queues[name]: unit_of[name] for name in mine},
                client_id=f"sender-{destination}",
            )

        def make_opener(consumer: Consumer) -> Opener:
            return Opener(
                consumer,
                mine,
                sender_settings,
                make_reader=lambda: around.kafka.reader(None),
                decode=decode_trusted,
                random=around.random,
                now=around.now,
                ahead=self._ahead if self._roles.router else None,
            )

        return Sender(
            make_consumer,
            make_opener,
            sender_settings,
            Surroundings(
                http=around.http,
                writer=writer,
                memory=memory,
                make_book=partial(BudgetBook, settings),
                credential=around.credentials.get,
                log=around.log,
                report=self._report,
                now=around.now,
                clock=around.clock,
            ),
        )


def lane_settings(settings: Settings, account: str) -> LaneSettings:
    """What a lane needs beside its account's own settings."""
    give_up = settings.delivery.give_up
    return LaneSettings(
        give_up_attempts=give_up.attempts,
        give_up_after=give_up.after,
        rates=tuple(budget.rate for _, budget in plans(settings, account)),
    )
