"""What a lane leaves to its next owner, and garbage in its place."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.lane.breaker import Breaker
from forwarder.lane.retry import Throttle
from forwarder.lane.state import KeptState, decode, encode
from tests.unit.lane.fakes import START

TIMES = st.floats(0, 2e9).map(lambda at: round(at, 3))
STATES = st.builds(
    KeptState,
    breaker=st.just("open"),
    reason=st.sampled_from(["transient", "misconfigured", "rejected", "rejected_alike"]),
    code=st.text(max_size=200),
    since=TIMES,
    until=TIMES,
    pause=st.floats(5, 300).map(lambda s: round(s, 3)),
    only_rejected=st.booleans(),
    not_before=st.none() | TIMES,
    wait=st.just(math.inf) | TIMES,
    throttles=st.integers(0, 99),
)


@settings(deadline=None)
@given(STATES)
def test_it_comes_back_as_it_was(state: KeptState) -> None:
    text = encode(state)
    assert len(text.encode()) <= 512
    back = decode(text)
    assert back.code == decode(encode(back)).code
    plain = "".join(c for c in state.code[:64] if c.isascii() and c.isprintable())
    assert len(back.code) <= 64
    if len(plain) == len(state.code) and not set(plain) & set('"\\'):
        assert back.code == state.code
    expected = (state.breaker, state.reason, state.since, state.until, state.pause)
    assert (back.breaker, back.reason, back.since, back.until, back.pause) == expected
    assert back.only_rejected == state.only_rejected
    assert back.not_before == state.not_before
    if state.not_before is not None:
        assert (back.throttles, back.wait) == (state.throttles, state.wait)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["v", "breaker", "reason", "code", "since", "until", "pause", "rejected", "not_before", "wait"]
)


@settings(deadline=None)
@given(st.text() | st.dictionaries(FIELDS, JSON).map(json.dumps))
def test_whatever_stands_there_it_is_a_state(text: str) -> None:
    _usable(decode(text))


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON))
def test_a_state_with_wrong_fields_is_one_too(fields: dict[str, object]) -> None:
    _usable(decode(json.dumps(fields | {"v": 1, "breaker": "open"})))


def test_another_clock_does_not_lengthen_the_wait_that_was_asked_for() -> None:
    hour_ahead = Throttle(KeptState(), START + 3600)
    hour_ahead.throttled(START + 3600, 20.0, 1, newest=1)
    kept = decode(encode(hour_ahead.kept()))
    assert Throttle(kept, START).not_before == START + 20
    assert Throttle(kept, START + 3610).not_before == START + 3620


def test_a_new_owner_goes_on_with_one_request_also_when_the_wait_is_over() -> None:
    old = Throttle(KeptState(), START)
    old.throttled(START, 20.0, 1, newest=1)
    new = Throttle(decode(encode(old.kept())), START + 60)
    assert (new.blocked(START + 60), new.resuming) == (False, True)
    old.passed(2)
    assert not Throttle(decode(encode(old.kept())), START + 60).resuming


def _usable(state: KeptState) -> None:
    breaker = Breaker(state, START, lambda _: None)
    assert breaker.until <= START + 300
    assert breaker.since <= START
    throttle = Throttle(state, START)
    assert throttle.not_before is None or throttle.not_before <= START + 86_400
    assert len(encode(breaker.kept(throttle.kept())).encode()) <= 512


@pytest.mark.parametrize("text", ["", "{}", "null", '{"v":2,"breaker":"open"}', "\ud800", "[1]"])
def test_what_it_does_not_know_is_closed(text: str) -> None:
    assert decode(text) == KeptState()


def test_a_probe_under_way_is_forgotten_with_its_owner() -> None:
    breaker = Breaker(KeptState(), START, lambda _: None)
    breaker.open(START, "misconfigured", "401", "")
    breaker.probe_sent()
    assert decode(encode(breaker.kept(KeptState()))).breaker == "open"
