"""What issue-level requirements ask of one lane, counted at a scripted vendor."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from forwarder.http.port import HttpAnswer
from forwarder.kafka.records import rfc3339
from tests.unit.lane import fakes
from tests.unit.lane.fakes import (
    DELIVERED,
    MISCONFIGURED,
    REJECTED,
    START,
    THROTTLED,
    TRANSIENT,
    Bench,
    Ids,
    account,
    answer,
    lane,
    record,
)


def refuses(bad: set[str]) -> fakes.Vendor:
    return lambda ids, _: REJECTED if bad & set(ids) else DELIVERED


@pytest.mark.parametrize(
    "bad",
    [
        {17, 1017, 2017, 3017, 4999},
        {0, 1, 2, 3, 4},
        {995, 996, 997, 998, 999},
        {4995, 4996, 4997, 4998, 4999},
        {0, 250, 500, 750, 999},
        {10, 510, 3010, 3510, 3760},
        {2497, 2498, 2499, 2500, 2501},
        *({*random.Random(seed).sample(range(5000), 5)} for seed in range(12)),
    ],
    ids=str,
)
def test_five_bad_events_among_five_thousand_are_found(bad: set[int]) -> None:
    names = {f"e{n}" for n in bad}
    bench = Bench(lane(), refuses(names))
    bench.publish(record(n) for n in range(5000))
    bench.run(180, until=Bench.quiet)
    assert bench.dead() == dict.fromkeys(names, "rejected")
    assert set(bench.accepted.values()) == {1}
    assert len(bench.accepted) == 4995
    assert bench.requests < 120
    assert bench.lane.commit_point()[0] == 5000
    assert all(count == 1 for count in bench.settled.values())
    assert len(bench.settled) == 5000


def test_isolation_takes_at_most_a_quarter_of_the_budget() -> None:
    bad = {f"e{n}" for n in range(0, 3000, 60)}
    bench = Bench(lane(), refuses(bad), retries=True)
    bench.publish(record(n) for n in range(3000))
    bench.run(60)
    assert bench.requests <= 3 + 600 / 4
    bench.run(1800, until=Bench.quiet)
    assert set(bench.dead()) == bad
    assert len(bench.accepted) == 3000 - len(bad)
    assert set(bench.accepted.values()) == {1}


@pytest.mark.parametrize("slots", [1, 2, 8, 30])
def test_a_wholly_refused_account_opens_the_breaker_before_anything_is_lost(slots: int) -> None:
    bench = Bench(lane(account(concurrency=slots)), lambda *_: REJECTED, slots=slots)
    bench.publish(record(n) for n in range(5000))
    bench.run(300, until=lambda b: bool(b.alerts))
    assert bench.alerts == [("breaker_opened", "rejected_alike")]
    assert bench.requests < 20
    bench.run(1800)
    assert bench.writes == []
    assert bench.requests < 40


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_one_event_a_request_a_wholly_refused_account_costs_five(slots: int) -> None:
    bench = Bench(lane(account(events=1, concurrency=slots)), lambda *_: REJECTED, slots=slots)
    bench.publish(record(n) for n in range(50))
    bench.run(300, until=lambda b: bool(b.alerts))
    assert bench.alerts == [("breaker_opened", "rejected")]
    assert bench.requests <= 5
    bench.run(1800)
    assert bench.writes == []


def test_every_event_named_by_the_vendor_is_no_better_than_none() -> None:
    def all_named(ids: Ids, _: float) -> object:
        return answer("rejected", code="400", named=dict.fromkeys(range(len(ids)), "Bad"))

    bench = Bench(lane(account(events=500)), all_named)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(2000))
    bench.run(600)
    assert [a for a, _ in bench.alerts] == ["breaker_opened"]
    assert bench.writes == []


def test_first_of_many_named_is_no_better_either() -> None:
    bench = Bench(lane(), lambda *_: answer("rejected", code="40002", named={0: "40002"}))
    bench.publish(record(n) for n in range(5000))
    bench.run(300, until=lambda b: bool(b.alerts))
    assert bench.requests < 20
    assert bench.writes == []


def test_named_events_are_taken_out_and_the_rest_is_sent_again() -> None:
    def vendor(ids: Ids, _: float) -> object:
        found = {i: "Invalid" for i, name in enumerate(ids) if name in ("e3", "e700")}
        return answer("rejected", code="400", named=found) if found else DELIVERED

    bench = Bench(lane(account(events=500)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(1000))
    bench.run(60, until=Bench.quiet)
    assert bench.dead() == {"e3": "rejected", "e700": "rejected"}
    assert {w.code for w in bench.writes} == {"Invalid"}
    assert bench.requests == 4
    assert len(bench.accepted) == 998
    assert set(bench.accepted.values()) == {1}


def test_an_hour_of_a_bad_key_loses_nothing_and_asks_little() -> None:
    good_after: list[float] = []

    def vendor(ids: Ids, now: float) -> object:
        return DELIVERED if good_after else MISCONFIGURED

    bench = Bench(lane(account(events=1, concurrency=1)), vendor, slots=1)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(200))
    bench.run(3600)
    assert sum(probe for _, _, probe in bench.sent) <= 20
    assert bench.requests <= 21
    assert bench.alerts == [("breaker_opened", "misconfigured")]
    assert bench.writes == []
    good_after.append(bench.now)
    bench.rekey(2)
    before = bench.now
    bench.run(1)
    assert bench.sent[-1][0] >= before
    assert len(bench.accepted) > 1
    bench.run(600, until=Bench.quiet)
    assert len(bench.accepted) == 200
    assert bench.writes == []
    assert bench.alerts[1:] == [("breaker_closed", "misconfigured")]


def test_a_late_refusal_of_the_old_key_changes_nothing() -> None:
    one = lane(account(events=1, concurrency=2))
    one.add([record(0), record(1)], START)
    old = one.take(START, fakes.credential(1))
    assert old is not None
    one.credential_changed(2, START + 1)
    one.answered(old, MISCONFIGURED, START + 2)
    assert one.view(START + 2).breaker == "closed"
    again = one.take(START + 2, fakes.credential(2))
    assert again is not None
    assert fakes.ids(again) == ["e0"]


def test_a_key_that_breaks_midway_loses_nothing() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return MISCONFIGURED if now > START + 20 else DELIVERED

    bench = Bench(lane(account(events=10)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(5000))
    bench.run(120)
    delivered = sum(bench.accepted.values())
    assert 1000 < delivered < 5000
    assert bench.writes == []
    assert bench.alerts == [("breaker_opened", "misconfigured")]
    assert bench.lane.view(bench.now).waiting > 0


def test_a_vendor_that_heals_gets_everything_once() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return TRANSIENT if START + 5 < now < START + 905 else DELIVERED

    bench = Bench(lane(account(events=100)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(40_000))
    bench.run(905)
    failed = [s for s in bench.sent if START + 5 < s[0] < START + 905]
    assert len(failed) < 5 + 8 + 12
    bench.run(900, until=Bench.quiet)
    assert len(bench.accepted) == 40_000
    assert set(bench.accepted.values()) == {1}
    assert bench.writes == []
    assert bench.alerts == [("breaker_opened", "transient"), ("breaker_closed", "transient")]


def test_refusals_by_a_vendor_that_heals_are_not_final() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return REJECTED if now < START + 120 else DELIVERED

    bench = Bench(lane(), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(5000))
    bench.run(600, until=Bench.quiet)
    assert len(bench.accepted) == 5000
    assert bench.writes == []


def test_single_mode_after_an_hour_of_refusals_alone() -> None:
    bad = {f"e{n}" for n in range(300)}
    bench = Bench(lane(), refuses(bad | {"e300"}))
    bench.publish(record(n) for n in range(301))
    bench.run(3500)
    assert bench.writes == []
    bench.run(300, until=Bench.quiet)
    single = [s for s in bench.sent if s[0] > START + 3605]
    assert all(len(s[1]) == 1 for s in single)
    assert len(single) <= 9.4 / 4 * 200 + 3
    assert set(bench.dead()) == bad | {"e300"}


def test_single_mode_ends_with_the_first_delivery() -> None:
    bad = {f"e{n}" for n in range(20)}
    bench = Bench(lane(account(events=1)), refuses(bad))
    bench.publish(record(n) for n in range(20))
    bench.run(3700, until=Bench.quiet)
    assert set(bench.dead()) == bad
    bench.publish(record(n) for n in range(20, 400))
    bench.run(120, until=Bench.quiet)
    assert bench.alerts == [("breaker_opened", "rejected"), ("breaker_closed", "rejected")]
    assert len(bench.accepted) == 380


def test_one_bad_event_alone_is_a_dead_letter_at_once() -> None:
    bench = Bench(lane(account(events=1)), lambda *_: REJECTED)
    bench.publish([record(0)])
    bench.run(2)
    assert bench.dead() == {"e0": "rejected"}
    assert bench.requests == 1
    assert bench.alerts == []


def test_an_event_that_always_fails_goes_its_own_way() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return TRANSIENT if "e500" in ids else DELIVERED

    bench = Bench(lane(account(events=100)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(20_000))
    bench.run(300, until=Bench.quiet)
    assert [(w.kind, fakes.event_id(w.delivery), w.tier, w.retries) for w in bench.writes] == [
        ("retry", "e500", 0, 1)
    ]
    assert bench.writes[0].attempts >= 1
    assert len(bench.accepted) == 19_999
    assert bench.alerts == []


def test_it_is_exhausted_once_attempts_and_time_are_used_up() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return TRANSIENT if "e0" in ids else DELIVERED

    kept = "2026-11-20T00:00:00.000Z"
    for attempts, first, expected in [
        (7, kept, "dead_letter"),
        (6, kept, "retry"),
        (70, rfc3339(START - 11 * 3600), "retry"),
    ]:
        bench = Bench(lane(account(events=1)), vendor)  # type: ignore[arg-type]
        bench.publish(
            [fakes.retried(0, attempts=attempts - 1, retries=5, first=first)]
            + [record(n) for n in range(1, 200)]
        )
        bench.run(60, until=Bench.quiet)
        assert [w.kind for w in bench.writes] == [expected], (attempts, first)
        assert bench.writes[0].tier == (2 if expected == "retry" else 0)


def test_throttled_waits_as_told_and_uses_no_attempt() -> None:
    def vendor(ids: Ids, now: float) -> object:
        return answer("throttled", code="429", retry_after=90) if now < START + 10 else DELIVERED

    bench = Bench(lane(account(events=10)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(3000))
    bench.run(300, until=Bench.quiet)
    times = [at for at, _, _ in bench.sent]
    assert len([at for at in times if at < START + 10]) <= 8
    assert min(at for at in times if at > START + 10) >= START + 90
    assert bench.writes == []
    assert len(bench.accepted) == 3000
    assert set(bench.accepted.values()) == {1}


@pytest.mark.parametrize("verdict", ["throttled", "transient"])
def test_whatever_failed_the_account_comes_again_when_the_vendor_said(verdict: str) -> None:
    """All of its requests, and not only those that failed."""

    def vendor(ids: Ids, now: float) -> object:
        busy = "e500" in ids and now < START + 60
        return answer(verdict, code="503", retry_after=90) if busy else DELIVERED

    bench = Bench(lane(account(events=10)), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(3000))
    bench.run(300, until=Bench.quiet)
    times = [at for at, ids, _ in bench.sent]
    told = next(at for at, ids, _ in bench.sent if "e500" in ids)
    assert [at for at in times if told + 1 < at] != []
    assert min(at for at in times if told + 1 < at) >= told + 90
    assert bench.writes == []
    assert bench.alerts == ([("throttled", "throttled")] if verdict == "throttled" else [])
    assert set(bench.accepted.values()) == {1}
    assert len(bench.accepted) == 3000


def test_throttled_without_an_hour_doubles_to_a_quarter_of_one() -> None:
    bench = Bench(lane(account(events=1)), lambda *_: THROTTLED, slots=1)
    bench.publish([record(0)])
    bench.run(3 * 3600)
    times = [at - START for at, _, _ in bench.sent]
    gaps = [round(b - a) for a, b in pairwise(times)]
    assert gaps[:6] == [60, 120, 240, 480, 900, 900]


def test_later_is_three_rounds_and_never_the_breaker() -> None:
    unknown = answer("transient", code="404", message="unknown click", later=True)
    bench = Bench(lane(account(events=1)), lambda *_: unknown)
    bench.publish(record(n) for n in range(30))
    bench.publish(
        fakes.retried(30 + n, attempts=n, retries=n, first="2026-11-21T11:00:00.000Z")
        for n in range(1, 4)
    )
    bench.run(60, until=Bench.quiet)
    assert bench.alerts == []
    assert [w.tier for w in bench.writes] == [0] * 30 + [1, 2, 0]
    assert bench.writes[-1].reason == "rejected"
    assert bench.writes[-1].code == "404"


def test_a_request_too_large_is_halved_without_suspicion() -> None:
    def vendor(ids: Ids, now: float) -> object:
        too_large = len(ids) > 200 or "e77" in ids
        return answer("rejected", code="413", split=True) if too_large else DELIVERED

    bench = Bench(lane(), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(3000))
    bench.run(120, until=Bench.quiet)
    assert bench.dead() == {"e77": "rejected"}
    assert bench.writes[0].code == "local.request_too_large"
    assert len(bench.accepted) == 2999
    assert bench.alerts == []


@pytest.mark.parametrize("cause", [MISCONFIGURED, TRANSIENT], ids=["misconfigured", "failing"])
def test_what_is_refused_alone_after_another_trouble_does_not_wait_for_ever(
    cause: HttpAnswer,
) -> None:
    """The vendor works again, but nothing is left to show it by."""
    bench = Bench(lane(), lambda _, now: cause if now < START + 60 else REJECTED)
    bench.publish([record(0)])
    bench.run(3500)
    assert bench.writes == []
    bench.run(1000, until=Bench.quiet)
    assert set(bench.dead()) == {"e0"}
