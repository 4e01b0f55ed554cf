"""Replicas that stop being members untold: frozen, or cut off from their coordinator."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import TopicPartition
from tests.support.broker import Broker
from tests.support.deployment import TIKTOK, TRADEDESK, Deployment, eventually
from tests.support.load import QUICK, Load, balance, calm, logs, requests
from tests.support.proxy import COORDINATOR, Proxy

SESSION = 6.0
RATE = 200
# Requests of their own, so that something is in flight and arrives all the time.
EACH_ALONE = {
    "batch": {"events": 20, "linger": "50ms"},
    "budgets": [{"requests": 2000, "per": "10s"}],
}
ACCOUNTS = {
    "acme-pixel": {**TIKTOK, **EACH_ALONE},
    "acme-ttd": {**TRADEDESK, **EACH_ALONE},
}
BOTH = ("tiktok", "tradedesk")
MOVED = 150.0
"""Seconds within which all has come: a drain moves what is unfinished below the highest finished
offset into the first retry topic, where it waits a minute."""


async def quiet_since(deployment: Deployment, still: float) -> float:
    """When the last request came, once none has come for ``still`` seconds."""
    seen, at = requests(deployment), time.monotonic()
    while time.monotonic() - at < still:
        await asyncio.sleep(0.02)
        if requests(deployment) != seen:
            seen, at = requests(deployment), time.monotonic()
    return at


async def written(bootstrap: str, topic: str) -> int:
    """Records of a queue, ever."""
    reader = open_kafka(Connection(bootstrap)).reader()
    await reader.start()
    try:
        return (await reader.bounds([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)][1]
    finally:
        await reader.stop()


async def test_a_thawed_replica_sends_nothing_and_its_late_answers_change_nothing(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    async with Deployment(
        broker.bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment, latency="300ms")
        frozen = await deployment.start()
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(3)
            frozen.freeze()
            heir = await deployment.start()
            # Now the heir owns all. While it stands still too, whatever arrives is the other's.
            await asyncio.sleep(2)
            heir.freeze()
            await asyncio.sleep(0.5)
            before = requests(deployment)
            frozen.thaw()
            await asyncio.sleep(3)
            assert requests(deployment) == before
            heir.thaw()
            await load.stop()
            found = await balance(deployment, load, BOTH, within=MOVED)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            # One second uncommitted and what was in flight, of each of the two.
            assert one.repeated <= 2 * 2 * RATE


async def test_a_replica_without_its_coordinator_stops_within_half_a_session(
    broker: Broker, unique: str, tmp_path: Path, proxy: Proxy, proxied: dict[str, str]
) -> None:
    """It still reads, writes and reaches the vendors, and nobody tells it that it is out."""
    async with Deployment(
        broker.bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        cut_off = await deployment.start(env=proxied)
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(3)
            proxy.dropped = COORDINATOR
            cut_at = time.monotonic()
            last = await quiet_since(deployment, 1.5)
            assert last - cut_at < SESSION / 2 + 0.3, logs(deployment)
            in_queue = await written(broker.bootstrap, f"{unique}.queue.acme-ttd")
            await asyncio.sleep(0.5)
            assert await written(broker.bootstrap, f"{unique}.queue.acme-ttd") == in_queue
            await deployment.start()
            arrived = requests(deployment)
            await eventually(lambda: requests(deployment) > arrived, 10)
            proxy.dropped = ()
            await asyncio.sleep(2)
            await load.stop()
            found = await balance(deployment, load, BOTH, within=MOVED)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            assert one.repeated <= 2 * (SESSION / 2 + 1) * RATE
        assert any(line["action"] == "commit_failed" for line in cut_off.lines())
