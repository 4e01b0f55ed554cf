"""The retry policy: total, bounded, and never giving up before attempts and time are used up."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.lane.retry import (
    Again,
    Failed,
    GiveUp,
    Isolate,
    Limits,
    Throttle,
    ToTier,
    after_later,
    after_transient,
    backoff,
)
from forwarder.lane.state import KeptState
from tests.unit.lane.fakes import START

FAILED = st.builds(
    Failed,
    size=st.integers(1, 1000),
    failures=st.integers(1, 10_000),
    attempts=st.integers(0, 1000),
    retries=st.integers(0, 1000),
    first_failed_at=st.floats(START - 1e6, START),
    others_passed=st.booleans(),
    retry_after=st.none() | st.floats(-10, 1e9),
)
LIMITS = st.builds(Limits, attempts=st.integers(1, 50), after=st.floats(0, 1e6))


@settings(deadline=None)
@given(FAILED, LIMITS, st.integers(0, 99))
def test_every_failure_has_one_answer(failed: Failed, limits: Limits, seed: int) -> None:
    decision = after_transient(failed, limits, START, Random(seed))
    match decision:
        case Again(due):
            assert START < due <= START + 900
            assert not failed.others_passed or failed.failures < 3
        case Isolate():
            assert failed.size > 1
            assert failed.others_passed
        case ToTier(tier):
            assert failed.size == 1
            assert tier == min(failed.retries, 2)
            used_up = failed.attempts >= limits.attempts
            assert not used_up or START - failed.first_failed_at < limits.after
        case GiveUp(reason):
            assert reason == "exhausted"
            assert failed.size == 1
            assert failed.attempts >= limits.attempts
            assert START - failed.first_failed_at >= limits.after


@settings(deadline=None)
@given(LIMITS, st.integers(0, 99))
def test_one_that_always_fails_ends(limits: Limits, seed: int) -> None:
    """Rounds of 1m, 10m, 1h, 1h... lead to the end, with every round at most three attempts."""
    now, first = START, START
    waits = [60.0, 600.0, 3600.0]
    attempts = 0
    for retries in range(10_000):
        attempts += 1
        failed = Failed(1, 3, attempts, retries, first, others_passed=True)
        decision = after_transient(failed, limits, now, Random(seed))
        if isinstance(decision, GiveUp):
            break
        assert isinstance(decision, ToTier)
        now += waits[decision.tier]
    else:
        raise AssertionError("never ended")
    assert now - first >= limits.after
    assert attempts >= limits.attempts
    assert now - first <= max(limits.after + 3600, limits.attempts * 3600)


def test_later_has_three_rounds() -> None:
    assert [after_later(n) for n in range(5)] == [
        ToTier(0),
        ToTier(1),
        ToTier(2),
        GiveUp("rejected"),
        GiveUp("rejected"),
    ]


@settings(deadline=None)
@given(st.integers(1, 10_000), st.integers(0, 99))
def test_backoff_grows_to_a_minute(failures: int, seed: int) -> None:
    full = min(60.0, 2.0 ** min(failures - 1, 60))
    assert full / 2 <= backoff(failures, Random(seed)) <= full


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["throttled", "stale", "passed"]),
            st.none() | st.floats(-5, 1e7),
            st.floats(0, 3000),
        ),
        max_size=30,
    )
)
def test_throttling_waits_as_told_or_longer_each_time(
    steps: list[tuple[str, float | None, float]],
) -> None:
    now, number, in_a_row = START, 0, 0
    throttle = Throttle(KeptState(), now)
    for what, retry_after, later in steps:
        number += 1
        if what == "passed":
            throttle.passed(number)
            in_a_row = 0
            assert throttle.not_before is None
        elif what == "throttled":
            in_a_row += 1
            until = throttle.throttled(now, retry_after, number, newest=number + 2)
            assert until == throttle.not_before
            own = min(900.0, 60.0 * 2 ** (in_a_row - 1))
            told = own if retry_after is None else min(max(retry_after, 1.0), 86_400.0)
            assert until == now + told
            number += 2
        else:
            before = throttle.not_before
            told = 0.0 if retry_after is None else now + min(max(retry_after, 1.0), 86_400.0)
            longer = before is not None and told > before
            until = throttle.throttled(now, retry_after, 0, newest=number)
            assert until == (told if longer else None)
            assert throttle.not_before == (told if longer else before)
        now += later
