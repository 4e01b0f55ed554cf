"""Runs the demo: everything on one event loop, until the books can be closed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Final

from forwarder.credentials import CredentialWatch
from forwarder.http.client import AiohttpClient
from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Kafka, Outgoing
from forwarder.ops.logs import open_log
from forwarder.sandbox.demo.broker import EmbeddedBroker
from forwarder.sandbox.demo.count import Ledger, Line, line
from forwarder.sandbox.demo.scene import SOURCES, demo_settings, known_accounts
from forwarder.sandbox.demo.shop import Shop
from forwarder.sandbox.demo.view import Moment, View
from forwarder.sandbox.server import Sandbox
from forwarder.settings import Settings, load
from forwarder.startup import topic_specs
from forwarder.worker import Roles, Surfaces, Worker

BURST: Final = 20
PER_SECOND: Final = 150
MOST_OPEN: Final = 2000
"""The shop waits while so many deliveries are open: see ``broker.py``."""
CLOSE_WITHIN: Final = 60.0
LOOK_EVERY: Final = 0.5


class Demo:
    """``await Demo(view, seconds).run()`` tells whether the books balanced."""

    def __init__(self, view: View, seconds: float, version: str, seed: int = 1) -> None:
        self._view = view
        self._seconds = seconds
        self._version = version
        self._shop = Shop(Random(seed), SOURCES)  # noqa: S311 - a shop, no secret
        self._ledger = Ledger(set(SOURCES))
        self._before: dict[str, tuple[float, int]] = {}

    async def run(self) -> bool:
        with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as directory:
            async with Sandbox() as sandbox:
                path = Path(directory) / "settings.yaml"
                path.write_text(demo_settings(broker.bootstrap_servers, sandbox.url))
                settings = load(path, {})
                for account in known_accounts(settings):
                    sandbox.simulator.know(account)
                for spec in topic_specs(settings):
                    broker.create(spec.name, 1 if spec.partitions == 1 else 4)
                kafka = open_kafka(Connection(broker.bootstrap_servers))
                return await self._play(settings, kafka, sandbox)

    async def _play(self, settings: Settings, kafka: Kafka, sandbox: Sandbox) -> bool:
        worker = self._worker(settings, kafka)
        working = asyncio.create_task(worker.run())
        try:
            await _ready(worker, working)
            self._view.start(f"http://127.0.0.1:{worker.port}/")
            selling = asyncio.create_task(self._sell(settings, kafka, worker))
            mischief = asyncio.create_task(_mischief(sandbox))
            moment = await self._watch(worker, sandbox, selling, working)
            mischief.cancel()
        finally:
            self._view.stop()
            worker.stop()
            await working
        self._view.result(moment)
        return moment.balanced

    def _worker(self, settings: Settings, kafka: Kafka) -> Worker:
        sources = {name: account.secrets() for name, account in settings.accounts.items()}
        watch = CredentialWatch(sources, {})
        watch.check(time.time())
        used = frozenset(account.destination for account in settings.accounts.values())
        surfaces = Surfaces(
            kafka=kafka,
            http=AiohttpClient(),
            credentials=watch,
            log=open_log(settings.ops.log_level, settings.ops.log_format, time.monotonic),
            now=time.time,
            clock=time.monotonic,
            random=Random(),  # noqa: S311 - jitter
        )
        return Worker(settings, Roles(router=True, senders=used), surfaces, self._version)

    async def _sell(self, settings: Settings, kafka: Kafka, worker: Worker) -> None:
        """Publish for as long as the demo lasts, never far ahead of what is finished."""
        async with AsyncExitStack() as stack:
            producer = kafka.producer()
            stack.push_async_callback(producer.stop)
            await producer.start()
            until = time.monotonic() + self._seconds
            while time.monotonic() < until:
                if sum(one.open for one in self._lines(settings, worker, {})) < MOST_OPEN:
                    burst = [self._shop.next(time.time()) for _ in range(BURST)]
                    records = [Outgoing(None, one.value, ()) for one in burst]
                    await producer.write(settings.kafka.events_topic, records)
                    for one in burst:
                        self._ledger.add(one.advertiser)
                await asyncio.sleep(BURST / PER_SECOND)

    async def _watch(
        self,
        worker: Worker,
        sandbox: Sandbox,
        selling: asyncio.Task[None],
        working: asyncio.Task[None],
    ) -> Moment:
        """Show how it goes until all is finished, or ``CLOSE_WITHIN`` after the shop closed."""
        opened = time.monotonic()
        while True:
            moment = self._moment(worker, sandbox, self._seconds + opened - time.monotonic())
            self._view.show(moment)
            if working.done():
                await working
            if selling.done():
                await selling
                late = time.monotonic() - opened - self._seconds > CLOSE_WITHIN
                if late or moment.balanced:
                    return moment
            await asyncio.sleep(LOOK_EVERY)

    def _moment(self, worker: Worker, sandbox: Sandbox, left: float) -> Moment:
        seen = sandbox.simulator.ledger.totals()
        arrived = {name: one.unique for name, one in seen.items()}
        refused = {name: one.refused for name, one in seen.items()}
        lines = self._lines(worker.settings, worker, arrived)
        records = worker.records()
        return Moment(
            lines=lines,
            rates=[self._rate(one) for one in lines],
            refused=[refused.get(one.account, 0) for one in lines],
            status=worker.status(),
            events=self._ledger.records,
            strays=self._ledger.strays,
            invalid=records["invalid_event"] + records["undecodable"],
            unrouted=records["unrouted"],
            left=max(0.0, left),
        )

    def _lines(
        self, settings: Settings, worker: Worker, arrived: Mapping[str, int]
    ) -> Sequence[Line]:
        published = self._ledger.by_advertiser
        return [
            line(
                name,
                sum(published[advertiser] for advertiser in account.advertisers),
                worker.outcomes(name),
                arrived.get(name, 0),
            )
            for name, account in settings.accounts.items()
        ]

    def _rate(self, one: Line) -> float:
        now = time.monotonic()
        at, delivered = self._before.get(one.account, (now - LOOK_EVERY, 0))
        self._before[one.account] = (now, one.delivered)
        return (one.delivered - delivered) / max(0.001, now - at)


async def _ready(worker: Worker, working: asyncio.Task[None]) -> None:
    while not worker.status().ready:
        if working.done():
            await working
        await asyncio.sleep(0.05)


async def _mischief(sandbox: Sandbox) -> None:
    """A vendor throttles now and then, and another one fails for a moment."""
    while True:
        await asyncio.sleep(7)
        sandbox.behave(destination="tiktok", status=429, retry_after=2, fraction=0.5, **_for("2s"))
        await asyncio.sleep(5)
        sandbox.behave(destination="thrad", status=503, fraction=0.2, **_for("1s"))


def _for(span: str) -> dict[str, str]:
    return {"for": span}
