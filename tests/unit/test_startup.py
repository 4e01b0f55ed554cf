"""What a starting worker says of topics that somebody else has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.memory_clients import MemoryAdmin
from forwarder.kafka.port import Committed, Outgoing, Refused, TopicPartition
from forwarder.problems import SettingsProblems
from forwarder.settings import Settings, load
from forwarder.startup import create_missing_topics, place_new_group, wrong_topics

EVENTS = TopicPartition("conversions", 0)
NOW = 1_800_000_000.0

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


@pytest.mark.parametrize(("committed", "refused"), [(2, False), (3, True)])
async def test_a_group_whose_place_lies_behind_the_end_has_none(
    committed: int, refused: bool
) -> None:
    cluster = MemoryCluster(lambda: NOW)
    cluster.add_topic(EVENTS.topic)
    old = round((NOW - 7200) * 1000)
    cluster.put(EVENTS, [Outgoing(None, b"{}", (), old)] * 2)
    kafka = cluster.client("worker")
    group = kafka.reader("g")
    await group.start()
    group.assign([EVENTS])
    await group.commit({EVENTS: Committed(committed)})
    placing = place_new_group(kafka, "g", [EVENTS], None, NOW)
    if refused:
        with pytest.raises(SettingsProblems, match="older than 1 h"):
            await placing
        await place_new_group(kafka, "g", [EVENTS], "latest", NOW)
    else:
        await placing
    assert await group.committed([EVENTS]) == {EVENTS: Committed(2)}


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
