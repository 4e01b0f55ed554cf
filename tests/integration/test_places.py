"""Where lanes start and what keeps their place."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing, TopicPartition
from forwarder.kafka.records import rfc3339
from tests.support.deployment import TIKTOK, Deployment, eventually, web_purchases
from tests.support.load import taken

HOUR = 3600


async def test_a_queue_that_never_had_a_record_keeps_its_place_too(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    queue = TopicPartition(f"{unique}.queue.acme-pixel", 0)
    admin = open_kafka(Connection(kafka_bootstrap)).admin()
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.start()
        await admin.start()

        async def committed() -> bool:
            places = await admin.committed(f"{unique}-g.senders.tiktok")
            return queue in places and places[queue].offset == 0

        await eventually(committed, 15)
        await admin.stop()


async def test_a_queue_whose_place_was_lost_waits_for_an_operator_when_its_records_are_old(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    kafka = open_kafka(Connection(kafka_bootstrap))
    producer = kafka.producer()
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        await producer.start()
        old = int((time.time() - 2 * HOUR) * 1000)
        headers = [("forwarder-origin", b"x/0/0")]
        await producer.write(f"{unique}.queue.acme-pixel", [Outgoing(None, b"{}", headers, old)], 0)
        await producer.stop()
        worker = await deployment.start()

        async def waits() -> bool:
            [account] = (await worker.status())["accounts"]
            return bool(account["lane"]) and account["lane"]["reason"] == "no_offset"

        await eventually(waits, 15)
        assert (await deployment.report())["accounts"] == {}


@pytest.mark.parametrize("start_from", ["latest", "30 minutes ago", "earliest"])
async def test_a_new_group_starts_where_it_is_told(
    kafka_bootstrap: str, unique: str, tmp_path: Path, start_from: str
) -> None:
    now = time.time()
    told = rfc3339(now - HOUR / 2) if start_from.endswith("ago") else start_from
    producer = open_kafka(Connection(kafka_bootstrap)).producer()
    async with Deployment(
        kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}, kafka={"start_from": told}
    ) as deployment:
        await deployment.run("topics", "create")
        await producer.start()
        old = Outgoing(None, orjson.dumps(web_purchases(1)[0]), (), int((now - 2 * HOUR) * 1000))
        await producer.write(f"{unique}-events", [old], 0)
        await producer.stop()
        await deployment.start()
        await deployment.publish(web_purchases(1, 1))
        await eventually(lambda: "e1" in taken(deployment, "tiktok"), 20)
        assert ("e0" in taken(deployment, "tiktok")) == (start_from == "earliest")
