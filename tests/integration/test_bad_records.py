"""Records that are no events: each is a dead letter with its reason, nothing else suffers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Outgoing, Record, TopicPartition, TopicSpec
from tests.support.deployment import TIKTOK, Deployment, eventually, web_purchases
from tests.support.raw_producer import write_foreign, write_large
from tests.support.topics import header

GOOD = web_purchases(3)


def framed(event: dict[str, object]) -> bytes:
    return b"\x00\x00\x00\x00\x07" + orjson.dumps(event)


async def dead_letters(bootstrap: str, topic: str) -> list[Record]:
    reader = open_kafka(Connection(bootstrap)).reader()
    await reader.start()
    partitions = [TopicPartition(topic, number) for number in range(4)]
    reader.assign(partitions)
    for partition in partitions:
        reader.seek(partition, 0)
    found: list[Record] = []
    for _ in range(4):
        polled = await reader.poll(None, 100, 0.5)
        found += [record for records in polled.values() for record in records]
    await reader.stop()
    return found


async def test_each_has_its_reason_and_the_good_ones_arrive(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    kafka = open_kafka(Connection(kafka_bootstrap))
    admin, producer = kafka.admin(), kafka.producer()
    async with Deployment(kafka_bootstrap, unique, tmp_path, {"acme-pixel": TIKTOK}) as deployment:
        topic = f"{unique}-events"
        await admin.start()
        await admin.create([TopicSpec(topic, 2, 1, {"max.message.bytes": "4000000"})])
        await admin.stop()
        await deployment.run("topics", "create")
        await producer.start()
        bad = [
            b'{"event_id": "broken',
            b"[1, 2]",
            b"\xff\xfe",
            orjson.dumps({**GOOD[0], "schema_version": "2"}),
            orjson.dumps({**GOOD[0], "event_time": "yesterday"}),
            orjson.dumps({**GOOD[0], "advertiser": "nobody"}),
        ]
        values: list[bytes | None] = [*bad, None, framed(GOOD[0])]
        values += [orjson.dumps(event) for event in GOOD[1:]]
        nameless = Outgoing(None, values[-1], [("forwarder-origin", None)])
        await producer.write(f"{unique}.queue.acme-pixel", [nameless])
        await write_foreign(kafka_bootstrap, topic, orjson.dumps(GOOD[1]))
        await producer.write(topic, [Outgoing(None, value, ()) for value in values])
        await producer.stop()
        await write_large(kafka_bootstrap, topic, b'{"pad": "' + b"x" * 2_000_000 + b'"}')
        worker = await deployment.start()

        async def all_there() -> bool:
            return len(await deployment.event_ids("tiktok")) == len(GOOD)

        await eventually(all_there, 30, what=worker.tail())
        letters: list[Record] = []

        async def all_dead() -> bool:
            letters[:] = await dead_letters(kafka_bootstrap, f"{unique}.dlq")
            return len(letters) == len(bad) + 3

        await eventually(all_dead, 30)
        reasons = Counter(header(letter, "reason") for letter in letters)
        assert reasons == {
            "undecodable": 3,
            "unsupported_version": 1,
            "invalid_event": 3,
            "unrouted": 1,
            "oversize": 1,
        }
        for letter in letters:
            queued = header(letter, "code") == "local.malformed_headers"
            place = f"{unique}.queue.acme-pixel/" if queued else f"{topic}/"
            assert header(letter, "origin").startswith(place)
            if header(letter, "reason") == "oversize":
                assert letter.value is None
        assert "Traceback" not in worker.log.read_text()
