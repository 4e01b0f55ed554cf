from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forwarder.sandbox.contract import Limit
from forwarder.sandbox.window import SlidingWindow


def test_the_limit_itself_is_allowed_and_one_more_is_not() -> None:
    window = SlidingWindow(Limit(3, 10.0))
    assert [window.arrive(now) for now in (0, 1, 2, 9.5)] == [True, True, True, False]
    assert window.worst == 4


def test_an_arrival_counts_for_exactly_the_length_of_the_window() -> None:
    window = SlidingWindow(Limit(1, 10.0))
    assert window.arrive(0)
    assert not window.arrive(9.999)
    assert not window.arrive(10.0)  # the one at 0 is out, the one at 9.999 is not
    assert window.arrive(20.0)  # both are out: 10.0 is exactly one window old


def test_a_burst_over_the_border_of_fixed_windows_is_seen() -> None:
    window = SlidingWindow(Limit(600, 60.0))
    assert all(window.arrive(59.0) for _ in range(600))
    assert not window.arrive(61.0)
    assert window.worst == 601


def test_refused_arrivals_count_too() -> None:
    window = SlidingWindow(Limit(2, 10.0))
    for now in (0, 1, 2, 11.5):
        allowed = window.arrive(now)
    assert allowed  # only 2 and 11.5 are in the window
    assert not window.arrive(11.6)


def test_room_comes_when_enough_arrivals_are_too_old() -> None:
    window = SlidingWindow(Limit(2, 10.0))
    for now in (0.0, 1.0, 2.5):
        window.arrive(now)
    # at 11.0 only the one at 2.5 is left, so another fits
    assert window.room_in(2.5) == 9
    assert window.room_in(10.9) == 1


def test_waiting_as_long_as_told_is_enough() -> None:
    window = SlidingWindow(Limit(2, 10.0))
    for now in (0.0, 1.0, 2.5):
        window.arrive(now)
    assert window.arrive(2.5 + window.room_in(2.5))


def test_another_limit_counts_what_has_come_and_measures_the_worst_anew() -> None:
    window = SlidingWindow(Limit(5, 10.0))
    for now in (0, 1, 2):
        window.arrive(now)
    window.change(Limit(2, 10.0))
    assert window.worst == 0
    assert not window.arrive(3)
    assert window.worst == 4


@given(
    gaps=st.lists(st.integers(0, 40), max_size=60),
    requests=st.integers(1, 5),
    per=st.integers(1, 50),
)
def test_it_agrees_with_counting_by_hand(gaps: list[int], requests: int, per: int) -> None:
    window = SlidingWindow(Limit(requests, float(per)))
    times: list[int] = []
    now, worst = 0, 0
    for gap in gaps:
        now += gap
        times.append(now)
        inside = sum(now - per < time <= now for time in times)
        worst = max(worst, inside)
        assert window.arrive(now) == (inside <= requests)
    assert window.worst == worst
