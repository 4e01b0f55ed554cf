"""Topics that vanish, or refuse what is written: said at once, waited for, and nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.support.broker import Broker
from tests.support.deployment import THRAD, TIKTOK, Deployment, eventually, says
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken
from tests.support.topics import header, records

ACCOUNTS = {"acme-pixel": TIKTOK, "acme-thrad": THRAD}
LOST = "lost-click"


@pytest.fixture
async def admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    yield admin
    await admin.close()


def delivered(deployment: Deployment, number: int) -> Callable[[], bool]:
    return lambda: len(taken(deployment, "tiktok")) == number


async def test_topics_deleted_while_it_runs_are_named_and_used_again_once_they_are_back(
    broker: Broker, unique: str, tmp_path: Path, admin: AIOKafkaAdminClient
) -> None:
    async with Deployment(
        broker.bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        deployment.sandbox.behave(destination="thrad", click_not_found=LOST)
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(purchases(20))
        await eventually(delivered(deployment, 20), 20)

        queue, dead, retry = f"{unique}.queue.acme-pixel", f"{unique}.dlq", f"{unique}.retry.1m"
        await admin.delete_topics([queue, dead, retry])
        click = {"thrad_click_id": LOST}
        late = [*purchases(20, 20), *purchases(1, 90, value=-1), *purchases(1, 99, click_ids=click)]
        await deployment.publish(late, "--no-validate")
        await says(worker, "write_stalled", topic=queue)
        await says(worker, "write_stalled", topic=dead)
        assert worker.process.poll() is None
        await deployment.run("topics", "create")
        await eventually(delivered(deployment, 41), 40, what=worker.tail())

        async def written() -> bool:
            return [header(r, "reason") for r in await records(broker.bootstrap, dead)] == [
                "invalid_event"
            ] and [header(r, "reason") for r in await records(broker.bootstrap, retry)] == [
                "transient"
            ]

        await eventually(written, 20, what=worker.tail())
        assert set(taken(deployment, "tiktok").values()) == {1}


async def limit(admin: AIOKafkaAdminClient, topic: str, size: int) -> None:
    """Let a topic take no record above this size."""
    wanted = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})
    for answer in await admin.alter_configs([wanted]):
        assert all(resource[0] == 0 for resource in answer.resources), answer


async def test_what_no_topic_takes_is_dead_lettered_without_its_value(
    broker: Broker, unique: str, tmp_path: Path, admin: AIOKafkaAdminClient
) -> None:
    async with Deployment(
        broker.bootstrap, unique, tmp_path, ACCOUNTS, delivery=QUICK
    ) as deployment:
        deployment.sandbox.behave(destination="thrad", click_not_found=LOST)
        await deployment.run("topics", "create")
        dead = f"{unique}.dlq"
        await limit(admin, f"{unique}.queue.acme-pixel", 2000)
        await limit(admin, f"{unique}.retry.1m", 2000)
        worker = await deployment.start()
        large = {"description": "x" * 4000}
        click = {"thrad_click_id": LOST}
        await deployment.publish(
            [*purchases(5), *purchases(1, 50, **large), *purchases(1, 51, click_ids=click, **large)]
        )
        await eventually(delivered(deployment, 5), 20, what=worker.tail())

        async def written() -> bool:
            return len(await records(broker.bootstrap, dead)) == 3

        await eventually(written, 20, what=worker.tail())
        letters = await records(broker.bootstrap, dead)
        assert [(header(one, "reason"), one.value) for one in letters] == [("oversize", None)] * 3
        accounts = [header(one, "account") for one in letters]
        assert sorted(accounts) == ["acme-pixel", "acme-pixel", "acme-thrad"]

        await limit(admin, dead, 100)
        await deployment.publish(purchases(1, 60, value=-1), "--no-validate")
        assert await worker.ended() == 1
        assert f"{dead} refuses" in worker.tail()
