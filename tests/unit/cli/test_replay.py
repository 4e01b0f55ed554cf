"""``replay``: what it is asked, what it answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from forwarder.kafka.port import TopicPartition
from forwarder.kafka.records import read_progress
from tests.unit.cli.conftest import Run
from tests.unit.cli.memory import Cluster, cluster, queue
from tests.unit.deadletters.build import DLQ

__all__ = ["cluster"]
DAY = 86_400.0
NAMES = {
    "matched",
    "expired",
    "duplicates_refused",
    "replayed_before",
    "to_send",
    "sent",
    "eta_seconds",
}


@pytest.fixture
def config(settings: Path) -> str:
    return f"--config={settings}"


def told(forwarder: Run, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = forwarder("replay", "--json", *arguments)
    assert ended.code == code, ended.err
    (found,) = ended.json()
    assert isinstance(found, dict)
    return found


def queued(cluster: Cluster) -> dict[str, int]:
    """How many records each account's queue holds, where it holds any."""
    accounts = ("acme-pixel", "acme-ttd", "acme-thrad")
    found = {name: len(cluster.kafka.records(queue(name).topic)) for name in accounts}
    return {name: number for name, number in found.items() if number}


# -- dead letters ---------------------------------------------------------------------------------
def test_a_dry_run_counts_and_writes_nothing(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1)
    cluster.letter(2, event_time=time.time() - 3 * DAY)
    cluster.letter(3, event_time=time.time() - 30 * DAY)
    cluster.letter(4, account=None, reason="invalid_event", value=b"{}", described=False)
    found = told(forwarder, "--dry-run", config)
    assert set(found) >= NAMES
    assert (found["matched"], found["to_send"], found["sent"]) == (4, 1, 0)
    assert (found["expired"], found["duplicates_refused"], found["still_invalid"]) == (1, 1, 1)
    assert found["replayed_before"] == 0
    assert found["eta_seconds"] == 1
    assert found["dry_run"] is True
    assert queued(cluster) == {}
    assert cluster.kafka.records("conversions.replays") == []


def test_a_dry_run_tells_what_would_be_refused_again(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1, page=None, code="local.page_url_missing")
    cluster.letter(2, code="local.page_url_missing")
    cluster.letter(3, page=None, code="40002")
    found = told(forwarder, "--dry-run", config)
    assert (found["to_send"], found["rejected_today"]) == (3, 1)
    ended = forwarder("replay", "--dry-run", config)
    assert "1 would be refused again with today's settings" in ended.err
    assert "nothing was sent; it would take about 1 s" in ended.err
    assert "to_send" in ended.out
    assert "eta_seconds" in ended.out


