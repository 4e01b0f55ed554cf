"""A dead letter is found by its headers, though its event is invalid."""

from __future__ import annotations

import json

import pytest

from forwarder.event import InvalidEvent, Peeked, peek
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.plan import Plan, Planner
from forwarder.routing import Route

AT = 1_780_000_000.0


def invalid(*_: object, **__: object) -> None:
    raise InvalidEvent("invalid_event", [])


@pytest.mark.parametrize(
    "value", [None, b"", b"\0\0\0\0\1", b"no json", b"[1]", b'"text"', b" " * (1 << 20) + b"{}"]
)
def test_nothing_is_told_of_what_cannot_be_read(value: bytes | None) -> None:
    assert peek(value) == Peeked()


def test_each_field_is_read_by_itself() -> None:
    body = {"event_id": 7, "event_name": ["x"], "event_time": AT, "advertiser": "a" * 129}
    assert peek(json.dumps(body).encode()) == Peeked(event_id="7", event_time=AT)
    framed = b"\0\0\0\0\1" + json.dumps({"order_id": " o1 ", "event_time": "x"}).encode()
    assert peek(framed) == Peeked(order_id="o1")


@pytest.mark.parametrize("at", [0, 1e300, 99_999_999_999_999_999_999, True])
def test_a_time_that_no_header_could_hold_is_left_out(at: object) -> None:
    assert peek(json.dumps({"event_time": at}).encode()).event_time is None


def test_the_dead_letter_of_an_invalid_event_names_what_could_be_read() -> None:
    value = json.dumps({"event_id": "e1", "advertiser": "acme", "value": -1}).encode()
    record = MemoryRecord("events", 0, 5, 1, b"k", value, ())
    planner = Planner({}, lambda _: Route(), invalid, unrouted_dies=True)  # type: ignore[arg-type]
    plan = Plan()
    planner.events([record], AT, plan)
    headers = dict(plan.dead[0].headers)
    assert headers["forwarder-event-id"] == b"e1"
    assert headers["forwarder-advertiser"] == b"acme"
    assert "forwarder-event-name" not in headers
