"""Copies that a crashed router wrote, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.lane.origins import Origins
from tests.unit.lane.fakes import START

OFFSETS = st.lists(st.integers(0, 60), max_size=120)


@settings(deadline=None)
@given(OFFSETS, st.floats(0, 2))
def test_exactly_what_was_seen_is_seen_again(offsets: list[int], pace: float) -> None:
    origins, known, written = Origins(START), set[int](), dict[int, float]()
    for step, offset in enumerate(offsets):
        now, origin = START + step * pace, f"conversions/{offset % 3}/{offset}"
        assert origins.seen(origin, written.setdefault(offset, now), now) == (offset in known)
        known.add(offset)


def test_neighbours_cost_one_interval() -> None:
    origins = Origins(START)
    for offset in range(50_000):
        assert not origins.seen(f"conversions/0/{offset}", START, START + offset / 10_000)
    assert len(origins) == 1
    for offset in range(0, 50_000, 777):
        assert origins.seen(f"conversions/0/{offset}", START, START + 6)


def test_an_offset_between_two_that_were_seen_is_none() -> None:
    origins = Origins(START)
    assert not origins.seen("conversions/0/5", START, START)
    assert not origins.seen("conversions/0/7", START, START)
    assert not origins.seen("conversions/0/6", START, START)
    assert not origins.seen("conversions/1/5", START, START)
    assert not origins.seen("conversions/0/5/5", START, START)
    assert origins.seen("conversions/0/6", START, START)


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    origins = Origins(START)
    for offset in range(10):
        assert not origins.seen(f"conversions/0/{offset}", START + offset, START + 20)
    for offset in range(10):
        assert not origins.seen(f"conversions/0/{offset}", START + 60 + offset, START + 80)
    assert origins.seen("conversions/0/5", START + 65, START + 90), "it is a copy now"
    assert len(origins) == 1


def test_it_forgets_after_minutes_of_both_clocks() -> None:
    origins = Origins(START)
    origins.seen("conversions/0/5", START, START)
    assert origins.seen("conversions/0/5", START, START + 3600), "the queue stood still"
    origins.seen("conversions/0/1000", START + 3600, START + 3601)
    assert origins.seen("conversions/0/1000", START + 3600, START + 3602)
    assert not origins.seen("conversions/0/5", START + 4000, START + 4000)


def test_a_timestamp_from_the_future_makes_it_forget_nothing() -> None:
    origins = Origins(START)
    origins.seen("conversions/0/5", START, START)
    origins.seen("conversions/0/9", START + 1e9, START + 40)
    assert origins.seen("conversions/0/5", START, START + 80)


def test_it_is_bounded() -> None:
    origins = Origins(START, limit=1000)
    for offset in range(0, 20_000, 2):
        origins.seen(f"conversions/0/{offset}", START, START + offset / 1000)
        assert len(origins) <= 1000
    assert origins.seen("conversions/0/19998", START, START + 20)


def test_it_is_bounded_even_when_all_came_at_once() -> None:
    origins = Origins(START, limit=100)
    for offset in range(0, 1000, 2):
        origins.seen(f"conversions/0/{offset}", START, START)
        assert len(origins) <= 100


@pytest.mark.parametrize(
    "origin", ["", "x", "conversions/0/", "conversions/0/-1", "a/b/" + "9" * 99]
)
def test_what_is_no_origin_was_never_seen(origin: str) -> None:
    origins = Origins(START)
    assert not origins.seen(origin, START, START)
    assert not origins.seen(origin, START, START)