def test_the_estimate_is_at_the_accounts_budget_or_the_rate(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(20):
        cluster.letter(number, account="acme-thrad", destination="thrad")
    # 1000 an hour, less margin, burst and slots: 0.266 a second, one event each
    assert told(forwarder, "--dry-run", config)["eta_seconds"] == 76
    assert told(forwarder, "--dry-run", "--rate", "0.1", config)["eta_seconds"] == 200
    assert told(forwarder, "--dry-run", "--limit", "10", config)["eta_seconds"] == 38


def test_a_run_sends_once_and_a_second_one_nothing(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(5):
        cluster.letter(number)
    first = told(forwarder, "--run-id", "r1", "--source", "dlq", "--by", "jo", config)
    assert (first["run_id"], first["to_send"], first["sent"]) == ("r1", 5, 5)
    assert queued(cluster) == {"acme-pixel": 5}
    runs = {read_progress(r).run for r in cluster.kafka.records(queue("acme-pixel").topic)}
    assert runs == {"r1"}
    second = told(forwarder, config)
    assert (second["replayed_before"], second["to_send"], second["sent"]) == (5, 0, 0)
    again = told(forwarder, "--again", "--limit", "2", config)
    assert (again["to_send"], again["sent"]) == (2, 2)
    assert queued(cluster) == {"acme-pixel": 7}
    group = cluster.kafka.group("conversion-forwarder.replay.r1").committed
    assert {at: place.offset for at, place in group.items()} == {
        TopicPartition(DLQ, 0): 3,
        TopicPartition(DLQ, 1): 2,
    }


def test_a_run_that_has_finished_is_not_run_again(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1)
    told(forwarder, "--run-id", "r1", "--source", "dlq", config)
    found = told(forwarder, "--run-id", "r1", config)
    assert (found["to_send"], found["sent"]) == (1, 1)
    ended = forwarder("replay", "--run-id", "r1", config)
    assert "run r1 has finished: nothing is left to send" in ended.err
    assert queued(cluster) == {"acme-pixel": 1}


def test_filters_choose_what_is_sent(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1)
    cluster.letter(2, account="acme-ttd", destination="tradedesk")
    cluster.letter(3, account="acme-thrad", destination="thrad", reason="exhausted", code="503")
    assert told(forwarder, "--destination", "tradedesk", config)["sent"] == 1
    assert queued(cluster) == {"acme-ttd": 1}
    assert told(forwarder, "--event-id", "e3", "--reason", "exhausted", config)["sent"] == 1
    assert queued(cluster) == {"acme-ttd": 1, "acme-thrad": 1}


def test_nothing_that_matches_ends_with_3(forwarder: Run, config: str, cluster: Cluster) -> None:
    for arguments in (["--dry-run"], []):
        ended = forwarder("replay", "--code", "x", *arguments, config)
        assert ended.code == 3
        assert "nothing matches" in ended.err


# -- events ---------------------------------------------------------------------------------------
def test_a_new_account_is_filled_from_the_events(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(6):
        cluster.publish(number, event_time=time.time() - 600 * number)
    cluster.commit("conversion-forwarder", TopicPartition("conversions", 0), 5)
    arguments = ["--source", "events", "--account", "acme-pixel", "--event-since", "35m", config]
    assert told(forwarder, "--dry-run", *arguments)["to_send"] == 4
    found = told(forwarder, *arguments)
    assert (found["matched"], found["sent"]) == (4, 4)
    origins = [read_progress(r).origin for r in cluster.kafka.records(queue("acme-pixel").topic)]
    assert sorted(origins) == [f"conversions/0/{offset}" for offset in range(4)]
    again = told(forwarder, *arguments)
    assert (again["replayed_before"], again["sent"]) == (4, 0)


def test_events_that_no_router_has_read_are_left_to_the_router(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(3):
        cluster.publish(number)
    cluster.commit("conversion-forwarder", TopicPartition("conversions", 0), 1)
    arguments = ["--source=events", "--account=acme-pixel", "--event-since=1h", config]
    assert told(forwarder, *arguments)["sent"] == 1


def test_a_vendor_that_would_count_twice_gets_only_what_is_new(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(3):
        cluster.publish(number)
    cluster.route(0)
    cluster.commit("conversion-forwarder", TopicPartition("conversions", 0), 3)
    arguments = ["--source=events", "--account=acme-ttd", "--event-since=1h", config]
    found = told(forwarder, *arguments)
    assert (found["duplicates_refused"], found["sent"]) == (1, 2)
    found = told(forwarder, "--allow-duplicates", *arguments)
    assert (found["replayed_before"], found["sent"]) == (2, 1)


def test_the_same_for_an_account_whose_repeats_may_count(
    forwarder: Run, settings: Path, config: str, cluster: Cluster
) -> None:
    """Apps: that repeats are dropped is documented for all other sources."""
    text = settings.read_text()
    arguments = ["--source=events", "--account=acme-pixel", "--event-since=1h", config]
    more = {"action_source": "app", "app": {"app_id": "a1"}}
    for number in range(3):
        cluster.publish(number, **more)
    cluster.route(0, ["acme-pixel"])
    cluster.commit("conversion-forwarder", TopicPartition("conversions", 0), 3)
    source = "event_source_id: C4ABCDEFGHIJ\n    event_source: app\n"
    settings.write_text(text.replace("event_source_id: C4ABCDEFGHIJ\n", source))
    found = told(forwarder, "--dry-run", *arguments)
    assert (found["duplicates_refused"], found["to_send"]) == (1, 2)


# -- runs -----------------------------------------------------------------------------------------
def test_runs_are_listed_with_who_what_and_how_many(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    ended = forwarder("replay", "ls", config)
    assert (ended.code, ended.err) == (0, "nothing was ever replayed or purged\n")
    cluster.letter(1)
    filters = ["--account", "acme-pixel", "--again"]
    told(forwarder, "--run-id", "r1", "--by", "jo", *filters, config)
    (row,) = forwarder("replay", "ls", "--json", config).json()
    assert (row["run"], row["state"], row["by"], row["sent"]) == ("r1", "finished", "jo", 1)
    assert row["filter"] == "--account acme-pixel --again"
    assert row["started_at"] <= row["ended_at"]
    assert "--account acme-pixel --again" in forwarder("replay", "ls", config).out


def test_only_what_runs_can_be_stopped(forwarder: Run, config: str, cluster: Cluster) -> None:
    ended = forwarder("replay", "stop", "r1", config)
    assert (ended.code, "there is no run r1" in ended.err) == (2, True)
    cluster.letter(1)
    told(forwarder, "--run-id", "r1", "--source", "dlq", config)
    ended = forwarder("replay", "stop", "r1", config)
    assert (ended.code, "does not run: it is finished" in ended.err) == (2, True)


# -- wrong use ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--account", "acme-pixl"], "no account is called acme-pixl"),
        (["--event-since=1h", "--event-until=2h"], "is not before --event-until"),
        (["--run-id", "typo"], "there is no run typo"),
        (["--run-id", "a/b"], "is made of up to 64 of the characters"),
        (["--source=events", "--event-since=1h"], "source events needs exactly one account"),
        (["--source=events", "--account=acme-ttd"], "--event-since: source events needs it"),
        (
            ["--source=events", "--account=acme-ttd", "--event-since=1h", "--reason=rejected"],
            "--reason: is about dead letters",
        ),
        (["--share", "2"], "less than or equal to 1"),
        (["--source", "queue"], "--source"),
    ],
)
def test_wrong_use_is_told(
    forwarder: Run, config: str, cluster: Cluster, arguments: list[str], rule: str
) -> None:
    ended = forwarder("replay", *arguments, config)
    assert ended.code == 2
    assert rule in ended.err


def test_a_paused_account_is_refused(
    forwarder: Run, settings: Path, config: str, cluster: Cluster
) -> None:
    text = settings.read_text()
    settings.write_text(text.replace("acme-pixel:\n", "acme-pixel:\n    state: paused\n"))
    cluster.letter(1)
    ended = forwarder("replay", "--account", "acme-pixel", config)
    assert ended.code == 2
    assert "acme-pixel is paused: what joins its queue is not sent" in ended.err
    found = told(forwarder, config)
    assert (found["paused"], found["to_send"]) == (1, 0)
    settings.write_text(text.replace("acme-pixel:\n", "acme-pixel:\n    state: draining\n"))
    arguments = ["--source=events", "--account=acme-pixel", "--event-since=1h"]
    ended = forwarder("replay", *arguments, config)
    assert (ended.code, "acme-pixel is draining" in ended.err) == (2, True)


def test_a_run_goes_on_as_it_was_started(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1)
    told(forwarder, "--run-id", "r1", "--account", "acme-pixel", "--failed-since", "2h", config)
    for arguments, option in (
        (["--account", "acme-ttd"], "--account"),
        (["--reason", "rejected"], "--reason"),
        (["--event-since", "1h"], "--event-since"),
        (["--again"], "--again"),
        (["--max-replays", "9"], "--max-replays"),
    ):
        ended = forwarder("replay", "--run-id", "r1", *arguments, config)
        assert ended.code == 2, arguments
        assert f"{option}: is not what run r1 was started with" in ended.err
    same = ["--run-id", "r1", "--account", "acme-pixel", "--failed-since", "1h", "--source", "dlq"]
    assert forwarder("replay", *same, config).code == 0


@pytest.mark.parametrize("topic", [DLQ, "conversions.replays", "conversions.queue.acme-ttd"])
def test_missing_topics_and_rights(
    forwarder: Run, config: str, cluster: Cluster, topic: str
) -> None:
    cluster.letter(1)
    cluster.kafka.refuse(topic)
    for command in (["replay"], ["replay", "--dry-run"]):
        ended = forwarder(*command, config)
        assert ended.code == 1
        assert topic in ended.err
        assert "grant this principal access" in ended.err
