"""The commands that read Kafka, on a real one: what a worker left behind is told as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.broker import Broker
from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    eventually,
    web_purchases,
)


async def rows(deployment: Deployment, *arguments: str) -> list[Any]:
    out = await deployment.run(*arguments, "--json")
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


async def fates(deployment: Deployment, event_id: str) -> dict[str, tuple[str, bool]]:
    (found,) = await rows(deployment, "trace", event_id)
    (occurrence,) = found["occurrences"]
    return {fate["account"]: (fate["state"], fate["proven"]) for fate in occurrence["accounts"]}


async def status_of(deployment: Deployment, account: str) -> dict[str, Any]:
    (found,) = await rows(deployment, "status")
    (one,) = (row for row in found["accounts"] if row["account"] == account)
    assert isinstance(one, dict)
    return one


async def test_what_became_of_events_and_what_waits(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    accounts = {
        "acme-pixel": TIKTOK,
        "acme-ttd": TRADEDESK | {"state": "paused"},
        "acme-thrad": THRAD,
    }
    events = [dict(event) for event in web_purchases(6)]
    del events[0]["page"]
    del events[1]["click_ids"]
    events[2]["value"] = -1
    kafka = {"settlements_topic": f"{unique}-settled"}
    async with Deployment(kafka_bootstrap, unique, tmp_path, accounts, kafka=kafka) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(events, "--no-validate")

        async def all_told() -> bool:
            return (await fates(deployment, "e5"))["acme-thrad"] == ("delivered", True)

        await eventually(all_told, 40, what=worker.tail())
        waiting = ("waiting", True)
        assert await fates(deployment, "e0") == {
            "acme-pixel": ("dead_lettered", True),
            "acme-ttd": waiting,
            "acme-thrad": ("delivered", True),
        }
        assert (await fates(deployment, "e1"))["acme-thrad"] == ("skipped", False)
        assert await fates(deployment, "e2") == {"": ("dead_lettered", True)}
        ttd = await status_of(deployment, "acme-ttd")
        assert (ttd["condition"], ttd["waiting"]) == ("paused", 5)
        assert ttd["owner"].startswith("sender-tradedesk ")
        pixel = await status_of(deployment, "acme-pixel")
        assert (pixel["waiting"], pixel["dead_lettered_last_hour"]) == (0, 1)

        exported = tmp_path / "again.jsonl"
        await deployment.run("dlq", "export", "--account", "acme-pixel", "--out", str(exported))
        assert [json.loads(x)["event_id"] for x in exported.read_text().splitlines()] == ["e0"]
        await deployment.run("dlq", "purge", "--before", "now", given=b"y\n")
        await deployment.run("dlq", "stats", "--failed-until", "1h", code=3)
        (purge,) = await rows(deployment, "replay", "ls")
        assert (purge["source"], purge["counts"]["purged"]) == ("purge", 2)
        assert "1 event published" in await deployment.run("publish", str(exported))


async def test_a_blocked_account_is_told_from_kafka_alone(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        deployment.sandbox.behave(destination="tiktok", status=401, code=40105)
        worker = await deployment.start()
        await deployment.publish(web_purchases(20))

        async def told() -> bool:
            found = await status_of(deployment, "acme-pixel")
            return bool(found["condition"] == "breaker open" and found["waiting"] == 20)

        await eventually(told, 40, what=worker.tail())
        worker.kill()
        found = await status_of(deployment, "acme-pixel")
        assert (found["breaker"]["reason"], found["breaker"]["code"]) == ("misconfigured", "40105")
        assert 0 < found["oldest_waiting_seconds"] < 120


async def test_a_cluster_that_no_group_has_used(tmp_path: Path) -> None:
    """It makes the topic that groups live in when it is asked for the first one."""
    broker = Broker()
    try:
        await asyncio.to_thread(broker.start)
        async with Deployment(broker.bootstrap, "new", tmp_path, {"acme-pixel": TIKTOK}) as fresh:
            await fresh.run("topics", "create")
            assert (await status_of(fresh, "acme-pixel"))["waiting"] == 0
            await fresh.run("replay", "--dry-run", code=3)
    finally:
        broker.close()
