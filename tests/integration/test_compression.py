"""Producers choose how they compress; the worker reads them all."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.support.deployment import TIKTOK, Deployment, eventually, web_purchases

EVENTS = 20


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_events_arrive(
    kafka_bootstrap: str, unique: str, tmp_path: Path, codec: str
) -> None:
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        await deployment.run("topics", "create")
        producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, compression_type=codec)
        await producer.start()
        for event in web_purchases(EVENTS):
            await producer.send(f"{unique}-events", orjson.dumps(event))
        await producer.stop()
        await deployment.start()

        async def all_there() -> bool:
            return len(await deployment.event_ids("tiktok")) == EVENTS

        await eventually(all_there, 30)
