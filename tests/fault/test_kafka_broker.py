"""Brokers that restart, or are gone for a while: nothing is lost, and the worker says it once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.broker import Broker
from tests.support.deployment import Deployment, fetch
from tests.support.load import (
    ACCOUNTS,
    QUICK,
    Load,
    balance,
    calm,
    logs,
    requests,
)
from tests.support.proxy import PRODUCE, Proxy

RATE = 200
# Without the one that takes a request for each event: what waited is soon sent.
BATCHED = {name: ACCOUNTS[name] for name in ("acme-pixel", "acme-ttd")}
BOTH = ("tiktok", "tradedesk")
UNSURE = 4.0
"""Seconds of events that one outage may repeat: what was uncommitted at its beginning, and what
was written and not acknowledged then, to the queues by the router and by the client once more."""


async def test_a_broker_that_restarts_under_load_costs_no_event(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    async with Deployment(
        broker.bootstrap, unique, tmp_path, BATCHED, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        await asyncio.gather(*(deployment.start() for _ in range(2)))
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(2)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await asyncio.sleep(3)
            await asyncio.to_thread(broker.restart)
            await load.stop()
            found = await balance(deployment, load, BOTH)
        assert [w.process.poll() for w in deployment.workers] == [None, None], logs(deployment)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            assert one.repeated <= 2 * RATE * UNSURE


async def test_brokers_that_are_gone_are_waited_for(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    """As long as it takes; what is not known to be this replica's is not sent meanwhile."""
    async with Deployment(
        broker.bootstrap, unique, tmp_path, BATCHED, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        worker = await deployment.start()
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(2)
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(4)
            sent = requests(deployment)
            await asyncio.sleep(26)
            assert requests(deployment) == sent
            assert '"kafka_reachable": false' in await fetch(f"{worker.url}/status")
            assert await fetch(f"{worker.url}/healthz") == "ok\n"
            await asyncio.to_thread(broker.start)
            await load.stop()
            found = await balance(deployment, load, BOTH)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            assert one.repeated <= RATE * UNSURE
        said = [line["action"] for line in worker.lines() if line["level"] == "error"]
        assert said.count("kafka_unreachable") == 1
        assert len(worker.lines()) < 60


async def test_a_write_without_an_acknowledgement_is_waited_for(
    broker: Broker, unique: str, tmp_path: Path, proxy: Proxy, proxied: dict[str, str]
) -> None:
    """For longer than one write may take, and than the router goes without a poll."""
    async with Deployment(
        broker.bootstrap, unique, tmp_path, BATCHED, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        worker = await deployment.start(env=proxied)
        async with Load(broker.bootstrap, f"{unique}-events", RATE) as load:
            await asyncio.sleep(2)
            proxy.dropped = (PRODUCE,)
            await asyncio.sleep(24)
            proxy.dropped = ()
            await load.stop()
            found = await balance(deployment, load, BOTH)
        assert worker.process.poll() is None, logs(deployment)
        for one in found.values():
            assert one.lost == [], logs(deployment)
            assert one.repeated == 0
        said = [line for line in worker.lines() if line["action"] == "library"]
        assert not [line for line in said if line["logger"] == "asyncio"]
