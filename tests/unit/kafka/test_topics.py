from __future__ import annotations

import pytest

from forwarder.kafka import topics
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import Refused, TopicInfo, TopicSpec
from forwarder.kafka.topics import Difference

HOUR, DAY = 3600.0, 86_400.0
MIB = 1024 * 1024
AGES = {"acme-pixel": 28 * DAY, "acme-ttd": DAY}


def plan(prefix: str = "conversions") -> dict[str, TopicSpec]:
    specs = topics.plan(prefix, AGES, events_topic="conversions")
    return {spec.name: spec for spec in specs}


def as_found(spec: TopicSpec, **config: str) -> TopicInfo:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return TopicInfo(spec.name, spec.partitions, 1, dict(spec.config) | named)


def days(spec: TopicSpec) -> float:
    return int(spec.config["retention.ms"]) / 1000 / DAY


def test_the_names_are_those_that_users_were_promised() -> None:
    assert topics.queue_topic("conversions", "acme-pixel") == "conversions.queue.acme-pixel"
    assert topics.retry_topics("conversions") == [
        ("conversions.retry.1m", 60),
        ("conversions.retry.10m", 600),
        ("conversions.retry.1h", 3600),
    ]
    assert topics.dlq_topic("conversions") == "conversions.dlq"
    assert topics.replays_topic("conversions") == "conversions.replays"


def test_every_topic_is_planned_once() -> None:
    assert sorted(plan()) == [
        "conversions",
        "conversions.dlq",
        "conversions.queue.acme-pixel",
        "conversions.queue.acme-ttd",
        "conversions.replays",
        "conversions.retry.10m",
        "conversions.retry.1h",
        "conversions.retry.1m",
    ]
    with_settlements = topics.plan("c", AGES, events_topic="c", settlements_topic="settled")
    for spec in with_settlements:
        if spec.name in ("c.dlq", "c.replays", "settled"):  # they bear no time but the brokers'
            assert spec.config["message.timestamp.type"] == "LogAppendTime", spec.name
    assert [spec.name for spec in with_settlements if spec.name == "settled"] == ["settled"]


def test_a_queue_has_one_partition_and_keeps_its_events_a_week_beyond_their_age() -> None:
    queue = plan()["conversions.queue.acme-ttd"]
    assert queue.partitions == 1
    assert days(queue) == 8
    assert queue.config["retention.bytes"] == "-1"
    assert queue.config["cleanup.policy"] == "delete"
    assert queue.config["message.timestamp.type"] == "CreateTime"


def test_retries_outlast_the_oldest_event_and_are_stamped_by_the_broker() -> None:
    for name, _ in topics.retry_topics("conversions"):
        assert days(plan()[name]) == 35
        assert plan()[name].config["message.timestamp.type"] == "LogAppendTime"


def test_dead_letters_stay_two_weeks_and_their_ledger_longer() -> None:
    assert days(plan()["conversions.dlq"]) == 14
    assert days(plan()["conversions.replays"]) == 21


def test_what_we_write_may_be_larger_than_what_we_read() -> None:
    specs = topics.plan("c", AGES, events_topic="events", events_bytes=2 * MIB)
    largest = {spec.name: int(spec.config["max.message.bytes"]) for spec in specs}
    assert largest.pop("events") == 2 * MIB
    assert set(largest.values()) == {2 * MIB + 64 * 1024}


def test_an_event_of_the_largest_size_fits_with_its_key_and_headers() -> None:
    assert int(plan()["conversions"].config["max.message.bytes"]) >= MIB + 32 * 1024


def test_the_size_of_events_is_read_from_the_topic_that_exists() -> None:
    found = TopicInfo("events", 24, 3, {"max.message.bytes": "5000000"})
    assert topics.events_bytes(found) == 5_000_000
    assert topics.events_bytes(None) == topics.EVENT_BYTES


