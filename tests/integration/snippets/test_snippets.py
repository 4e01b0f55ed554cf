"""What ``forwarder init`` writes works as it is: each snippet publishes on a real Kafka, and the
forwarder reads what it published.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli.main import main
from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Record, TopicPartition, TopicSpec
from tests.integration.snippets.runtimes import run


async def last_record(bootstrap: str, printed: str) -> Record:
    """The record at the place that a snippet printed."""
    *_, place = printed.split()
    topic, partition, offset = place.rsplit("/", 2)
    reader = open_kafka(Connection(bootstrap_servers=bootstrap)).reader()
    at = TopicPartition(topic, int(partition))
    await reader.start()
    try:
        reader.assign([at])
        reader.seek(at, int(offset))
        while not (polled := await reader.poll(None, 1, 1.0)).get(at):
            pass
        return polled[at][0]
    finally:
        await reader.stop()


async def topic(bootstrap: str) -> None:
    """Not every client has the broker make what is missing."""
    admin = open_kafka(Connection(bootstrap_servers=bootstrap)).admin()
    await admin.start()
    try:
        await admin.create([TopicSpec("conversions", 1, -1, {})])
    finally:
        await admin.stop()


async def test_a_snippet_publishes_what_the_forwarder_reads(
    kind: str,
    language: str,
    kafka_bootstrap: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["init", "--yes", f"--dir={tmp_path}", f"--from={kind}"]) == 0
    await topic(kafka_bootstrap)
    printed = run(language, tmp_path / "snippets", kafka_bootstrap)
    record = await last_record(kafka_bootstrap, printed)
    assert record.topic == "conversions"
    assert record.key is not None
    assert record.key.startswith(b"order-")
    lines = tmp_path / "published.jsonl"
    lines.write_text(json.dumps(json.loads(record.value or b"")) + "\n")
    capsys.readouterr()
    assert main(["preview", str(lines), f"--config={tmp_path}/settings.yaml"]) == 0
    shown: list[dict[str, Any]] = [json.loads(x) for x in capsys.readouterr().out.splitlines()]
    assert [one["outcome"] for one in shown] == ["request"] * 3
    assert {one["event_id"] for one in shown} == {record.key.decode()}
