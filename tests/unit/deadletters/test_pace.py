"""How fast a queue is fed."""

from __future__ import annotations

from forwarder.deadletters.pace import WAITED_LONG, Pace, Room
from forwarder.lane.state import KeptState, encode


def test_a_queue_is_fed_up_to_one_request() -> None:
    pace = Pace({"a": 50}, 0.0)
    assert pace.allowed("a", 0, 0.0) == 50
    assert pace.allowed("a", 49, 0.0) == 1
    assert pace.allowed("a", 50, 0.0) == 0
    assert pace.allowed("a", 9_000, 0.0) == 0


def test_a_rate_holds_over_all_accounts() -> None:
    pace = Pace({"a": 50, "b": 50}, 0.0, rate=10)
    assert pace.allowed("a", 0, 0.0) == 0
    assert pace.allowed("a", 0, 0.5) == 5
    pace.given("a", 5, 0.5)
    assert pace.allowed("b", 0, 0.5) == 0
    assert pace.allowed("b", 0, 100.0) == 10  # no more than a second's worth at once


def test_a_slow_rate_still_sends_single_records() -> None:
    pace = Pace({"a": 50}, 0.0, rate=0.1)
    sent = 0
    for tenth in range(1001):
        number = pace.allowed("a", 0, tenth / 10)
        pace.given("a", number, tenth / 10)
        sent += number
    assert 9 <= sent <= 10


def test_a_share_is_taken_where_there_is_no_room() -> None:
    pace = Pace({"a": 50}, 0.0, shares={"a": 20.0})
    assert pace.allowed("a", 500, 0.0) == 0
    assert pace.allowed("a", 500, 0.5) == 10
    pace.given("a", 10, 0.5)
    assert pace.allowed("a", 500, 0.5) == 0
    assert pace.allowed("a", 0, 0.5) == 50
    pace.given("a", 50, 0.5)
    assert pace.allowed("a", 500, 1.0) == 10


def test_waiting_long_is_noticed() -> None:
    pace = Pace({"a": 50}, 100.0)
    assert not pace.stuck("a", 100.0 + WAITED_LONG - 0.1)
    assert pace.stuck("a", 100.0 + WAITED_LONG)
    pace.given("a", 1, 120.0)
    assert not pace.stuck("a", 120.0 + WAITED_LONG - 0.1)


def test_why_there_is_no_room() -> None:
    assert Room(500, 900).words() == "500 there"
    kept = encode(KeptState(breaker="open", reason="misconfigured"))
    assert Room(500, 900, kept).words() == "500 there, breaker open (misconfigured)"
