"""Interrupting, stopping and resuming a run on a real Kafka, and a second one beside it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tests.support.deployment import TIKTOK, Deployment, eventually, web_purchases

LETTERS = 60


async def begun(deployment: Deployment, *arguments: str) -> Process:
    """A slow replay, once it has sent something."""
    before = await sent(deployment)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "replay", "--rate", "5", *arguments),
        *("--config", str(deployment.settings)),
        stdout=PIPE,
        stderr=PIPE,
    )

    async def sending() -> bool:
        assert process.returncode is None, await process.communicate()
        return await sent(deployment) > before

    await eventually(sending, 60, what="the replay sends")
    return process


async def sent(deployment: Deployment) -> int:
    accounts = (await deployment.report())["accounts"].values()
    return sum(account["unique_event_ids"] for account in accounts)


async def test_a_run_is_interrupted_stopped_and_finished(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    events = [{k: v for k, v in e.items() if k != "page"} for e in web_purchases(LETTERS)]
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(events)

        async def dead() -> bool:
            out = await deployment.run("dlq", "stats", "--json", code=None)
            return f'"total":{LETTERS},' in out

        await eventually(dead, 40, what=worker.tail())
        worker.terminate()
        assert await worker.ended() == 0
        deployment.accounts["acme-pixel"]["default_page_url"] = "https://shop.example/"
        deployment.write_settings()
        await deployment.start()

        first = await begun(deployment, "--run-id", "slow", "--source", "dlq")
        other = await deployment.run("replay", "--by", "kim", code=2)
        assert "run slow of " in other
        assert "replays from dlq right now" in other
        first.send_signal(signal.SIGINT)
        _, err = await first.communicate()
        assert (first.returncode, b"replay --run-id slow" in err) == (130, True)

        second = await begun(deployment, "--run-id", "slow")
        assert "asked slow to stop" in await deployment.run("replay", "stop", "slow")
        _, err = await second.communicate()
        assert (second.returncode, b"stopped; go on with" in err) == (3, True)
        (row,) = (await deployment.run("replay", "ls", "--json")).splitlines()
        run = json.loads(row)
        assert (run["state"], run["to_send"]) == ("stopped", LETTERS)
        assert 0 < run["sent"] < LETTERS

        await deployment.run("replay", "--run-id", "slow")

        async def all_there() -> bool:
            return await sent(deployment) == LETTERS

        await eventually(all_there, 20, what="all arrive")
        assert set((await deployment.event_ids("tiktok")).values()) == {1}
