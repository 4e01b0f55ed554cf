"""What a starting worker says of topics that somebody else has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.memory_clients import MemoryAdmin
from forwarder.kafka.port import Refused
from forwarder.settings import Settings, load
from forwarder.startup import create_missing_topics, wrong_topics

TEXT = """\
accounts:
  acme: {destination: thrad, advertisers: [acme], api_key: hush}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "settings.yaml").write_text(TEXT)
    return load(tmp_path / "settings.yaml", {})


async def test_topics_that_the_forwarder_made_are_right(settings: Settings) -> None:
    kafka = MemoryCluster(lambda: 0.0).client("worker")
    await create_missing_topics(kafka, settings)
    assert await wrong_topics(kafka, settings) == {}


async def test_what_is_wrong_with_a_topic_is_told_in_one_line(settings: Settings) -> None:
    cluster = MemoryCluster(lambda: 0.0)
    cluster.add_topic("conversions.dlq", 4, {"cleanup.policy": "compact", "retention.ms": "1000"})
    kafka = cluster.client("worker")
    await create_missing_topics(kafka, settings)
    assert await wrong_topics(kafka, settings) == {
        "conversions.dlq": "cleanup.policy is compact, but must be delete; "
        "retention.ms is 1000, but must be 1209600000"
    }


async def test_a_worker_that_may_not_look_starts_all_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = MemoryCluster(lambda: 0.0).client("worker")
    await create_missing_topics(kafka, settings)

    async def refused(*_: object) -> None:
        raise Refused("not authorised")

    monkeypatch.setattr(MemoryAdmin, "describe", refused)
    assert await wrong_topics(kafka, settings) == {}
