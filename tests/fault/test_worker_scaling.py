"""Replicas that come and go in good order, under load: nothing is lost, and nothing is repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.deployment import Deployment
from tests.support.load import ACCOUNTS, QUICK, Balance, Load, balance, calm, logs, scale


async def test_planned_changes_lose_nothing_and_repeat_nothing(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with Deployment(
        kafka_bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        calm(deployment)
        await deployment.start()
        async with Load(kafka_bootstrap, f"{unique}-events", rate=200) as load:
            for replicas in (4, 2, 4, 1):
                await scale(deployment, replicas)
                await asyncio.sleep(1)
            await load.stop()
            found = await balance(deployment, load)
        assert found == dict.fromkeys(found, Balance()), logs(deployment)
