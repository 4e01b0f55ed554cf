"""A steady stream of events, and what became of each at the vendors."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson
from aiokafka import AIOKafkaProducer

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import TopicPartition
from tests.support.deployment import THRAD, TIKTOK, TRADEDESK, Deployment, WorkerProcess, eventually

DESTINATIONS = ("tiktok", "tradedesk", "thrad")
ACCOUNTS = {
    "acme-pixel": TIKTOK,
    "acme-ttd": TRADEDESK,
    "acme-thrad": {**THRAD, "concurrency": 16},
}
QUICK = {"session_timeout": "6s", "request_timeout": "3s"}
TICK = 0.05
MOST_AT_ONCE = 2000
EVENT = (
    '{"event_id":"%(id)s","event_name":"purchase","event_time":%(now).3f,"advertiser":"acme",'
    '"user":{"email":"%(id)s@example.com","ip_address":"203.0.113.7"},'
    '"click_ids":{"thrad_click_id":"click-%(id)s"},"page":{"url":"https://shop.example/thanks"},'
    '"order_id":"%(id)s","value":19.9,"currency":"USD"}'
)


class Load:
    """``async with Load(bootstrap, topic, rate) as load:`` publishes until ``stop``.

    Each event is written exactly once, however long the brokers are gone; event id and order id
    are the same, so that every vendor's record of it can be found. ``rate``: events a second.
    """

    def __init__(self, bootstrap: str, topic: str, rate: float, most: int = 10**9) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=120_000,
            retry_backoff_ms=100,
            max_batch_size=1 << 20,
        )
        self._topic = topic
        self._rate = rate
        self._most = most
        self._stopping = asyncio.Event()
        self.published = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def ids(self) -> list[str]:
        return [f"e{number}" for number in range(self.published)]

    async def stop(self) -> int:
        """Publish no more; how many there are, all acknowledged."""
        self._stopping.set()
        await self._task
        await self._producer.stop()
        return self.published

    async def _run(self) -> None:
        began = time.monotonic()
        partitions = sorted(await self._producer.partitions_for(self._topic))
        turn = 0
        while not self._stopping.is_set() and self.published < self._most:
            await asyncio.sleep(TICK)
            due = min(self._most, int((time.monotonic() - began) * self._rate))
            due = min(due, self.published + MOST_AT_ONCE)
            batch = self._producer.create_batch()
            for number in range(self.published, due):
                assert batch.append(key=None, value=event(number), timestamp=None)
            turn += 1
            if due > self.published:
                sent = await self._producer.send_batch(
                    batch, self._topic, partition=partitions[turn % len(partitions)]
                )
                await sent
                self.published = due


def event(number: int) -> bytes:
    """Event ``number``, of this moment."""
    return (EVENT % {"id": f"e{number}", "now": time.time()}).encode()


def taken(deployment: Deployment, destination: str) -> Counter[str]:
    """How often the vendor took each event."""
    lines = deployment.sandbox.simulator.ledger.received(destination)
    return Counter(orjson.loads(line)["event_id"] for line in lines)


@dataclass(frozen=True)
class Balance:
    """``repeats``: event id -> times that a vendor took it above one."""

    lost: list[str] = field(default_factory=list)
    repeats: dict[str, int] = field(default_factory=dict)

    @property
    def repeated(self) -> int:
        return sum(self.repeats.values())


async def balance(
    deployment: Deployment,
    load: Load,
    destinations: Iterable[str] = DESTINATIONS,
    within: float = 60.0,
) -> dict[str, Balance]:
    """Wait until every published event was taken everywhere, or the time is over; then compare."""
    wanted = load.published
    names = tuple(destinations)

    def all_there() -> bool:
        books = deployment.sandbox.simulator.ledger.report()["accounts"]
        assert isinstance(books, dict)
        seen: Counter[str] = Counter()
        for book in books.values():
            seen[book["destination"]] += book["unique_event_ids"]
        return all(seen[name] >= wanted for name in names)

    try:
        await eventually(all_there, within)
    except AssertionError:
        pass  # what is missing is told by name below
    else:
        await asyncio.sleep(0.5)  # a repeat may be on its way still
    return {name: _compared(load.ids, taken(deployment, name)) for name in names}


def _compared(ids: Iterable[str], seen: Counter[str]) -> Balance:
    return Balance(
        [one for one in ids if one not in seen],
        {one: number - 1 for one, number in seen.items() if number > 1},
    )


def calm(deployment: Deployment, **behaviour: object) -> None:
    """Vendors that take a while to answer, so that requests are in flight at any moment."""
    rate = {"requests": 10**6, "per": 1}
    for name in DESTINATIONS:
        latency = "20ms" if name == "thrad" else "100ms"
        told: dict[str, object] = {"latency": latency, "rate": rate, **behaviour}
        deployment.sandbox.behave(destination=name, **told)


def requests(deployment: Deployment) -> int:
    """How many requests have arrived at all vendors together."""
    books = deployment.sandbox.simulator.ledger.report()["accounts"]
    assert isinstance(books, dict)
    return sum(book["requests"] for book in books.values())


def running(deployment: Deployment) -> list[WorkerProcess]:
    return [worker for worker in deployment.workers if worker.process.poll() is None]


async def scale(deployment: Deployment, replicas: int) -> None:
    """To so many replicas: new ones together, or the oldest out one after the other."""
    now = running(deployment)
    await asyncio.gather(*(deployment.start() for _ in range(replicas - len(now))))
    for worker in now[: max(0, len(now) - replicas)]:
        worker.terminate()
        assert await worker.ended() == 0


def logs(deployment: Deployment) -> str:
    """The end of every replica's log, for a test that fails."""
    return "\n".join(f"{w.log.name}:\n{w.tail(2000)}" for w in deployment.workers)


def worst_window(arrivals: Iterable[float], per: float) -> int:
    """The most arrivals in any ``per`` seconds."""
    worst, within = 0, deque[float]()
    for at in sorted(arrivals):
        within.append(at)
        while within[0] <= at - per:
            within.popleft()
        worst = max(worst, len(within))
    return worst


async def waiting(bootstrap: str, group: str, topics: Iterable[str], partitions: int = 1) -> int:
    """Records of these topics, with so many partitions each, that the group has not committed."""
    reader = open_kafka(Connection(bootstrap)).reader(group)
    await reader.start()
    try:
        places = [TopicPartition(topic, n) for topic in topics for n in range(partitions)]
        committed = await reader.committed(places)
        bounds = await reader.bounds(places)
        left = 0
        for partition, (first, end) in bounds.items():
            place = committed[partition]
            left += end - (first if place is None else place.offset)
        return left
    finally:
        await reader.stop()
