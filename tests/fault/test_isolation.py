"""Accounts that are in trouble, each in its own way, beside two that are well."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

from tests.support.broker import Broker
from tests.support.deployment import Deployment
from tests.support.isolation import HEALTHY, TROUBLE, account, publish, source

SECONDS = 8


def latencies(deployment: Deployment, name: str, since: float) -> dict[int, list[float]]:
    """Seconds from publishing to the vendor, by the second of publishing, from ``since`` on."""
    found: dict[int, list[float]] = defaultdict(list)
    for line in map(orjson.loads, deployment.sandbox.simulator.ledger.received("tiktok")):
        at = int(line["event_id"].split("-")[0]) / 1000
        if line["account"].startswith(source(name)) and at >= since:
            found[int(at)].append(line["received_at"] - at)
    return found


def typical(seconds: Mapping[int, Sequence[float]]) -> float:
    """The median latency of a second, in a good one: whatever else this machine does is noise."""
    medians = sorted(statistics.median(one) for one in seconds.values())
    return medians[len(medians) // 4]


async def test_healthy_accounts_keep_rate_and_latency(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    accounts = {name: account(name, "acme", "calm") for name in HEALTHY}
    accounts |= {name: account(name, "acme") for name in TROUBLE}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, accounts, advertisers={"*": {"currency": "USD"}}
    ) as deployment:
        await deployment.run("topics", "create")
        for name, trouble in TROUBLE.items():
            deployment.sandbox.behave(destination="tiktok", account=source(name), **trouble)
        worker = await deployment.start()
        topic = f"{unique}-events"
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks=1)
        await producer.start()
        await publish(producer, topic, "calm", 2)  # warms up

        since = time.time()
        await publish(producer, topic, "calm", SECONDS)
        await asyncio.sleep(1.5)
        alone = {name: typical(latencies(deployment, name, since)) for name in HEALTHY}
        since = time.time()
        number = await publish(producer, topic, "acme", SECONDS)
        await producer.stop()
        await asyncio.sleep(1.5)
        for name in HEALTHY:
            beside = latencies(deployment, name, since)
            assert sum(map(len, beside.values())) >= 0.95 * number, worker.tail()
            assert typical(beside) < 1.5 * alone[name]  # other tests run beside this one
        opened = [x["account"] for x in worker.lines() if x["action"] == "breaker_opened"]
        assert {"revoked"} <= set(opened) <= set(TROUBLE)
