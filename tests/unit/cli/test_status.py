"""``status``: what waits, where, since when and why."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forwarder.kafka.port import TopicPartition
from forwarder.kafka.records import Progress, Trouble, troubled
from forwarder.lane.state import KeptState, encode
from tests.unit.cli.conftest import Run
from tests.unit.cli.memory import Cluster, cluster, queue
from tests.unit.deadletters.build import dead, stored

__all__ = ["cluster"]


@pytest.fixture
def config(settings: Path) -> str:
    return f"--config={settings}"


def look(forwarder: Run, *arguments: str) -> dict[str, Any]:
    ended = forwarder("status", "--json", *arguments)
    assert ended.code == 0, ended.err
    (found,) = ended.json()
    assert isinstance(found, dict)
    return found


def account(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (row for row in found["accounts"] if row["account"] == name)
    assert isinstance(one, dict)
    return one


def publish_and_route(cluster: Cluster, number: int) -> None:
    for n in range(number):
        cluster.publish(n)
        cluster.route(n)


def test_an_empty_deployment(forwarder: Run, config: str, cluster: Cluster) -> None:
    found = look(forwarder, config)
    assert [row["waiting"] for row in found["accounts"]] == [0, 0, 0]
    assert [row["condition"] for row in found["accounts"]] == ["idle"] * 3
    assert [row["owner"] for row in found["accounts"]] == [None] * 3
    assert found["complete"] is True
    ended = forwarder("status", config)
    assert "3 accounts idle." in ended.out
    assert "no sender runs for it" in ended.out
    assert "events topic: 0 not routed yet, no router runs" in ended.out


def test_what_waits_and_since_when(forwarder: Run, config: str, cluster: Cluster) -> None:
    publish_and_route(cluster, 3)
    cluster.publish(9)
    cluster.send("acme-pixel", 3)
    cluster.send("acme-ttd", 1)
    found = look(forwarder, config)
    waiting = {row["account"]: row["waiting"] for row in found["accounts"]}
    assert waiting == {"acme-pixel": 0, "acme-ttd": 2, "acme-thrad": 3}
    assert account(found, "acme-pixel")["oldest_waiting_seconds"] is None
    ttd = account(found, "acme-ttd")
    assert 0 <= ttd["oldest_waiting_seconds"] < 60
    assert 86_000 < ttd["seconds_to_expiry"] < 86_400
    assert ttd["condition"] == "no sender"
    told = forwarder("status", config).out.splitlines()[0]
    assert told == "2 accounts with events, but without a sender. 1 account idle."
    assert found["events"] == {"waiting": 1, "routers": []}


def test_why_it_waits_is_read_from_the_commit(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    publish_and_route(cluster, 2)
    now = time.time()
    state = KeptState("open", "misconfigured", "40105", now - 60, now + 30, 30.0)
    cluster.send("acme-pixel", 0, encode(state))
    cluster.send("acme-ttd", 0, encode(KeptState(not_before=now + 120, throttles=2)))
    found = look(forwarder, config)
    pixel = account(found, "acme-pixel")
    assert (pixel["condition"], pixel["breaker"]["state"]) == ("breaker open", "open")
    assert (pixel["breaker"]["reason"], pixel["breaker"]["code"]) == ("misconfigured", "40105")
    assert pixel["breaker"]["until"] is not None
    ttd = account(found, "acme-ttd")
    assert (ttd["condition"], ttd["breaker"]["state"]) == ("throttled", "closed")
    assert ttd["not_before"] is not None
    ended = forwarder("status", config)
    assert "because misconfigured (code 40105), next probe in" in ended.out
    assert "the vendor asked for it" in ended.out


def test_a_paused_account_and_one_near_its_end(
    forwarder: Run, settings: Path, config: str, cluster: Cluster
) -> None:
    text = settings.read_text().replace("acme-pixel:\n", "acme-pixel:\n    state: paused\n")
    settings.write_text(text)
    cluster.publish(0, event_time=time.time() - 23.5 * 3600)
    cluster.route(0)
    found = look(forwarder, config)
    assert account(found, "acme-pixel")["condition"] == "paused"
    assert account(found, "acme-ttd")["condition"] == "expiring"


def test_a_lane_whose_offsets_are_lost(forwarder: Run, config: str, cluster: Cluster) -> None:
    publish_and_route(cluster, 1)
    (record,) = cluster.kafka.records(queue("acme-ttd").topic)
    old = replace(record, timestamp=record.timestamp - 2 * 3600 * 1000)
    cluster.kafka.log.partition(queue("acme-ttd")).records[:] = [old]
    found = account(look(forwarder, config), "acme-ttd")
    assert (found["condition"], found["breaker"]["reason"]) == ("breaker open", "no_offset")
    assert "its offsets are lost: set kafka.start_from" in found["why"]
    assert account(look(forwarder, config), "acme-thrad")["condition"] == "no sender"


def test_a_place_behind_the_end_of_its_log_is_none(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    publish_and_route(cluster, 2)
    cluster.send("acme-ttd", 7)
    cluster.commit("conversion-forwarder", TopicPartition("conversions", 0), 7)
    found = look(forwarder, config)
    assert account(found, "acme-ttd")["waiting"] == 2
    assert found["events"]["waiting"] == 2


def test_retrying_and_dead_letters_of_the_last_hour(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(3):
        cluster.letter(number)
    cluster.letter(3, ago=7200)
    cluster.letter(4, account=None, reason="unrouted")
    at = TopicPartition("conversions.retry.1h", 0)
    progress = Progress("conversions/0/1", account="acme-ttd")
    made = troubled(stored(dead(1)), progress, Trouble("transient", "503"))
    cluster.kafka.put(at, [made, made, made])
    cluster.commit("conversion-forwarder", at, 1)
    found = look(forwarder, config)
    assert account(found, "acme-pixel")["dead_lettered_last_hour"] == 3
    assert account(found, "acme-ttd")["retrying"] == 2
    assert found["dead_lettered_without_account"] == 1
    found = look(forwarder, "--scan", "1", config)
    assert found["complete"] is False
    ended = forwarder("status", "--scan", "1", config)
    assert "at least" in ended.out
    assert "see --scan" in ended.err


def test_queues_without_an_account(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.kafka.add_topic("conversions.queue.acme-old")
    cluster.publish(0)
    cluster.kafka.put(
        TopicPartition("conversions.queue.acme-old", 0), [dead(1)._replace(timestamp=1)]
    )
    found = look(forwarder, config)
    assert found["queues_without_account"] == [
        {"topic": "conversions.queue.acme-old", "waiting": 1}
    ]
    told = "queue without an account: conversions.queue.acme-old, 1 left in it"
    assert told in forwarder("status", config).out


def test_a_queue_of_the_last_account_of_its_destination_is_counted_from_its_place(
    forwarder: Run, settings: Path, config: str, cluster: Cluster
) -> None:
    at = queue("acme-thrad")
    cluster.publish(0)
    cluster.route(0, ["acme-thrad"])
    cluster.send("acme-thrad", 1)
    settings.write_text(settings.read_text().partition("  acme-thrad:")[0])
    found = look(forwarder, config)
    assert found["queues_without_account"] == [{"topic": at.topic, "waiting": 0}]


def test_a_new_account_without_a_queue(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.kafka.delete_topic(queue("acme-ttd").topic)
    found = account(look(forwarder, config), "acme-ttd")
    assert (found["condition"], found["waiting"]) == ("no queue", 0)
    assert found["why"] == "run forwarder topics create"


def test_without_the_events_topic(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.kafka.delete_topic("conversions")
    ended = forwarder("status", config)
    assert ended.code == 1
    assert "no topic conversions" in ended.err
