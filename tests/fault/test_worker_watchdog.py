"""A replica whose group never takes it back ends with one line, so that a restart can help."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.broker import Broker
from tests.support.deployment import TIKTOK, Deployment, eventually, says
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken
from tests.support.proxy import COORDINATOR, Proxy

IMPATIENT = """
from forwarder import watchdog
watchdog.NO_PROGRESS = 8.0
watchdog.LOOK_SECONDS = 1.0
from forwarder.cli.main import main
raise SystemExit(main())
"""


async def test_no_progress_while_the_brokers_answer_ends_the_process(
    broker: Broker, unique: str, tmp_path: Path, proxy: Proxy, proxied: dict[str, str]
) -> None:
    async with Deployment(
        broker.bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        worker = await deployment.start(env=proxied, program=[sys.executable, "-c", IMPATIENT])
        await deployment.publish(purchases(5))
        await eventually(lambda: len(taken(deployment, "tiktok")) == 5, 20)
        proxy.dropped = COORDINATOR
        await deployment.publish(purchases(5, 5))
        await says(worker, "task_failed", 30)
        assert await worker.ended(60) == 1, worker.tail()
        failed = [line for line in worker.lines() if line["action"] == "task_failed"]
        assert len(failed) == 1
        assert "made no progress" in str(failed[0])
        assert "Traceback" not in worker.tail()
        proxy.dropped = ()
        await deployment.start(env=proxied)
        await eventually(lambda: len(taken(deployment, "tiktok")) == 10, 20)
