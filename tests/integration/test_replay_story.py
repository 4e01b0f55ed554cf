"""One morning on a real Kafka: 3,000 of 20,000 events were refused for a missing setting.

Count, fix, replay, be killed half-way, go on: nobody counts twice, live traffic does not notice.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing
from tests.support.deployment import TIKTOK, Deployment, eventually, web_purchases

EVENTS = 20_000
REFUSED = 3_000
LIVE_EVERY = 0.05
ACCOUNT = "acme-pixel"
BATCH = {"events": 500}
TOLERANCE = 0.2


class Live:
    """Publishes an event every ``LIVE_EVERY`` seconds. ``sent``: when each was, by event id."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}

    async def publish(self, bootstrap: str, topic: str) -> None:
        producer = open_kafka(Connection(bootstrap)).producer()
        await producer.start()
        try:
            while True:
                (event,) = web_purchases(1, start=len(self.sent))
                event_id = event["event_id"] = f"live-{len(self.sent)}"
                self.sent[event_id] = time.time()
                await producer.write(
                    topic, [Outgoing(event_id.encode(), json.dumps(event).encode(), ())]
                )
                await asyncio.sleep(LIVE_EVERY)
        finally:
            await producer.stop()


@asynccontextmanager
async def live_traffic(deployment: Deployment) -> AsyncIterator[Live]:
    live = Live()
    kafka = deployment.kafka
    task = asyncio.create_task(live.publish(kafka["bootstrap_servers"], kafka["events_topic"]))
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def latency(live: Live, rows: list[dict[str, Any]], since: float, until: float) -> float:
    """Median seconds from publishing to arriving, of what was published in that time."""
    found: list[float] = [
        row["received_at"] - live.sent[row["event_id"]]
        for row in rows
        if since <= live.sent.get(row["event_id"], 0.0) < until
    ]
    assert len(found) > 20
    return statistics.median(found)


async def counts(deployment: Deployment, *arguments: str) -> dict[str, Any]:
    out = await deployment.run("replay", "--source", "dlq", "--json", *arguments)
    found: dict[str, Any] = json.loads(next(x for x in out.splitlines() if x.startswith("{")))
    return found


async def sent_so_far(deployment: Deployment) -> int:
    """Distinct events that the vendor has, live ones left out."""
    accounts = (await deployment.report())["accounts"].values()
    return sum(account["unique_event_ids"] for account in accounts)


async def killed_half_way(deployment: Deployment, before: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "replay", "--source", "dlq"),
        *("--account", ACCOUNT, "--run-id", "morning", "--by", "jo"),
        *("--config", str(deployment.settings)),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )

    async def half_way() -> bool:
        assert process.returncode is None, "it ended before it could be killed"
        return await sent_so_far(deployment) > before + REFUSED // 2

    await eventually(half_way, 30, every=0.05, what="half of the replay")
    process.kill()
    await process.wait()


async def test_a_morning_with_dead_letters(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    events = [dict(event) for event in web_purchases(EVENTS)]
    refused = {event["event_id"] for event in events[:REFUSED]}
    for event in events[:REFUSED]:
        del event["page"]
    pixel = TIKTOK | {"batch": BATCH}
    async with Deployment(kafka_bootstrap, unique, tmp_path, {ACCOUNT: pixel}) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(events)

        async def delivered() -> bool:
            return await sent_so_far(deployment) == EVENTS - REFUSED

        await eventually(delivered, 60, what=worker.tail())

        dry = await counts(deployment, "--dry-run", "--account", ACCOUNT, "--reason", "rejected")
        assert (dry["matched"], dry["to_send"], dry["sent"]) == (REFUSED, REFUSED, 0)
        assert (dry["rejected_today"], dry["replayed_before"]) == (REFUSED, 0)
        assert dry["eta_seconds"] >= REFUSED / BATCH["events"]
        assert await sent_so_far(deployment) == EVENTS - REFUSED

        deployment.accounts[ACCOUNT]["default_page_url"] = "https://shop.example/"
        deployment.write_settings()
        worker.terminate()
        assert await worker.ended() == 0
        worker = await deployment.start()

        async with live_traffic(deployment) as live:
            calm = time.time() + 0.5
            await asyncio.sleep(4)
            started = time.time()
            await killed_half_way(deployment, EVENTS - REFUSED)
            resumed = await counts(deployment, "--run-id", "morning")
            ended = time.time()
            await asyncio.sleep(0.5)
        assert (resumed["to_send"], resumed["sent"]) == (REFUSED, REFUSED)

        async def all_there() -> bool:
            return await sent_so_far(deployment) == EVENTS + len(live.sent)

        await eventually(all_there, 30, what=worker.tail())
        rows = await deployment.received("tiktok")
        times = [row["event_id"] for row in rows]
        assert len(times) == len(set(times)) == EVENTS + len(live.sent)
        assert refused < set(times)

        before, during = latency(live, rows, calm, started), latency(live, rows, started, ended)
        assert during <= max(before * (1 + TOLERANCE), before + TOLERANCE), (before, during)

        again = await counts(deployment, "--account", ACCOUNT)
        assert (again["replayed_before"], again["to_send"], again["sent"]) == (REFUSED, 0, 0)
        assert len(await deployment.received("tiktok")) == len(times)
        accounts = (await deployment.report())["accounts"].values()
        assert [account["violations"] for account in accounts] == [{}]
        assert [account["duplicates"] for account in accounts] == [0]

        runs = [
            json.loads(x) for x in (await deployment.run("replay", "ls", "--json")).splitlines()
        ]
        told = {run["run"]: (run["state"], run["by"], run["sent"]) for run in runs}
        assert told["morning"] == ("finished", "jo", REFUSED)
