"""``--from``: lines of GA4 and Segment wherever lines of events are taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import publish
from forwarder.kafka.memory import MemoryCluster
from tests.unit.cli.conftest import SETTINGS, Run, Vendor, event, jsonl

TRACK: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "timestamp": "2026-01-31T00:00:00Z",
    "properties": {"revenue": 19.9, "currency": "USD", "order_id": "o1"},
    "context": {
        "page": {"url": "https://shop.example/thanks?thrad_click_id=click-1"},
        "traits": {"email": "jane@example.com"},
    },
}
GA4: dict[str, Any] = {
    "client_id": "c.1",
    "timestamp_micros": 1769817600000000,
    "user_data": {"email_address": "jane@example.com"},
    "events": [
        {
            "name": "purchase",
            "params": {
                "event_id": "g1",
                "page_location": "https://shop.example/thanks",
                "value": 19.9,
                "currency": "USD",
            },
        }
    ],
}
IDENTIFY = {"type": "identify", "userId": "u1", "traits": {"email": "jane@example.com"}}


def ga4(**params: object) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(GA4))
    changed["events"][0]["params"] |= params
    return changed


def twice(given: dict[str, Any]) -> dict[str, Any]:
    both: dict[str, Any] = json.loads(json.dumps({**given, "events": given["events"] * 2}))
    both["events"][1]["params"]["event_id"] = "g2"
    return both


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    made = MemoryCluster(lambda: 0.0)
    made.add_topic("conversions", 1)
    monkeypatch.setattr(publish, "cluster", lambda _: made.client("cli"))
    return made


def topic_format(settings: Path, kind: str) -> None:
    settings.write_text(settings.read_text() + f"kafka: {{events_format: {kind}}}\n")


# -- validate -------------------------------------------------------------------------------------
def test_validate_says_what_has_no_place_once_with_a_count(forwarder: Run) -> None:
    lines = jsonl({**TRACK, "sentAt": "x"}, {**TRACK, "sentAt": "y"}, IDENTIFY)
    ended = forwarder("validate", "--from", "segment", "--advertiser", "acme", stdin=lines)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == (
        "identify calls hold no event: 1 left out\n"
        "sentAt: has no place in the event, left out (2 events)\n"
        "2 events, 0 wrong\n"
    )


def test_validate_needs_no_settings_to_judge_a_payload(forwarder: Run) -> None:
    ended = forwarder("validate", "--from=ga4", stdin=jsonl(GA4))
    assert ended.code == 0
    assert ended.err.startswith("advertiser: ")


def test_validate_names_the_source_field(forwarder: Run) -> None:
    wrong = ga4(currency="EURO", event_id=None)
    ended = forwarder("validate", "--from=ga4", "--advertiser=acme", stdin=jsonl(wrong))
    assert ended.code == 3
    assert [line.split(": ")[1] for line in ended.out.splitlines()] == [
        "events[0].params.event_id",
        "events[0].params.currency",
    ]


def test_validate_strictly_asks_for_a_place_for_every_field(forwarder: Run) -> None:
    given = {**GA4, "user_location": {"city": "Rome"}}
    ended = forwarder(
        "validate", "--strict", "--from=ga4", "--advertiser=acme", "--json", stdin=jsonl(given)
    )
    assert ended.code == 3
    assert ended.json() == [
        {
            "line": 1,
            "outcome": "invalid",
            "errors": [{"path": "user_location.city", "rule": "unknown field"}],
        }
    ]


def test_fields_that_are_dropped_are_told_by_their_source_name(forwarder: Run) -> None:
    given = {**GA4, "user_data": {"email_address": "jane"}}
    ended = forwarder("validate", "--from=ga4", "--advertiser=acme", stdin=jsonl(given))
    assert "line 1: user_data.email_address: not in a form" in ended.err


def test_what_may_be_a_persons_name_is_never_told(forwarder: Run) -> None:
    given = {**GA4, "user_properties": {"jane@example.com": {"value": 1}}}
    ended = forwarder("validate", "--from=ga4", "--advertiser=acme", stdin=jsonl(given))
    assert "jane" not in ended.out + ended.err
    assert "(a field with an unusual name): has no place" in ended.err


def test_a_flood_of_fields_does_not_fill_the_screen(forwarder: Run) -> None:
    given = {**GA4, "user_properties": {f"u{n}": {"value": 1} for n in range(2000)}}
    ended = forwarder("validate", "--from=ga4", "--advertiser=acme", stdin=jsonl(given, given))
    assert len(ended.err.splitlines()) < 600
    assert "(other fields): " in ended.err


@pytest.mark.parametrize("options", [["--advertiser", "acme"], ["--derive-event-id"]])
def test_options_about_payloads_mean_nothing_for_events(forwarder: Run, options: list[str]) -> None:
    ended = forwarder("validate", *options, stdin=jsonl(event()))
    assert ended.code == 2
    assert options[0] in ended.err


def test_an_unknown_format_is_wrong_usage(forwarder: Run) -> None:
    ended = forwarder("validate", "--from", "snowplow", stdin=b"")
    assert ended.code == 2
    assert "ga4" in ended.err


# -- preview --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "payload"), [("ga4", GA4), ("segment", TRACK)])
def test_preview_shows_what_each_account_would_get(
    forwarder: Run, settings: Path, kind: str, payload: dict[str, Any]
) -> None:
    ended = forwarder(
        "preview", f"--from={kind}", f"-c{settings}", "--reveal", stdin=jsonl(payload)
    )
    assert ended.code == 0
    pixel, *_ = ended.json()
    data = pixel["request"]["body"]["data"][0]
    assert (data["event"], data["properties"]["value"]) == ("Purchase", 19.9)
    assert data["event_time"] == 1769817600


def test_a_rejection_names_the_source_field(forwarder: Run, settings: Path) -> None:
    given = ga4(page_location=None)
    ended = forwarder("preview", "--from=ga4", f"-c{settings}", stdin=jsonl(given))
    pixel = ended.json()[0]
    assert (pixel["outcome"], pixel["reason"]) == ("rejected", "page_url_missing")
    assert "events[0].params.page_location" in pixel["message"]


def test_each_event_of_a_payload_is_shown(forwarder: Run, settings: Path) -> None:
    ended = forwarder("preview", "--from=ga4", f"-c{settings}", stdin=jsonl(twice(GA4)))
    assert [one["event_id"] for one in ended.json()] == ["g1"] * 3 + ["g2"] * 3


def test_without_from_lines_are_what_the_topic_holds(forwarder: Run, settings: Path) -> None:
    topic_format(settings, "segment")
    ended = forwarder("preview", f"-c{settings}", stdin=jsonl(TRACK))
    assert ended.json()[0]["event_id"] == "m1"
    native = forwarder("preview", "--from=native", f"-c{settings}", stdin=jsonl(event()))
    assert native.json()[0]["event_id"] == "e1"


def test_of_several_advertisers_one_must_be_named(forwarder: Run, settings: Path) -> None:
    settings.write_text(SETTINGS.replace("[acme]", "[acme, beta]"))
    ended = forwarder("preview", "--from=ga4", f"-c{settings}", stdin=jsonl(GA4))
    assert ended.code == 3
    (error,) = ended.json()[0]["errors"]
    assert error["path"] == "advertiser"
    named = forwarder(
        "preview", "--from=ga4", "--advertiser=beta", f"-c{settings}", stdin=jsonl(GA4)
    )
    assert named.code == 0


def test_an_id_can_be_made_to_try_things_out(forwarder: Run, settings: Path) -> None:
    lines = jsonl(ga4(event_id=None))
    assert forwarder("preview", "--from=ga4", f"-c{settings}", stdin=lines).code == 3
    ended = forwarder("preview", "--from=ga4", "--derive-event-id", f"-c{settings}", stdin=lines)
    assert ended.code == 0
    assert "events[].params.event_id: is missing" in ended.err


# -- send -----------------------------------------------------------------------------------------
def test_send_sends_each_event_of_a_payload(
    forwarder: Run, settings: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = settings.read_text().replace("http://127.0.0.1:1/tiktok", vendor.url)
    settings.write_text(text + "budgets: {}\n")
    monkeypatch.setattr("forwarder.cli.send.pause", lambda *_: 0.0)
    ended = forwarder(
        "send", "--account=acme-pixel", "--from=ga4", f"-c{settings}", stdin=jsonl(twice(GA4))
    )
    assert ended.code == 0, ended.err
    assert [body["data"][0]["event_id"] for _, body in vendor.got] == ["g1", "g2"]


# -- publish --------------------------------------------------------------------------------------
def values(cluster: MemoryCluster) -> list[Any]:
    return [json.loads(record.value or b"") for record in cluster.records("conversions")]


def test_publish_writes_events_of_the_schema(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    lines = jsonl(twice(GA4))
    ended = forwarder("publish", "--from=ga4", f"-c{settings}", stdin=lines)
    assert ended.code == 0
    assert ended.err.startswith("2 events published to conversions\n")
    assert [(one["event_id"], one["advertiser"]) for one in values(cluster)] == [
        ("g1", "acme"),
        ("g2", "acme"),
    ]
    assert [record.key for record in cluster.records("conversions")] == [b"g1", b"g2"]


def test_of_a_payload_what_is_right_is_published(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    given = twice(GA4)
    given["events"][0]["params"]["value"] = -1
    ended = forwarder("publish", "--from=ga4", f"-c{settings}", stdin=jsonl(given))
    assert ended.code == 3
    assert ended.out.startswith("line 1: events[0].params.value: ")
    assert [one["event_id"] for one in values(cluster)] == ["g2"]


def test_publish_without_validation_still_translates(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    wrong = {**TRACK, "timestamp": "today"}
    lines = jsonl(wrong, IDENTIFY) + b"nonsense\n"
    ended = forwarder("publish", "--no-validate", "--from=segment", f"-c{settings}", stdin=lines)
    assert ended.code == 3
    assert ended.out.startswith("line 3: $: must be JSON")
    assert [one["event_time"] for one in values(cluster)] == ["today"]


def test_a_topic_in_the_same_format_gets_the_lines_as_they_are(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    topic_format(settings, "segment")
    ended = forwarder("publish", f"-c{settings}", stdin=jsonl(TRACK))
    assert ended.code == 0
    assert values(cluster) == [TRACK]
    assert cluster.records("conversions")[0].key == b"m1"


def test_such_a_topic_takes_one_event_a_record(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    topic_format(settings, "ga4")
    ended = forwarder("publish", f"-c{settings}", stdin=jsonl(twice(GA4), GA4))
    assert ended.code == 3
    assert ended.out.startswith("line 1: events: holds 2 events")
    assert values(cluster) == [GA4]


def test_a_topic_of_one_tool_takes_no_lines_of_another(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    topic_format(settings, "ga4")
    ended = forwarder("publish", "--from=segment", f"-c{settings}", stdin=jsonl(TRACK))
    assert ended.code == 2
    assert "kafka.events_format" in ended.err
    assert values(cluster) == []
