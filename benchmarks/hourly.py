"""Ten real minutes of Thrad's 1,000 requests an hour with 5,000 events waiting, on a real Kafka.

    python -m benchmarks.hourly --minutes 10

Another account gets its own events all the time, before and beside it. In the middle the replica is
stopped and started. Exit code 1 when a request was refused for its rate or left too early, when
anything was written to a queue, retry topic or the dead letters meanwhile, when the other account
was late or short, or when status and page did not say when the next request may leave.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import TopicPartition
from forwarder.lane.budget import plan
from tests.support.broker import Broker
from tests.support.deployment import Deployment, WorkerProcess, eventually, fetch
from tests.support.load import worst_window

WAITING = 5_000
PLAN = plan(1000, 3600.0, 0.02, 2)
BESIDE = 5.0
"""Events a second for the other account."""
ALONE = 30.0
"""Seconds that the other account has for itself, to compare with."""
ACCOUNTS: Mapping[str, Mapping[str, object]] = {
    "hourly": {"destination": "thrad", "advertisers": ["acme"], "api_key": "key-of-hourly"},
    "beside": {
        "destination": "tiktok",
        "advertisers": ["acme"],
        "event_source": "web",
        "event_source_id": "C4ABCDEFGHIJ",
        "access_token": "token-of-beside",
    },
}
EVENT = (
    '{"event_id":"%d-%d","event_name":"purchase","event_time":%.3f,"advertiser":"acme",'
    '"user":{"email":"buyer@example.com"},"click_ids":{"thrad_click_id":"click-%d"},'
    '"page":{"url":"https://shop.example/thanks"},"value":19.9,"currency":"USD",'
    '"destinations":["%s"]}'
)


class Publisher:
    """``beside`` publishes steadily until it is cancelled. Ids begin with the millisecond."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        self._topic = topic
        self.number = 0

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def one(self, destination: str) -> None:
        now = time.time()
        event = EVENT % (now * 1000, self.number, now, self.number, destination)
        await self._producer.send(self._topic, event.encode(), partition=self.number % 24)
        self.number += 1

    async def backlog(self) -> None:
        for _ in range(WAITING):
            await self.one("thrad")
        await self._producer.flush()

    async def beside(self) -> None:
        while True:
            await self.one("tiktok")
            await asyncio.sleep(1 / BESIDE)


@dataclass
class Seen:
    """``next_in``: what ``/status`` said, whenever it was asked. ``page``: whether the page did."""

    next_in: list[float] = field(default_factory=list)
    page: bool = False
    stopped_at: float = 0.0
    ready_at: float = 0.0


async def ends(bootstrap: str, topics: Sequence[str]) -> dict[str, int]:
    """Records ever written to each of these topics."""
    reader = open_kafka(Connection(bootstrap)).reader(None)
    await reader.start()
    try:
        bounds = await reader.bounds([TopicPartition(topic, 0) for topic in topics])
        return {at.topic: end for at, (_, end) in bounds.items()}
    finally:
        await reader.stop()


