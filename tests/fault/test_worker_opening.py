"""Lanes that open while their brokers are in trouble."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.broker import Broker
from tests.support.deployment import TRADEDESK, Deployment, eventually, web_purchases
from tests.support.load import QUICK, taken
from tests.support.proxy import FETCH, Proxy


async def test_a_broker_that_dies_while_lanes_open_closes_none_for_good(
    broker: Broker, unique: str, tmp_path: Path, proxy: Proxy, proxied: dict[str, str]
) -> None:
    """The Trade Desk drops no repeats, so that its lane reads back origins before it opens."""
    async with Deployment(
        broker.bootstrap, unique, tmp_path, {"acme-ttd": TRADEDESK}, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start(env=proxied)
        await deployment.publish(web_purchases(20))
        await eventually(lambda: len(taken(deployment, "tradedesk")) == 20, 20)
        worker.terminate()
        assert await worker.ended() == 0
        proxy.dropped = (FETCH,)
        worker = await deployment.start(env=proxied)
        await asyncio.sleep(1.5)
        await asyncio.to_thread(broker.kill)
        proxy.dropped = ()
        await asyncio.to_thread(broker.start)
        await deployment.publish(web_purchases(20, 20))
        await eventually(lambda: len(taken(deployment, "tradedesk")) == 40, 60)
        assert max(taken(deployment, "tradedesk").values()) == 1