def test_replication_is_the_clusters_unless_told() -> None:
    assert {spec.replication for spec in plan().values()} == {-1}
    told = topics.plan("c", AGES, events_topic="c", replication=3)
    assert {spec.replication for spec in told} == {3}


def test_missing_are_those_that_the_cluster_does_not_have() -> None:
    specs = list(plan().values())
    existing = {spec.name for spec in specs} - {"conversions.dlq"}
    assert [spec.name for spec in topics.missing(specs, existing)] == ["conversions.dlq"]


class TestDiff:
    def test_topics_as_planned_do_not_differ(self) -> None:
        specs = plan()
        found = {name: as_found(spec) for name, spec in specs.items()}
        assert topics.diff(specs.values(), found) == []

    def test_missing_topics_are_not_a_difference(self) -> None:
        assert topics.diff(plan().values(), {}) == []

    @pytest.mark.parametrize("kept", ["-1", str(10**13)])
    def test_longer_is_right_too(self, kept: str) -> None:
        spec = plan()["conversions.dlq"]
        assert topics.diff([spec], {spec.name: as_found(spec, retention_ms=kept)}) == []

    @pytest.mark.parametrize(
        ("setting", "found"),
        [
            ("retention.ms", "3600000"),
            ("retention.bytes", "1000000"),
            ("max.message.bytes", "1048588"),
            ("cleanup.policy", "compact,delete"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
    )
    def test_each_setting_of_a_queue_counts(self, setting: str, found: str) -> None:
        spec = plan()["conversions.queue.acme-pixel"]
        info = as_found(spec, **{setting.replace(".", "_"): found})
        wanted = spec.config[setting]
        assert topics.diff([spec], {spec.name: info}) == [
            Difference(spec.name, setting, wanted, found)
        ]

    def test_a_queue_with_several_partitions_is_wrong(self) -> None:
        spec = plan()["conversions.queue.acme-pixel"]
        info = as_found(spec)._replace(partitions=4)
        assert topics.diff([spec], {spec.name: info}) == [
            Difference(spec.name, "partitions", "1", "4")
        ]

    def test_other_topics_may_have_any_number(self) -> None:
        spec = plan()["conversions"]
        info = as_found(spec)._replace(partitions=3)
        assert topics.diff([spec], {spec.name: info}) == []

    def test_retries_work_with_either_time(self) -> None:
        spec = plan()["conversions.retry.1m"]
        info = as_found(spec, message_timestamp_type="CreateTime")
        assert topics.diff([spec], {spec.name: info}) == []

    def test_replication_counts_where_it_was_told(self) -> None:
        spec = plan()["conversions.dlq"]._replace(replication=3)
        assert topics.diff([spec], {spec.name: as_found(spec)}) == [
            Difference(spec.name, "replication", "3", "1")
        ]


def test_queues_of_accounts_that_are_gone_are_named() -> None:
    existing = ["conversions.queue.gone", "conversions.queue.acme", "conversions", "x.queue.y"]
    assert topics.queues_without_account("conversions", ["acme"], existing) == [
        "conversions.queue.gone"
    ]


class TestEnsure:
    async def test_what_is_missing_is_created_and_the_rest_left_alone(self) -> None:
        cluster = MemoryCluster(lambda: 0.0)
        cluster.add_topic("conversions", 3)
        admin = cluster.client("test").admin()
        created = await topics.ensure(admin, list(plan().values()))
        assert set(created) == set(plan()) - {"conversions"}
        assert (await admin.topics())["conversions"] == 3
        assert (await admin.topics())["conversions.queue.acme-pixel"] == 1
        assert await topics.ensure(admin, list(plan().values())) == []

    async def test_a_refusal_says_what_and_how(self) -> None:
        cluster = MemoryCluster(lambda: 0.0)
        cluster.may_create = False
        with pytest.raises(Refused, match="forwarder topics create") as caught:
            await topics.ensure(cluster.client("test").admin(), list(plan().values()))
        assert "conversions.queue.acme-pixel" in str(caught.value)
