"""What a lane leaves to its next owner, and garbage in its place."""

from __future__ import annotations

import json

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
        assert back.throttles == state.throttles


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["v", "breaker", "reason", "code", "since", "until", "pause", "rejected", "not_before"]
)


@settings(deadline=None)
@given(st.text() | st.dictionaries(FIELDS, JSON).map(json.dumps))
def test_whatever_stands_there_it_is_a_state(text: str) -> None:
    _usable(decode(text))


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON))
def test_a_state_with_wrong_fields_is_one_too(fields: dict[str, object]) -> None:
    _usable(decode(json.dumps(fields | {"v": 1, "breaker": "open"})))


def _usable(state: KeptState) -> None:
    breaker = Breaker(state, START, lambda _: None)
    assert breaker.until <= START + 300
    assert breaker.since <= START
    throttle = Throttle(state.not_before, state.throttles, START)
    assert throttle.not_before is None or START < throttle.not_before <= START + 86_400
    assert len(encode(breaker.kept(throttle.not_before, throttle.in_a_row)).encode()) <= 512


@pytest.mark.parametrize("text", ["", "{}", "null", '{"v":2,"breaker":"open"}', "\ud800", "[1]"])
def test_what_it_does_not_know_is_closed(text: str) -> None:
    assert decode(text) == KeptState()


def test_a_probe_under_way_is_forgotten_with_its_owner() -> None:
    breaker = Breaker(KeptState(), START, lambda _: None)
    breaker.open(START, "misconfigured", "401", "")
    breaker.probe_sent()
    assert decode(encode(breaker.kept(None, 0))).breaker == "open"
