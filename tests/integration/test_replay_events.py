"""Filling a new account from the events topic, and events that became valid, on a real Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.deployment import TIKTOK, TRADEDESK, Deployment, eventually, web_purchases

EVENTS = 300


async def replayed(deployment: Deployment, *arguments: str) -> dict[str, Any]:
    out = await deployment.run("replay", "--json", *arguments)
    found: dict[str, Any] = json.loads(next(x for x in out.splitlines() if x.startswith("{")))
    return found


async def arrived(deployment: Deployment, destination: str, number: int, what: str) -> None:
    async def all_there() -> bool:
        return len(await deployment.received(destination)) >= number

    await eventually(all_there, 40, what=what)
    seen = await deployment.event_ids(destination)
    assert (len(seen), set(seen.values())) == (number, {1})


async def test_a_new_account_gets_what_was_before_it(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(web_purchases(EVENTS))
        await arrived(deployment, "tiktok", EVENTS, worker.tail())
        worker.terminate()
        assert await worker.ended() == 0

        deployment.accounts["acme-ttd"] = dict(TRADEDESK)
        deployment.write_settings()
        worker = await deployment.start()
        await deployment.publish(web_purchases(20, start=EVENTS))
        await arrived(deployment, "tradedesk", 20, worker.tail())

        backfill = ("--source", "events", "--account", "acme-ttd", "--event-since", "1h")
        dry = await replayed(deployment, *backfill, "--dry-run")
        # this vendor drops no repeats, and the last 20 were in its queue already
        assert (dry["to_send"], dry["duplicates_refused"]) == (EVENTS, 20)
        sent = await replayed(deployment, *backfill)
        assert (sent["to_send"], sent["sent"]) == (EVENTS, EVENTS)
        await arrived(deployment, "tradedesk", EVENTS + 20, worker.tail())
        again = await replayed(deployment, *backfill)
        assert (again["replayed_before"], again["sent"]) == (EVENTS, 0)
        assert len(await deployment.received("tiktok")) == EVENTS + 20


async def test_what_nobody_took_goes_where_it_belongs_now(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(web_purchases(10, advertiser="newcomer"))

        async def dead() -> bool:
            out = await deployment.run("dlq", "stats", "--json", "--reason", "unrouted", code=None)
            return '"total":10' in out

        await eventually(dead, 40, what=worker.tail())
        assert (await replayed(deployment))["still_unrouted"] == 10
        worker.terminate()
        assert await worker.ended() == 0
        deployment.accounts["acme-pixel"]["advertisers"] = ["acme", "newcomer"]
        deployment.write_settings()
        worker = await deployment.start()
        sent = await replayed(deployment)
        assert (sent["matched"], sent["to_send"], sent["sent"]) == (10, 10, 10)
        await arrived(deployment, "tiktok", 10, worker.tail())