async def watch(worker: WorkerProcess, seconds: float, seen: Seen) -> None:
    """Ask again and again when the next request may leave."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        accounts = (await worker.status())["accounts"]
        lane = next(a["lane"] for a in accounts if a["name"] == "hourly")
        if lane is not None and lane["next_request_in"] is not None:
            seen.next_in.append(lane["next_request_in"])
        seen.page = seen.page or on_page(await fetch(f"{worker.url}/"))
        await asyncio.sleep(4.3)


def on_page(html: str) -> bool:
    """Whether the page says of any account in how many seconds it may send."""
    return 'data-label="next">in ' in html


async def restarted(deployed: Deployment, worker: WorkerProcess, seen: Seen) -> WorkerProcess:
    seen.stopped_at = time.time()
    worker.terminate()
    await worker.ended()
    again = await deployed.start()
    seen.ready_at = time.time()
    return again


async def everything_waits(worker: WorkerProcess) -> None:
    async def waits() -> bool:
        accounts = (await worker.status())["accounts"]
        lanes: Sequence[Mapping[str, Any] | None] = [
            a["lane"] for a in accounts if a["name"] == "hourly"
        ]
        return any(lane is not None and lane["waiting"] >= WAITING - 20 for lane in lanes)

    await eventually(waits, 60)


def arrivals(deployed: Deployment, destination: str) -> list[tuple[float, str]]:
    """When each event came, and its id."""
    lines = deployed.sandbox.simulator.ledger.received(destination)
    rows = [orjson.loads(line) for line in lines]
    return sorted((row["received_at"], row["event_id"]) for row in rows)


def latencies(rows: Sequence[tuple[float, str]], since: float, until: float) -> list[float]:
    """Seconds from publishing to the vendor of what was published in this time."""
    found = [(at, int(event_id.split("-")[0]) / 1000) for at, event_id in rows]
    return [at - published for at, published in found if since <= published < until]


async def measure(minutes: float, directory: Path) -> bool:
    prefix = f"hourly{time.time_ns():x}"
    seen = Seen()
    with Broker() as broker:
        accounts = {name: dict(account) for name, account in ACCOUNTS.items()}
        async with Deployment(broker.bootstrap, prefix, directory, accounts) as deployed:
            await deployed.run("topics", "create")
            worker = await deployed.start()
            publisher = Publisher(broker.bootstrap, f"{prefix}-events")
            await publisher.start()
            beside = asyncio.create_task(publisher.beside())
            await asyncio.sleep(5)
            alone_from = time.time()
            await asyncio.sleep(ALONE)
            alone_until = time.time()
            await publisher.backlog()
            await everything_waits(worker)
            written = [f"{prefix}.queue.hourly", f"{prefix}.dlq"]
            written += [f"{prefix}.retry.{tier}" for tier in ("1m", "10m", "1h")]
            before, begin = await ends(broker.bootstrap, written), time.time()
            await watch(worker, minutes * 30, seen)
            worker = await restarted(deployed, worker, seen)
            await watch(worker, begin + minutes * 60 - time.time(), seen)
            end, after = time.time(), await ends(broker.bootstrap, written)
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
            await asyncio.sleep(2)
            await publisher.stop()
            report = deployed.sandbox.simulator.ledger.report()["accounts"]
            assert isinstance(report, dict)
            refused = sum(sum(book["refusals"].values()) for book in report.values())
            others = arrivals(deployed, "tiktok")
            missing = publisher.number - WAITING - len({event_id for _, event_id in others})
            return judged(
                [at for at, _ in arrivals(deployed, "thrad") if begin <= at <= end],
                (begin, end),
                seen,
                {
                    "refused by a vendor": refused,
                    "written to Kafka meanwhile": sum(after.values()) - sum(before.values()),
                    "events of the other account missing": missing,
                },
                latencies(others, alone_from, alone_until),
                latencies(others, begin, seen.stopped_at)
                + latencies(others, seen.ready_at, end - 2),
            )


def judged(
    times: Sequence[float],
    span: tuple[float, float],
    seen: Seen,
    zero: Mapping[str, int],
    alone: Sequence[float],
    beside: Sequence[float],
) -> bool:
    """Print what was seen; whether all of it is as it must be."""
    moving = [(b - a, a) for a, b in pairwise(times)]
    paused = next(gap for gap, at in moving if at <= seen.stopped_at < at + gap)
    gaps = [gap for gap, at in moving if not at <= seen.ready_at <= at + gap and gap != paused]
    windows = {per: worst_window(times, per) for per in (10.0, 60.0, span[1] - span[0])}
    allowed = {per: PLAN.capacity + PLAN.rate * per + PLAN.slots for per in windows}
    medians = statistics.median(alone), statistics.median(beside)
    for name, value in zero.items():
        print(f"{name}: {value}")
    print(f"requests in {span[1] - span[0]:.0f} s: {len(times)}, {PLAN.rate * 3600:.0f} an hour")
    print(f"seconds between two: {min(gaps):.2f} to {max(gaps):.2f}, one each {1 / PLAN.rate:.2f}")
    print(f"longest pause, at the restart: {paused:.1f} s")
    for per, most in windows.items():
        print(f"most within {per:.0f} s: {most}, allowed {allowed[per]:.0f}")
    print(f"the other account, median: {medians[0]:.3f} s alone, {medians[1]:.3f} s beside it")
    print(
        f"next request: asked {len(seen.next_in)} times, in {min(seen.next_in):.1f} to "
        f"{max(seen.next_in):.1f} s; on the page: {seen.page}"
    )
    return all(
        (
            not any(zero.values()),
            min(gaps) > 0.8 / PLAN.rate,
            max(gaps) < 1.3 / PLAN.rate,
            all(windows[per] <= allowed[per] for per in windows),
            paused < 30,
            medians[1] < 1.1 * medians[0] + 0.01,
            seen.page and 0 <= min(seen.next_in) <= max(seen.next_in) < 1.3 / PLAN.rate,
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hourly-") as directory:
        return 0 if asyncio.run(measure(arguments.minutes, Path(directory))) else 1


if __name__ == "__main__":
    sys.exit(main())
