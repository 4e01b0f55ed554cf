"""``preview``: one JSON line for each (event, account), and nothing that should stay hidden."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import SECRETS, Run, event, jsonl


@pytest.fixture
def previewed(forwarder: Run, settings: Path) -> Any:
    def run(*events: object, reveal: bool = False) -> list[dict[str, Any]]:
        flags = ["--reveal"] if reveal else []
        ended = forwarder("preview", "--config", str(settings), *flags, stdin=jsonl(*events))
        assert ended.code == 0, ended.err
        return ended.json()

    return run


def test_every_account_gets_its_own_request(previewed: Any) -> None:
    pixel, ttd, thrad = previewed(event(), reveal=True)
    assert pixel == {
        "event_id": "e1",
        "account": "acme-pixel",
        "destination": "tiktok",
        "outcome": "request",
        "reason": None,
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1:1/tiktok/open_api/v1.3/event/track/",
            "headers": {"Access-Token": "***", "Content-Type": "application/json"},
            "body": {
                "event_source": "web",
                "event_source_id": "C4ABCDEFGHIJ",
                "data": [
                    {
                        "event": "Purchase",
                        "event_time": 1769817600,
                        "event_id": "e1",
                        "user": {"email": sha256(b"jane@example.com").hexdigest()},
                        "page": {"url": "https://shop.example/thanks?thrad_click_id=click-1"},
                        "properties": {"currency": "USD", "value": 19.9},
                    }
                ],
            },
        },
    }
    assert ttd["request"]["headers"] == {
        "Content-Type": "application/json",
        "TtdSignature": "***",
        "TtdSignature-dp": "***",
    }
    assert ttd["request"]["body"]["data"][0]["adid"] == "12345678-1234-1234-1234-123456789012"
    assert thrad["request"]["headers"]["Authorization"] == "Bearer ***"
    assert len(thrad["request"]["headers"]["Idempotency-Key"]) == 32
    assert thrad["request"]["body"]["click_id"] == "click-1"


def test_payload_and_identifiers_are_masked(previewed: Any) -> None:
    shown = previewed(event(user={"email": "jane@example.com", "tdid": "1234" * 9}))
    text = repr(shown)
    for hidden in (
        "jane",
        "8c87b489",
        "1234",
        "shop.example",
        "click-1",
        "19.9",
        *SECRETS.values(),
    ):
        assert hidden not in text, hidden
    body = shown[0]["request"]["body"]
    assert body["data"][0]["user"] == {"email": "***"}
    assert shown[2]["request"]["headers"]["Idempotency-Key"] == "***"


def test_no_secret_is_needed_nor_shown(previewed: Any, settings: Path) -> None:
    assert not any(secret in repr(previewed(event(), reveal=True)) for secret in SECRETS.values())
    before = previewed(event(), reveal=True)
    for name in SECRETS:
        (settings.parent / "secrets" / name).unlink()
    assert previewed(event(), reveal=True) == before


def test_skipped_and_rejected_say_why(previewed: Any) -> None:
    pixel, ttd, thrad = previewed(event(page={}, event_name="add_to_cart"))
    assert (pixel["outcome"], pixel["reason"]) == ("rejected", "page_url_missing")
    assert pixel["request"] is None
    assert ttd["outcome"] == "request"
    assert (thrad["outcome"], thrad["reason"]) == ("skipped", "unmapped_event")
    assert thrad["request"] is None


def test_an_event_that_nobody_takes_is_unrouted(previewed: Any) -> None:
    assert previewed(event(advertiser="other", currency="USD")) == [
        {"event_id": "e1", "outcome": "unrouted"}
    ]


def test_unrouted_events_name_their_advertisers_once(forwarder: Run, settings: Path) -> None:
    lines = jsonl(*[event(advertiser=f"o\x1b[1m{n % 7}", currency="USD") for n in range(8)])
    ended = forwarder("preview", "--config", str(settings), stdin=lines)
    assert ended.code == 0
    first, *_, last = told = ended.err.splitlines()
    assert first == 'no account lists the advertiser "o\\u001b[1m0": 2 events'
    assert last == "    accounts list: acme"
    assert len(told) == 6


@pytest.mark.parametrize("destinations", [[], ["nobody"]])
def test_an_event_for_no_destination_is_skipped_by_each_account(
    previewed: Any, destinations: list[str]
) -> None:
    shown = previewed(event(destinations=destinations))
    assert [(one["account"], one["outcome"], one["reason"]) for one in shown] == [
        (name, "skipped", "not_targeted") for name in ("acme-pixel", "acme-ttd", "acme-thrad")
    ]


def test_a_targeted_event_keeps_the_order_of_the_accounts(previewed: Any) -> None:
    shown = previewed(event(destinations=["tradedesk"]))
    assert [(one["account"], one["outcome"]) for one in shown] == [
        ("acme-pixel", "skipped"),
        ("acme-ttd", "request"),
        ("acme-thrad", "skipped"),
    ]


def test_an_invalid_line_is_told_and_the_others_go_on(forwarder: Run, settings: Path) -> None:
    lines = b"nonsense\n" + jsonl(event(value=-1), event(advertiser="other", currency="USD"))
    ended = forwarder("preview", "--config", str(settings), stdin=lines)
    assert ended.code == 3
    first, second, third = ended.json()
    assert (first["line"], first["outcome"]) == (1, "invalid")
    assert second["line"] == 2
    assert [e["path"] for e in second["errors"]] == ["value"]
    assert third["outcome"] == "unrouted"
    assert ended.err.endswith("2 of 3 lines are no events\n")


def test_age_is_not_judged(previewed: Any) -> None:
    shown = previewed(event(event_time="2011-01-01T00:00:00Z"))
    assert [one["outcome"] for one in shown] == ["request"] * 3


def test_a_draining_account_is_not_routed_to(previewed: Any, settings: Path) -> None:
    text = settings.read_text().replace(
        "event_source_id: C4ABCDEFGHIJ", "event_source_id: C4ABCDEFGHIJ\n    state: draining"
    )
    settings.write_text(text)
    assert [one["account"] for one in previewed(event())] == ["acme-ttd", "acme-thrad"]
