"""The whole of it: events on a real Kafka reach the vendors, once each."""

from __future__ import annotations

from pathlib import Path

from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    eventually,
    web_purchases,
)

EACH_ONCE = 40


async def test_one_event_stream_reaches_three_vendors_once(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    accounts = {"acme-pixel": TIKTOK, "acme-ttd": TRADEDESK, "acme-thrad": THRAD}
    async with Deployment(kafka_bootstrap, unique, tmp_path, accounts) as deployment:
        await deployment.run("topics", "create")
        await deployment.publish(web_purchases(EACH_ONCE))
        worker = await deployment.start()
        for destination in ("tiktok", "tradedesk", "thrad"):

            async def all_there(name: str = destination) -> bool:
                return len(await deployment.event_ids(name)) == EACH_ONCE

            await eventually(all_there, 30, what=f"{destination}: {worker.tail()}")
        worker.terminate()
        assert await worker.ended() == 0
        for destination in ("tiktok", "tradedesk", "thrad"):
            seen = await deployment.event_ids(destination)
            assert set(seen.values()) == {1}
