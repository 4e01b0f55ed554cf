"""Topics that vanish, or refuse what is written: said at once, waited for, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Record, TopicPartition
from tests.support.broker import Broker
from tests.support.deployment import THRAD, TIKTOK, Deployment, WorkerProcess, eventually
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken

ACCOUNTS = {"acme-pixel": TIKTOK, "acme-thrad": THRAD}
LOST = "lost-click"


@pytest.fixture
async def admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    yield admin
    await admin.close()


async def records(bootstrap: str, topic: str) -> list[Record]:
    """All that stands in a topic."""
    reader = open_kafka(Connection(bootstrap)).reader()
    await reader.start()
    try:
        admin = open_kafka(Connection(bootstrap)).admin()
        await admin.start()
        partitions = [TopicPartition(topic, n) for n in range((await admin.topics())[topic])]
        await admin.stop()
        bounds = await reader.bounds(partitions)
        reader.assign(partitions)
        found: list[Record] = []
        while len(found) < sum(end - first for first, end in bounds.values()):
            for some in (await reader.poll(None, 1000, 1.0)).values():
                found += some
        return found
    finally:
        await reader.stop()


def reason(record: Record) -> str:
    return dict(record.headers)["forwarder-reason"].decode()


async def says(worker: WorkerProcess, action: str, **fields: Any) -> None:
    """Wait until the log holds such a line."""

    def said() -> bool:
        return any(
            line["action"] == action and fields.items() <= line.items() for line in worker.lines()
        )

    await eventually(said, 20, what=f"{action} {fields}: {worker.tail()}")


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
            return [reason(r) for r in await records(broker.bootstrap, dead)] == [
                "invalid_event"
            ] and [reason(r) for r in await records(broker.bootstrap, retry)] == ["transient"]

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
        assert [(reason(one), one.value) for one in letters] == [("oversize", None)] * 3
        accounts = [dict(one.headers)["forwarder-account"] for one in letters]
        assert sorted(accounts) == [b"acme-pixel", b"acme-pixel", b"acme-thrad"]

        await limit(admin, dead, 100)
        await deployment.publish(purchases(1, 60, value=-1), "--no-validate")
        assert await worker.ended() == 1
        assert f"{dead} refuses" in worker.tail()
