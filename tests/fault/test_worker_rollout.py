"""A Deployment's life under load: scaled up, scaled down, rolled out. Nothing lost or repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.deployment import Deployment
from tests.support.load import ACCOUNTS, QUICK, Balance, Load, balance, calm, logs
from tests.support.rollout import NOBODY, Rollout

ANSWER = 1.0
"""The slowest vendor's, in seconds: a stop waits for it, and for little else."""


async def test_a_roll_out_drains_in_time_and_loses_and_repeats_nothing(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with (
        Deployment(kafka_bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK) as deployment,
        Rollout(deployment) as rollout,
    ):
        await deployment.run("topics", "create")
        calm(deployment)
        calm_but_slow = {"latency": f"{ANSWER:g}s", "rate": {"requests": 10**6, "per": 1}}
        deployment.sandbox.behave(destination="tradedesk", **calm_but_slow)
        await rollout.scale(2)
        async with Load(kafka_bootstrap, f"{unique}-events", rate=200) as load:
            await asyncio.sleep(1)
            await rollout.scale(6)
            await asyncio.sleep(1)
            await rollout.scale(2)
            await rollout.replace_all(settle=1)
            await load.stop()
            found = await balance(deployment, load)
        assert found == dict.fromkeys(found, Balance()), logs(deployment)
        ended = [pod for pod in rollout.pods if pod.drained_in is not None]
        assert len(ended) == 6
        assert max(pod.drained_in or 0.0 for pod in ended) < ANSWER + 5, logs(deployment)
        for pod in rollout.pods:
            assert pod.before == [200], pod  # ready stays ready, whoever else comes or goes
            assert pod.after == sorted(pod.after, key=[200, 503, NOBODY].index), pod  # and unready
        assert any(503 in pod.after for pod in ended)
