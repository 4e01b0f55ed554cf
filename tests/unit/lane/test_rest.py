"""A lane that may not send for long holds a few deliveries; the others go on waiting in Kafka."""

from __future__ import annotations

import pytest

from forwarder.lane.lane import AT_REST
from tests.unit.lane.fakes import (
    DELIVERED,
    HANG,
    MISCONFIGURED,
    REJECTED,
    REPEATS,
    START,
    TRANSIENT,
    Bench,
    Ids,
    account,
    answer,
    credential,
    lane,
    record,
)

DAY = 86_400.0
LATER = START + 300


def until_later(bad: object) -> object:
    return lambda _ids, now: bad if now < LATER else DELIVERED


@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize("bad", [MISCONFIGURED, TRANSIENT, HANG, answer("throttled", code="429")])
def test_it_holds_a_few_while_blocked_and_delivers_all_once_later(bad: object, slots: int) -> None:
    bench = Bench(lane(account(concurrency=slots)), until_later(bad), slots=slots)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(5000))
    bench.run(250)
    view = bench.lane.view(bench.now)
    assert 0 < view.waiting <= AT_REST
    assert bench.lane.commit_point()[0] == 0
    assert bench.writes == []
    bench.run(1800, until=Bench.quiet)
    assert len(bench.accepted) == 5000
    assert set(bench.accepted.values()) == {1}
    assert bench.writes == []
    assert bench.lane.commit_point()[0] == 5000
    assert set(bench.settled.values()) == {1}


def test_what_was_in_flight_when_the_key_was_revoked_is_let_go_too() -> None:
    def vendor(_: Ids, now: float) -> object:
        return MISCONFIGURED if START + 20 < now < LATER else DELIVERED

    bench = Bench(lane(account(events=100)), vendor, latency=0.5)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(30_000))
    bench.run(22)
    assert bench.lane.view(bench.now).waiting <= AT_REST
    bench.rekey(2)
    bench.run(1800, until=Bench.quiet)
    assert len(bench.accepted) == 30_000
    assert set(bench.accepted.values()) == {1}


def test_a_short_wait_is_no_rest() -> None:
    throttled = answer("throttled", code="429", retry_after=20)
    bench = Bench(lane(), lambda *_: throttled)
    bench.publish(record(n) for n in range(500))
    bench.run(5)
    assert bench.lane.view(bench.now).waiting == 500


def test_refusals_keep_their_batch_since_other_deliveries_tell_more() -> None:
    bench = Bench(lane(), lambda *_: REJECTED)
    bench.publish(record(n) for n in range(5000))
    bench.run(60)
    assert bench.alerts == [("breaker_opened", "rejected_alike")]
    assert bench.lane.view(bench.now).waiting >= 1000


def test_what_probes_found_refused_is_not_let_go() -> None:
    """It is judged once the breaker closes, so it must not come back as another delivery."""

    def vendor(_: Ids, now: float) -> object:
        if now < START + 60:
            return REJECTED
        return MISCONFIGURED if now < LATER else DELIVERED

    bench = Bench(lane(), vendor)  # type: ignore[arg-type]
    bench.publish(record(n) for n in range(1000))
    bench.run(1800, until=Bench.quiet)
    assert len(bench.accepted) == 1000
    assert set(bench.accepted.values()) == {1}
    assert bench.writes == []


def test_a_paused_account_holds_a_few() -> None:
    bench = Bench(lane(account(state="paused")), lambda *_: DELIVERED)
    bench.publish(record(n) for n in range(5000))
    bench.run(30)
    assert bench.lane.view(bench.now).waiting <= AT_REST
    assert bench.requests == 0


@pytest.mark.parametrize("state", ["paused", "active"])
def test_what_grows_too_old_is_still_expired_all_of_it(state: str) -> None:
    bench = Bench(
        lane(account(state=state, max_age=DAY)),
        lambda *_: MISCONFIGURED,
    )
    old = [record(n, time=START - DAY + 600) for n in range(5000)]
    bench.publish([*old, *(record(n) for n in range(5000, 6000))])
    bench.run(500)
    assert bench.writes == []
    bench.run(400)
    assert bench.dead() == {f"e{n}": "expired" for n in range(5000)}
    assert bench.lane.view(bench.now).waiting <= AT_REST
    assert bench.lane.commit_point()[0] == 5000


def test_what_is_read_again_is_no_repeat() -> None:
    """Origins are told apart where the vendor drops no repeats; a second look is none."""
    bench = Bench(lane(traits=REPEATS), until_later(MISCONFIGURED))  # type: ignore[arg-type]
    records = [record(n) for n in range(2000)]
    copies = [record(2000 + n, event_id=f"e{n}", origin=f"conversions/0/{n}") for n in range(500)]
    bench.publish([*records, *copies])
    bench.run(1800, until=Bench.quiet)
    assert len(bench.accepted) == 2000
    assert set(bench.accepted.values()) == {1}
    assert bench.outcomes["skipped", "repeated_record"] == 500


def test_a_stopped_lane_lets_nothing_go() -> None:
    one = lane()
    one.add([record(n) for n in range(100)], START)
    attempt = one.take(START + 1, credential())
    assert attempt is not None
    one.answered(attempt, MISCONFIGURED, START + 2)
    one.drain(START + 3)
    assert one.let_go(START + 4) is None
