"""``topics``: what is missing is created, what differs is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.cli import topics
from forwarder.kafka.memory import MemoryCluster
from tests.unit.cli.conftest import Run

ALL = [
    "conversions",
    "conversions.dlq",
    "conversions.queue.acme-pixel",
    "conversions.queue.acme-thrad",
    "conversions.queue.acme-ttd",
    "conversions.replays",
    "conversions.retry.10m",
    "conversions.retry.1h",
    "conversions.retry.1m",
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    made = MemoryCluster(lambda: 0.0)
    monkeypatch.setattr(topics, "cluster", lambda _: made.client("cli"))
    return made


def test_what_is_missing_is_created_once(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    ended = forwarder("topics", "create", f"--config={settings}")
    assert ended.code == 0
    assert sorted(ended.out.split()) == ALL
    assert ended.err == "9 topics created\n"
    assert len(cluster.log.topics["conversions.queue.acme-ttd"].partitions) == 1
    again = forwarder("topics", "create", f"--config={settings}")
    assert (again.code, again.out, again.err) == (0, "", "nothing is missing\n")


def test_a_new_account_gets_its_queue(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    forwarder("topics", "create", f"--config={settings}")
    settings.write_text(settings.read_text().replace("acme-ttd:", "acme-new:"))
    ended = forwarder("topics", "create", "--json", f"--config={settings}")
    assert ended.json() == [{"created": ["conversions.queue.acme-new"]}]


def test_partitions_and_replication_of_what_is_created(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    forwarder("topics", "create", "--partitions=6", "--replication", "1", f"--config={settings}")
    assert len(cluster.log.topics["conversions"].partitions) == 6
    ended = forwarder("topics", "diff", "--partitions=6", f"--config={settings}")
    assert (ended.code, ended.err) == (0, "every topic is as it must be\n")
    ended = forwarder("topics", "diff", "--partitions=12", "--json", f"--config={settings}")
    assert ended.code == 3
    assert ended.json() == [
        [{"topic": "conversions", "setting": "partitions", "wanted": "12", "found": "6"}]
    ]


def test_every_difference_is_shown(forwarder: Run, settings: Path, cluster: MemoryCluster) -> None:
    forwarder("topics", "create", f"--config={settings}")
    cluster.delete_topic("conversions.dlq")
    cluster.delete_topic("conversions.queue.acme-ttd")
    cluster.add_topic("conversions.queue.acme-ttd", 3, {"cleanup.policy": "compact"})
    cluster.add_topic("conversions.queue.gone", 1)
    ended = forwarder("topics", "diff", "--json", f"--config={settings}")
    assert ended.code == 3
    (found,) = ended.json()
    rows = {(row["topic"], row["setting"]): (row["wanted"], row["found"]) for row in found}
    assert rows["conversions.dlq", "topic"] == ("present", "missing")
    assert rows["conversions.queue.acme-ttd", "partitions"] == ("1", "3")
    assert rows["conversions.queue.acme-ttd", "cleanup.policy"] == ("delete", "compact")
    assert rows["conversions.queue.gone", "account"] == ("in the settings", "missing")
    text = forwarder("topics", "diff", f"--config={settings}")
    assert text.code == 3
    assert "conversions.queue.acme-ttd  cleanup.policy" in text.out


def test_brokers_that_do_not_answer(forwarder: Run, settings: Path) -> None:
    settings.write_text("kafka: {bootstrap_servers: 127.0.0.1:1}\n" + settings.read_text())
    for command in ("create", "diff"):
        ended = forwarder("topics", command, f"--config={settings}")
        assert ended.code == 1
        told, fix = ended.err.splitlines()
        assert told.startswith("error: kafka 127.0.0.1:1: ")
        assert fix == "    check kafka.bootstrap_servers, and that the brokers are up"


def test_a_principal_that_may_create_nothing(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    cluster.may_create = False
    ended = forwarder("topics", "create", f"--config={settings}")
    assert ended.code == 1
    assert "missing topics could not be created" in ended.err
