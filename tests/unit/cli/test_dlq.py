"""``dlq``: what failed, and why."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import dlq_purge
from forwarder.kafka.port import Outgoing, TopicPartition
from tests.unit.cli.conftest import Run
from tests.unit.cli.memory import Cluster, cluster
from tests.unit.deadletters.build import DLQ, event

__all__ = ["cluster"]
DAY = 86_400.0


@pytest.fixture
def config(settings: Path) -> str:
    return f"--config={settings}"


# -- stats ----------------------------------------------------------------------------------------
def test_stats_count_by_account_reason_code_and_hour(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(3):
        cluster.letter(number)
    cluster.letter(3, account=None, reason="unrouted", code="local.unrouted", ago=7200)
    ended = forwarder("dlq", "stats", config)
    assert ended.code == 0
    assert "4 dead letters" in ended.out
    first = next(line for line in ended.out.splitlines() if "acme-pixel" in line)
    assert first.split()[:4] == ["3", "acme-pixel", "rejected", "40002"]
    assert "By hour" in ended.out
    assert "4 read" in ended.err
    (told,) = forwarder("dlq", "stats", "--json", config).json()
    assert told["total"] == told["scanned"] == 4
    assert told["by_reason"] == {"rejected": 3, "unrouted": 1}
    assert sum(told["by_hour"].values()) == 4
    assert told["records_per_second"] > 0


def test_no_match_ends_with_3(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1)
    for command in ("stats", "ls", "show", "export"):
        ended = forwarder("dlq", command, "--code", "nope", config)
        assert (command, ended.code) == (command, 3)
    assert "no dead letter matches" in forwarder("dlq", "stats", "--code", "nope", config).err


def test_stats_narrow_by_time(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1, ago=3 * DAY)
    cluster.letter(2, ago=60)
    (told,) = forwarder("dlq", "stats", "--failed-since", "2h", "--json", config).json()
    assert told["total"] == 1
    (told,) = forwarder("dlq", "stats", "--failed-until", "2h", "--json", config).json()
    assert told["total"] == 1


# -- ls -------------------------------------------------------------------------------------------
def test_ls_lists_them_oldest_first(forwarder: Run, config: str, cluster: Cluster) -> None:
    for number in range(4):
        cluster.letter(number, ago=60 + number)
    ended = forwarder("dlq", "ls", config)
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["1/1", "0/1", "1/0", "0/0"]
    assert rows[0][2:7] == ["acme-pixel", "rejected", "40002", "purchase", "e3"]
    told = forwarder("dlq", "ls", "--json", config).json()
    assert sorted(row["event_id"] for row in told) == ["e0", "e1", "e2", "e3"]


def test_ls_says_when_there_is_more(forwarder: Run, config: str, cluster: Cluster) -> None:
    for number in range(60):
        cluster.letter(number)
    ended = forwarder("dlq", "ls", config)
    assert len(ended.out.splitlines()) == 52
    assert "the first 50; there are more" in ended.err
    assert len(forwarder("dlq", "ls", "--limit", "60", config).out.splitlines()) == 62
    assert len(forwarder("dlq", "ls", "--json", config).json()) == 60


def test_identifiers_are_masked_unless_revealed(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1)
    (told,) = forwarder("dlq", "ls", "--json", config).json()
    assert told["order_id"] == "***"
    (told,) = forwarder("dlq", "ls", "--json", "--reveal", config).json()
    assert told["order_id"] == "o1"


# -- show -----------------------------------------------------------------------------------------
def test_show_tells_the_event_and_what_would_be_sent_now(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1)
    cluster.letter(2, account="acme-ttd", destination="tradedesk")
    (told,) = forwarder("dlq", "show", "1/0", "--json", config).json()
    assert told["headers"]["forwarder-reason"] == "rejected"
    assert told["event"]["event_id"] == "e1"
    assert told["event"]["user"]["email"] == "***"
    (now,) = told["now"]
    assert (now["account"], now["outcome"]) == ("acme-pixel", "request")
    assert now["request"]["headers"]["Access-Token"] == "***"
    ended = forwarder("dlq", "show", f"{DLQ}/1/0", config)
    assert "forwarder-code: 40002" in ended.out
    assert "now: acme-pixel: would be sent" in ended.out
    assert "user1@example.com" not in ended.out


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("field", ["event_time", "schema_version", "action_source"])
def test_what_stands_in_a_wrong_place_is_masked(
    forwarder: Run, config: str, cluster: Cluster, command: str, field: str
) -> None:
    body = event(1, **{field: "leak@secret.example"})
    cluster.letter(1, reason="invalid_event", account=None, value=json.dumps(body).encode())
    ended = forwarder("dlq", command, config)
    assert ended.code == 0
    assert "e1" in ended.out
    assert "leak@" not in ended.out


def test_a_version_that_is_not_supported_is_shown(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    body = event(1, schema_version="2.1")
    cluster.letter(1, reason="unsupported_version", account=None, value=json.dumps(body).encode())
    assert '"schema_version":"2.1"' in forwarder("dlq", "show", config).out


def test_numbers_that_json_has_no_end_for_are_shown(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    value = b'{"event_id": 100000000000000000000001, "value": NaN}'
    cluster.letter(1, reason="invalid_event", account=None, value=value)
    for arguments in ((), ("--json",), ("--reveal",)):
        ended = forwarder("dlq", "show", *arguments, config)
        assert (ended.code, "100000000000000000000001" in ended.out) == (0, True)


def test_headers_without_a_value_say_nothing(forwarder: Run, config: str, cluster: Cluster) -> None:
    empty = [("trace", None), ("forwarder-reason", None), ("forwarder-origin", b"conversions/0/1")]
    cluster.kafka.put(TopicPartition(DLQ, 0), [Outgoing(b"k", b"{}", empty)])
    (told,) = forwarder("dlq", "ls", "--json", config).json()
    assert told["reason"] == ""
    assert "forwarder-reason: \n" in forwarder("dlq", "show", "0/0", "--reveal", config).out


def test_show_reveals_on_demand_but_never_credentials(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1)
    ended = forwarder("dlq", "show", "e1", "--reveal", config)
    assert "user1@example.com" in ended.out
    assert "forwarder-order-id: o1" in ended.out
    assert "hush" not in ended.out


@pytest.mark.parametrize(
    ("more", "outcome", "reason"),
    [
        ({"page": None}, "rejected", "local.page_url_missing"),
        ({"user": {}}, "skipped", "no_match_key"),
        ({"event_time": time.time() - 40 * DAY}, "expired", "max_event_age"),
        ({"account": "gone"}, "unknown_account", "no such account"),
        ({"account": None, "advertiser": "nobody"}, "unrouted", "no account lists"),
        ({"account": None, "value": b"{}", "described": False}, "invalid", "event_id: is required"),
    ],
)
def test_show_says_why_it_would_not_be_sent(
    forwarder: Run,
    config: str,
    cluster: Cluster,
    more: dict[str, Any],
    outcome: str,
    reason: str,
) -> None:
    cluster.letter(1, **more)
    (told,) = forwarder("dlq", "show", "--json", config).json()
    (now,) = told["now"]
    assert now["outcome"] == outcome
    assert reason in now["reason"]
    assert f"would not be sent: {outcome}" in forwarder("dlq", "show", config).out


def test_what_is_no_json_is_shown_by_its_size(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1, account=None, value=b"secret text", described=False)
    (told,) = forwarder("dlq", "show", "--json", config).json()
    assert told["event"] == "11 bytes, no JSON"
    (told,) = forwarder("dlq", "show", "--json", "--reveal", config).json()
    assert told["event"] == "secret text"


def test_show_stops_after_five(forwarder: Run, config: str, cluster: Cluster) -> None:
    for number in range(7):
        cluster.letter(number)
    ended = forwarder("dlq", "show", "--json", config)
    assert len(ended.json()) == 5
    assert "there are more" in ended.err


# -- export ---------------------------------------------------------------------------------------
def test_export_gives_lines_that_validate_takes(
    forwarder: Run, config: str, cluster: Cluster, home: Path
) -> None:
    cluster.letter(1)
    pretty = json.dumps(event(2, event_time=time.time()), indent=2).replace("\n", "\r\n").encode()
    cluster.letter(2, value=b"\0\0\0\0\7" + pretty)
    path = home / "out.jsonl"
    path.touch(0o644)  # of an earlier export, with a wider mode
    ended = forwarder("dlq", "export", "--out", "out.jsonl", config)
    assert (ended.code, ended.out) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(x)["event_id"] for x in path.read_text().splitlines()] in (
        ["e1", "e2"],
        ["e2", "e1"],
    )
    assert forwarder("validate", "out.jsonl", config).code == 0


def test_export_gives_each_event_once_and_says_what_it_leaves_out(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.letter(1)
    cluster.letter(1, account="acme-ttd", destination="tradedesk")
    cluster.letter(3, account=None, value=b"no json", described=False)
    ended = forwarder("dlq", "export", config)
    assert ended.code == 3
    assert [row["event_id"] for row in ended.json()] == ["e1"]
    assert "1 event exported\n1 dead letter left out" in ended.err


def test_an_export_that_cannot_be_written(forwarder: Run, config: str, cluster: Cluster) -> None:
    ended = forwarder("dlq", "export", "--out", "no/such/dir", config)
    assert ended.code == 2
    assert "--out: no/such/dir cannot be written" in ended.err


# -- purge ----------------------------------------------------------------------------------------
def test_purge_asks_says_how_many_and_leaves_a_record(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    for number in range(4):
        cluster.letter(number, ago=2 * DAY)
    cluster.letter(5, ago=60)
    ended = forwarder("dlq", "purge", "--before", "1d", "--by", "jo", config, stdin=b"y\n")
    assert ended.code == 0
    assert "Delete 4 dead letters written before" in ended.err
    assert "4 dead letters deleted" in ended.err
    assert len(cluster.kafka.records(DLQ)) == 1
    (row,) = forwarder("replay", "ls", "--json", config).json()
    assert (row["source"], row["by"], row["counts"]["purged"]) == ("purge", "jo", 4)


@pytest.mark.parametrize(("answer", "told"), [(b"n\n", "not confirmed"), (b"", "nobody answered")])
def test_without_a_yes_nothing_is_deleted(
    forwarder: Run, config: str, cluster: Cluster, answer: bytes, told: str
) -> None:
    cluster.letter(1, ago=2 * DAY)
    ended = forwarder("dlq", "purge", "--before", "1d", config, stdin=answer)
    assert ended.code == 1
    assert told in ended.err
    assert len(cluster.kafka.records(DLQ)) == 1
    assert forwarder("replay", "ls", "--json", config).out == ""


def test_purge_does_not_ask_when_told(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(1, ago=2 * DAY)
    ended = forwarder("dlq", "purge", "--before", "now", "--yes", "--json", config)
    (told,) = ended.json()
    assert told["purged"] == 1
    ended = forwarder("dlq", "purge", "--before", "now", "--yes", config)
    assert ended.code == 3
    assert "no dead letter was written before" in ended.err


def test_an_operator_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError(4711)

    monkeypatch.setattr("getpass.getuser", nobody)
    assert dlq_purge.who(None) == "unknown"
    assert dlq_purge.who("jo") == "jo"


# -- wrong use ------------------------------------------------------------------------------------
def test_every_mistake_in_filters_is_told_at_once(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    ended = forwarder("dlq", "ls", "--failed-since=soon", "--event-until=x", config)
    assert ended.code == 2
    assert "--failed-since: soon is no time" in ended.err
    assert "--event-until: x is no time" in ended.err
    ended = forwarder(
        "dlq", "ls", "--failed-since=1h", "--failed-until=2h", "--reason=rejectd", config
    )
    assert ended.code == 2
    assert "is not before --failed-until" in ended.err
    assert "no dead letter has the reason rejectd" in ended.err
    assert "did you mean rejected?" in ended.err


def test_an_account_that_is_not_in_the_settings_is_looked_for(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    ended = forwarder("dlq", "ls", "--account", "acme-pixl", config)
    assert ended.code == 2
    assert "did you mean acme-pixel?" in ended.err
    cluster.letter(1, account="acme-old")
    ended = forwarder("dlq", "ls", "--account", "acme-old", "--json", config)
    assert ended.code == 0
    assert [row["account"] for row in ended.json()] == ["acme-old"]


def test_a_missing_topic_and_missing_rights(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.kafka.refuse(DLQ)
    ended = forwarder("dlq", "stats", config)
    assert ended.code == 1
    assert f"the cluster has no topic {DLQ} that this principal can see" in ended.err
    assert "or grant this principal access" in ended.err
    assert forwarder("dlq", "purge", "--before", "1d", "--yes", config).code == 1
    cluster.kafka.delete_topic(DLQ)
    assert forwarder("dlq", "ls", config).code == 1
