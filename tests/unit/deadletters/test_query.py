"""Which dead letters a filter means, and filters that can mean none."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from forwarder.deadletters.letter import Letter
from forwarder.deadletters.query import Filters, event_matcher, matcher, problems
from forwarder.event import decode
from tests.unit.deadletters.build import NOW, dead, event, stored

ACCOUNTS = {"acme-pixel": "tiktok", "acme-ttd": "tradedesk"}


def matches(letter: Any, **filters: Any) -> bool:
    return matcher(Filters(**filters))(Letter(stored(letter)))


def test_without_filters_everything_matches() -> None:
    assert matches(dead())
    assert Filters().words() == "everything"


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("account", "acme-pixel", "acme-ttd"),
        ("destination", "tiktok", "thrad"),
        ("reason", "rejected", "expired"),
        ("code", "40002", "4000"),
        ("advertiser", "acme", "acm"),
        ("event_id", "e1", "e2"),
        ("order_id", "o1", "o2"),
        ("event_name", "Order Completed", "add_to_cart"),
    ],
)
def test_each_filter_alone(name: str, right: str, wrong: str) -> None:
    assert matches(dead(), **{name: (right,)})
    assert not matches(dead(), **{name: (wrong,)})
    assert matches(dead(), **{name: (wrong, right)})


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"failed_since": NOW - 60}, True),
        ({"failed_since": NOW - 59}, False),
        ({"failed_until": NOW - 60}, False),
        ({"failed_until": NOW - 59}, True),
        ({"event_since": NOW - 3600, "event_until": NOW - 3599}, True),
        ({"event_since": NOW - 3599}, False),
        ({"event_until": NOW - 3600}, False),
    ],
)
def test_times_are_from_since_until_just_before_until(
    filters: dict[str, float], expected: bool
) -> None:
    assert matches(dead(), **filters) is expected


def test_all_filters_must_hold() -> None:
    assert not matches(dead(), account=("acme-pixel",), reason=("expired",))


def test_the_value_is_read_only_where_headers_do_not_tell() -> None:
    silent = dead(value=json.dumps(event(7)).encode(), described=False)
    assert matches(silent, event_id=("e7",), event_since=NOW - 3601)
    told = dead(value=json.dumps(event(7)).encode())
    assert matches(told, event_id=("e1",))
    assert not matches(told, event_id=("e7",))


def test_a_letter_without_a_time_is_in_no_range_of_event_times() -> None:
    unreadable = dead(value=b"no json", described=False, reason="undecodable", account=None)
    assert not matches(unreadable, event_since=0.0)
    assert matches(unreadable, failed_since=NOW - 60)


def test_an_id_that_was_cut_in_its_header_is_found() -> None:
    order = "ö" * 200
    assert matches(dead(order_id=order), order_id=(order,))


def test_headers_that_say_nonsense_say_nothing() -> None:
    made = dead()
    headers = [
        (name, b"\xff" if name in ("forwarder-last-failed-at", "forwarder-replays") else value)
        for name, value in made.headers
    ]
    letter = Letter(stored(made._replace(headers=headers)))
    assert letter.failed_at == NOW - 60  # the record's own time
    assert letter.replays == 0


def test_filters_survive_the_ledger() -> None:
    filters = Filters(account=("a", "b"), event_since=NOW, limit=5)
    assert Filters.of(orjson.loads(orjson.dumps(filters.told()))) == filters
    assert filters.words() == (
        "--account a --account b --event-since 2026-11-18T11:06:40.000Z --limit 5"
    )


# -- contradictions -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("filters", "place", "rule"),
    [
        ({"failed_since": NOW, "failed_until": NOW - 1}, "--failed-since", "is not before"),
        ({"event_since": NOW, "event_until": NOW}, "--event-since", "is not before --event-until"),
        ({"reason": ("reject",)}, "--reason", "no dead letter has the reason reject"),
        ({"destination": ("tiktk",)}, "--destination", "no account has the destination tiktk"),
        (
            {"account": ("acme-pixel",), "destination": ("tradedesk",)},
            "--destination",
            "acme-pixel has the destination tiktok",
        ),
        ({"account": ("acme-ttd",), "reason": ("unrouted",)}, "--account", "belongs to no account"),
        (
            {"destination": ("tiktok",), "reason": ("unrouted",)},
            "--destination",
            "belongs to no account",
        ),
    ],
)
def test_filters_that_nothing_can_pass(filters: dict[str, Any], place: str, rule: str) -> None:
    (found,) = problems(Filters(**filters), ACCOUNTS)
    assert found.place == place
    assert rule in found.rule
    assert found.fix


def test_filters_that_make_sense_have_no_problem() -> None:
    filters = Filters(account=("acme-pixel",), destination=("tiktok",), reason=("rejected",))
    assert problems(filters, ACCOUNTS) == []


# -- events ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, True),
        ({"event_name": ("CompletePayment",)}, True),
        ({"event_name": ("search",)}, False),
        ({"event_id": ("e1",), "order_id": ("o1",), "advertiser": ("acme",)}, True),
        ({"order_id": ("o2",)}, False),
        ({"event_since": NOW - 3600, "event_until": NOW - 3599}, True),
        ({"event_until": NOW - 3600}, False),
    ],
)
def test_the_filters_that_are_about_events(filters: dict[str, Any], expected: bool) -> None:
    found = decode(json.dumps(event()).encode(), {}, NOW)
    assert event_matcher(Filters(**filters))(found) is expected
