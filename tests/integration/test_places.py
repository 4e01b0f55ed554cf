"""Where lanes start and what keeps their place."""

from __future__ import annotations

import time
from pathlib import Path

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing, TopicPartition
from tests.support.deployment import TIKTOK, Deployment, eventually

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
