"""A set of places that is right, and small."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.deadletters.marks import PAGE, Marks, Place, place

OFFSETS = st.integers(0, 3 * PAGE) | st.integers(0, 1 << 60)
PLACES = st.builds(Place, st.sampled_from(["a", "b"]), st.integers(0, 2), OFFSETS)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), PLACES)), st.tuples(st.just("x"), PLACES))
def test_it_is_a_set(added: list[tuple[str, Place]], asked: tuple[str, Place]) -> None:
    marks, known = Marks(), set[tuple[str, Place]]()
    for one in added:
        assert marks.add(*one) is (one not in known)
        known.add(one)
    assert len(marks) == len(known)
    assert marks.has(*asked) is (asked in known)
    assert all(marks.has(*one) for one in known)


def test_millions_fit() -> None:
    marks = Marks()
    for offset in range(1_000_000):
        marks.add("acme-pixel", Place("conversions.dlq", 0, offset))
    size = sum(sys.getsizeof(k) + sys.getsizeof(v) for k, v in marks._pages.items())
    assert size < 500_000


@pytest.mark.parametrize("text", ["", "a", "a/1", "a/1/2/3", "a/x/2", "a/1/-2", f"a/1/{'9' * 20}"])
def test_what_is_no_place(text: str) -> None:
    assert place(text) is None


def test_a_place_is_written_as_it_is_read() -> None:
    assert str(place("conversions.dlq/3/17")) == "conversions.dlq/3/17"
