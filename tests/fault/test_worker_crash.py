"""Replicas that die without a word: nothing is lost, and repeats stay within the bound."""

from __future__ import annotations

import asyncio
from pathlib import Path

from forwarder.router import POLL_RECORDS
from tests.support.broker import Broker
from tests.support.deployment import Deployment, eventually
from tests.support.load import ACCOUNTS, QUICK, Load, balance, calm, logs, running, waiting
from tests.support.proxy import OFFSET_COMMIT, Proxy

RATE = 200
UNCOMMITTED = 2.0
"""Seconds of one account's deliveries that a crash may repeat: a commit a second, its round trip,
and what was in flight."""


async def test_killed_replicas_lose_nothing_and_repeat_little(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    kills = 3
    async with Deployment(
        broker.bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        await asyncio.gather(*(deployment.start() for _ in range(3)))
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            for _ in range(kills):
                await asyncio.sleep(2.5)
                running(deployment)[0].kill()
                await deployment.start()
            await load.stop()
            found = await balance(deployment, load)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            assert one.repeated <= kills * RATE * UNCOMMITTED


async def test_a_routers_crash_counts_no_conversion_twice_where_the_vendor_would(
    broker: Broker, unique: str, tmp_path: Path, proxy: Proxy, proxied: dict[str, str]
) -> None:
    """It dies after it wrote to the queues and before its commit arrived. What it wrote is written
    again, at most two poll batches of it, and dropped by the lane of a vendor without dedup.
    """
    accounts = {name: ACCOUNTS[name] for name in ("acme-pixel", "acme-ttd")}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, accounts, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        queues = [f"{unique}.queue.{name}" for name in accounts]
        sender = await deployment.start("--role", "sender")
        router = await deployment.start("--role", "router", env=proxied)
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(2)
            proxy.dropped = {OFFSET_COMMIT}
            await asyncio.sleep(2)
            router.kill()
            await deployment.start("--role", "router")
            await load.stop()
            found = await balance(deployment, load, ("tiktok", "tradedesk"))
        assert [one.lost for one in found.values()] == [[], []], logs(deployment)
        assert 0 < found["tiktok"].repeated <= 2 * POLL_RECORDS
        assert found["tradedesk"].repeats == {}
        metrics = await sender.metrics()
        (dropped,) = (number for name, number in metrics.items() if "repeated_record" in name)
        assert dropped == found["tiktok"].repeated

        async def all_committed() -> bool:
            return not await waiting(broker.bootstrap, f"{unique}-g.senders.tiktok", queues[:1])

        await eventually(all_committed, 10)
