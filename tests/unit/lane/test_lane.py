"""What a lane does step by step, as its owner sees it."""

from __future__ import annotations

import json
from math import inf

import pytest

from forwarder.lane.lane import Attempt, Lane, WriteKind
from forwarder.lane.window import OVERHEAD
from tests.unit.lane import fakes
from tests.unit.lane.fakes import (
    DELIVERED,
    HANG,
    MISCONFIGURED,
    REJECTED,
    REPEATS,
    START,
    THROTTLED,
    TRANSIENT,
    account,
    answer,
    credential,
    ids,
    lane,
    record,
    retried,
)

DAY = 86_400.0


def take(one: Lane, now: float = START + 1) -> Attempt:
    attempt = one.take(now, credential())
    assert attempt is not None
    return attempt


def fed(one: Lane, number: int) -> Lane:
    one.add([record(n) for n in range(number)], START)
    return one


# -- filling --------------------------------------------------------------------------------
def test_a_request_holds_what_fits_by_number_and_by_bytes() -> None:
    assert len(take(fed(lane(account(events=7)), 10)).deliveries) == 7
    assert ids(take(fed(lane(account(size=2 + 3 * 5)), 10))) == ["e0", "e1", "e2"]


def test_one_that_alone_is_larger_goes_alone() -> None:
    one = lane(account(size=20))
    one.add([record(0, event_id="x" * 50), record(1)], START)
    assert [len(ids(take(one))) for _ in range(2)] == [1, 1]


def test_it_lingers_since_the_oldest_arrived_unless_a_batch_is_full() -> None:
    one = lane(account(events=3, linger=0.2))
    assert one.wake_at(START) == inf
    one.add([record(0)], START)
    one.add([record(1)], START + 0.1)
    assert one.wake_at(START + 0.1) == pytest.approx(START + 0.2)
    assert one.take(START + 0.1, credential()) is None
    one.add([record(2)], START + 0.1)
    assert one.wake_at(START + 0.1) <= START + 0.1
    assert len(take(one, START + 0.1).deliveries) == 3


def test_bytes_cut_the_linger_short_too() -> None:
    one = lane(account(events=1000, size=400, linger=5.0))
    fed(one, 10)
    assert one.wake_at(START) <= START


def test_one_event_a_request_never_lingers() -> None:
    assert fed(lane(account(events=1, linger=5.0)), 1).wake_at(START) <= START


def test_skipped_and_rejected_never_reach_a_request() -> None:
    one = lane()
    kinds = ["skip", "ok", "reject", "invalid"]
    one.add([record(n, kind=kind) for n, kind in enumerate(kinds)], START)
    assert ids(take(one)) == ["e1"]
    writes = one.take_writes()
    assert [(w.reason, w.code) for w in writes] == [
        ("rejected", "local.value_missing"),
        ("invalid_event", "local.invalid_event"),
    ]
    assert {w.kind for w in writes} == {WriteKind.DEAD_LETTER}
    tally = one.take_tally()
    assert tally.outcomes == {("skipped", "no_match_key"): 1}
    one.written(writes, START)
    assert one.take_tally().outcomes == {
        ("dead_lettered", "rejected"): 1,
        ("dead_lettered", "invalid_event"): 1,
    }


def test_nothing_to_send_after_all_says_so_and_goes_on() -> None:
    one = lane(account(events=1))
    one.add([record(n, kind="skip") for n in range(1200)] + [record(1200)], START)
    steps = 0
    while (attempt := one.take(START, credential())) is None:
        assert one.wake_at(START) <= START
        steps += 1
        assert steps < 5
    assert ids(attempt) == ["e1200"]


def test_a_record_without_a_value_is_undecodable() -> None:
    one = lane()
    empty = record(0)
    empty.value = None
    one.add([empty], START)
    assert one.take(START + 1, credential()) is None
    assert [w.reason for w in one.take_writes()] == ["undecodable"]


def test_malformed_headers_are_a_dead_letter() -> None:
    one = lane()
    one.add(
        [
            record(0, headers={"forwarder-attempts": "-1"}),
            fakes.FakeRecord(1, b"{}", [("forwarder-origin", b"\xff")], 0),
            fakes.FakeRecord(2, b"{}", [], 0),
            fakes.FakeRecord(3, b"{}", [("forwarder-origin", None)], 0),
        ],
        START,
    )
    writes = one.take_writes()
    assert [(w.reason, w.code) for w in writes] == [
        ("invalid_event", "local.malformed_headers")
    ] * 4
    assert writes[0].delivery.origin == "conversions.queue.acme/0/0"


def test_offsets_read_before_are_passed_over() -> None:
    one = fed(lane(), 3)
    one.add([record(n) for n in range(4)], START)
    assert ids(take(one)) == ["e0", "e1", "e2", "e3"]


def test_one_that_failed_by_itself_before_goes_alone() -> None:
    one = lane()
    one.add([record(0), record(1)], START)
    one.add([retried(2, attempts=3, retries=1, first="2026-11-21T11:00:00Z")], START)
    one.add([record(3)], START)
    assert [ids(take(one)) for _ in range(3)] == [["e0", "e1"], ["e2"], ["e3"]]


# -- age ------------------------------------------------------------------------------------
def test_what_is_too_old_is_expired_when_it_would_be_sent() -> None:
    one = lane(account(max_age=DAY))
    one.add([record(0, time=START - DAY - 1), record(1, time=START - DAY + 5)], START)
    assert ids(take(one, START + 1)) == ["e1"]
    assert [(w.reason, w.code) for w in one.take_writes()] == [("expired", "local.max_event_age")]


def test_what_is_sent_again_may_be_too_old_by_then() -> None:
    one = lane(account(max_age=DAY))
    one.add([record(0, time=START - DAY + 5)], START)
    one.answered(take(one, START + 1), TRANSIENT, START + 2)
    assert one.take(START + 60, credential()) is None
    assert [w.reason for w in one.take_writes()] == ["expired"]


@pytest.mark.parametrize("why", ["paused", "breaker", "throttled"])
def test_a_blocked_lane_expires_its_head_once_a_minute(why: str) -> None:
    one = lane(account(max_age=DAY, state="paused" if why == "paused" else "active", events=1))
    one.add([record(n, time=START - DAY + 100 + 50 * n) for n in range(5)], START)
    if why != "paused":
        told = MISCONFIGURED if why == "breaker" else answer("throttled", retry_after=900)
        one.answered(take(one), told, START + 1)
    found = []
    for second in range(5, 320, 5):
        one.tick(START + second)
        found += [(second, fakes.event_id(w.delivery)) for w in one.take_writes()]
    assert [name for _, name in found] == ["e0", "e1", "e2", "e3", "e4"]
    assert all(100 + 50 * n <= at <= 165 + 50 * n for n, (at, _) in enumerate(found))


def test_many_that_are_due_at_once_go_in_steps() -> None:
    one = lane(account(max_age=DAY, state="paused", events=10_000))
    one.add([record(n, time=START - 2 * DAY) for n in range(5000)], START)
    sizes = []
    for second in range(4):
        one.tick(START + second)
        writes = one.take_writes()
        one.written(writes, START + second)
        sizes.append(len(writes))
    assert sizes == [2000, 2000, 1000, 0]


def test_a_paused_account_sends_nothing() -> None:
    one = fed(lane(account(state="paused")), 10)
    assert one.wake_at(START + 100) == inf
    assert one.take(START + 100, credential()) is None
    assert one.view(START + 100).waiting == 10


# -- room -----------------------------------------------------------------------------------
def test_it_reads_as_far_as_it_may() -> None:
    one = lane(account(events=3))
    size = len(record(0).value or b"") + OVERHEAD
    fed(one, 3)
    assert one.room(0)
    one.add([record(3)], START)
    assert not one.room(size)
    assert one.room(10 * size)


def test_headers_count_as_what_is_held() -> None:
    one = lane(account(events=3))
    one.add([record(0, headers={"x": "y" * 5000})], START)
    assert one.view(START).waiting_bytes > 5000


@pytest.mark.parametrize("why", ["paused", "breaker"])
def test_a_blocked_lane_needs_no_more_than_a_batch(why: str) -> None:
    one = fed(lane(account(events=2, state="paused" if why == "paused" else "active")), 4)
    if why == "breaker":
        one.answered(take(one), MISCONFIGURED, START + 1)
    assert not one.room(1 << 30)


# -- repeats --------------------------------------------------------------------------------
def test_a_copy_by_a_crashed_router_is_dropped_where_the_vendor_would_count_it() -> None:
    one = lane(traits=REPEATS)
    one.add([record(0, origin="conversions/3/7"), record(1, origin="conversions/3/8")], START)
    one.add([record(2, origin="conversions/3/7"), record(3, origin="conversions/4/7")], START + 20)
    assert ids(take(one, START + 21)) == ["e0", "e1", "e3"]
    assert one.take_tally().outcomes == {("skipped", "repeated_record"): 1}
    other = lane()
    other.add([record(0, origin="conversions/3/7"), record(1, origin="conversions/3/7")], START)
    assert len(ids(take(other))) == 2


def test_retries_and_replays_are_no_copies() -> None:
    one = lane(traits=REPEATS)
    origin = {"forwarder-origin": "conversions/3/7"}
    one.add([record(0, origin="conversions/3/7")], START)
    again = retried(1, attempts=0, retries=0, first="2026-11-21T11:00:00Z")
    again.headers = [
        *(pair for pair in again.headers if pair[0] != "forwarder-origin"),
        ("forwarder-origin", b"conversions/3/7"),
    ]
    one.add([again, record(2, headers={"forwarder-run": "r1"} | origin)], START)
    assert ids(take(one)) == ["e0", "e1", "e2"]


def test_a_new_owner_remembers_what_the_last_one_read() -> None:
    one = lane(traits=REPEATS)
    one.remember({"conversions/3/7": START, "conversions/3/9": START}, START)
    one.add([record(n, origin=f"conversions/3/{n}") for n in range(7, 11)], START)
    assert ids(take(one)) == ["e8", "e10"]


# -- breaker --------------------------------------------------------------------------------
def test_probes_come_from_head_middle_and_end() -> None:
    one = fed(lane(account(events=1)), 9)
    one.answered(take(one), MISCONFIGURED, START + 1)
    now, found = START + 1, []
    for _ in range(6):
        now = one.wake_at(now)
        probe = one.take(now, credential())
        assert probe is not None
        assert probe.probe
        assert one.view(now).breaker == "probing"
        assert one.wake_at(now + 1000) == inf
        assert one.take(now + 1000, credential()) is None
        found.append(ids(probe)[0])
        one.answered(probe, MISCONFIGURED, now)
    assert found == ["e0", "e4", "e8"] * 2


def test_five_failures_in_a_row_open_it_and_no_delivery_pays() -> None:
    one = fed(lane(account(events=1, concurrency=1)), 3)
    now = START
    for _ in range(5):
        now = max(now, one.wake_at(now))
        one.answered(take(one, now), HANG, now + 7)
        now += 7
    assert one.view(now).breaker == "open"
    assert one.view(now).code == "local.timeout"
    one.add([record(3)], now)
    now = one.wake_at(now)
    one.answered(take(one, now), DELIVERED, now)
    one.tick(now)
    writes = one.drain(now)
    assert all(w.attempts == 0 for w in writes)


def test_half_of_twenty_opens_it() -> None:
    one = fed(lane(account(events=1, concurrency=1)), 100)
    now, requests = START, 0
    while one.view(now).breaker == "closed":
        now = max(now + 0.5, one.wake_at(now + 0.5))
        one.answered(take(one, now), TRANSIENT if requests % 2 else DELIVERED, now)
        requests += 1
        assert requests < 60
    assert requests == 20


def test_a_late_failure_of_another_request_says_nothing_more() -> None:
    one = fed(lane(account(events=1)), 10)
    attempts = [take(one) for _ in range(4)]
    for attempt in attempts:
        one.answered(attempt, MISCONFIGURED, START + 2)
    assert len(one.take_tally().alerts) == 1
    assert one.view(START + 2).waiting == 10


def test_a_late_delivery_counts_but_does_not_close_it() -> None:
    one = fed(lane(account(events=1)), 10)
    first, second = take(one), take(one)
    one.answered(first, MISCONFIGURED, START + 2)
    one.answered(second, DELIVERED, START + 3)
    assert one.view(START + 3).breaker == "open"
    assert one.take_tally().outcomes == {("delivered", ""): 1}


def test_a_new_owner_goes_on_where_the_last_one_was() -> None:
    one = fed(lane(account(events=1)), 10)
    one.answered(take(one), MISCONFIGURED, START + 1)
    now = one.wake_at(START + 1)
    one.answered(take(one, now), MISCONFIGURED, now)
    _, metadata = one.commit_point()
    fields = json.loads(metadata)
    assert fields["breaker"] == "open"
    assert fields["reason"] == "misconfigured"
    assert fields["code"] == "401"
    two = fed(lane(account(events=1), now=now + 1, metadata=metadata), 10)
    assert two.take_tally().alerts == []
    view = two.view(now + 1)
    assert (view.breaker, view.reason, view.since) == ("open", "misconfigured", START + 1)
    assert two.wake_at(now + 1) == pytest.approx(now + 10)
    one.credential_changed(2, now + 2)
    two.credential_changed(2, now + 2)
    assert two.wake_at(now + 2) <= now + 2
    probe = two.take(now + 2, credential(2))
    assert probe is not None
    two.answered(probe, DELIVERED, now + 2)
    assert [a.action for a in two.take_tally().alerts] == ["breaker_closed"]


def test_not_before_survives_its_owner() -> None:
    one = fed(lane(account(events=1)), 10)
    one.answered(take(one), THROTTLED, START + 1)
    two = fed(lane(account(events=1), now=START + 5, metadata=one.commit_point()[1]), 10)
    assert two.wake_at(START + 5) == pytest.approx(START + 61)
    assert two.view(START + 5).not_before == pytest.approx(START + 61)
    assert two.take(START + 60, credential()) is None
    two.answered(take(two, START + 62), THROTTLED, START + 62)
    assert two.view(START + 63).not_before == pytest.approx(START + 62 + 120)


def test_after_a_throttle_one_request_goes_first() -> None:
    one = fed(lane(account(events=1)), 10)
    one.answered(take(one), DELIVERED, START + 1)
    one.answered(take(one), THROTTLED, START + 1)
    first = take(one, START + 70)
    assert one.wake_at(START + 70) == inf
    one.answered(first, DELIVERED, START + 71)
    assert [take(one, START + 71) for _ in range(5)]


def test_throttled_by_the_old_key_does_not_hold_the_new_one() -> None:
    one = fed(lane(account(events=1)), 10)
    old = take(one)
    one.credential_changed(2, START + 2)
    one.answered(old, THROTTLED, START + 3)
    assert one.wake_at(START + 3) <= START + 3
    assert one.take_tally().alerts == []


def test_a_newer_credential_in_hand_counts_as_a_change() -> None:
    one = fed(lane(account(events=1)), 10)
    one.answered(take(one), MISCONFIGURED, START + 1)
    probe = one.take(START + 2, credential(2))
    assert probe is not None
    assert probe.probe


def test_another_request_too_many_is_not_taken() -> None:
    one = fed(lane(account(events=1, concurrency=2)), 10)
    take(one)
    take(one)
    assert one.wake_at(START + 1) == inf
    assert one.take(START + 1, credential()) is None


@pytest.mark.parametrize("kind", ["skip", "reject", "invalid"])
def test_what_needs_no_request_does_not_keep_an_open_breaker_from_probing(kind: str) -> None:
    bench = fakes.Bench(
        lane(account(events=1)), lambda _, now: MISCONFIGURED if now < START + 3 else DELIVERED
    )
    bench.publish([record(0)])
    bench.publish(record(n, kind=kind) for n in range(1, 2000))
    bench.publish([record(2000)])
    bench.run(600, until=fakes.Bench.quiet)
    assert sorted(bench.accepted) == ["e0", "e2000"]
    other = fakes.Bench(lane(account(events=1)), lambda *_: MISCONFIGURED)
    other.publish([record(0)])
    other.publish(record(n, kind=kind) for n in range(1, 200))
    other.run(3600)
    assert other.writes == []


def test_unsendable_ones_at_an_open_breaker_end_as_they_would_without_it() -> None:
    kept = '{"v":1,"breaker":"open","reason":"misconfigured","until":1,"pause":5}'
    bench = fakes.Bench(lane(account(events=1), metadata=kept), lambda *_: DELIVERED)
    bench.publish(record(n, kind="reject") for n in range(1500))
    bench.publish([record(1500)])
    bench.run(60, until=fakes.Bench.quiet)
    assert len(bench.dead()) == 1500
    assert list(bench.accepted) == ["e1500"]


def test_later_from_a_probe_closes_a_breaker_that_a_key_opened() -> None:
    one = fed(lane(account(events=1)), 1)
    one.answered(take(one), MISCONFIGURED, START + 1)
    probe = take(one, START + 7)
    one.answered(probe, answer("transient", code="404", later=True), START + 7)
    assert one.view(START + 8).breaker == "closed"
    assert [(w.kind, w.tier) for w in one.take_writes()] == [("retry", 0)]


# -- refusals -------------------------------------------------------------------------------
def test_a_refusal_is_final_once_a_later_request_is_delivered() -> None:
    one = fed(lane(account(events=1)), 10)
    before, bad, after = take(one), take(one), take(one)
    one.answered(bad, REJECTED, START + 2)
    assert one.take_writes() == []
    one.answered(before, DELIVERED, START + 3)
    assert one.take_writes() == []
    one.answered(after, DELIVERED, START + 4)
    assert [(fakes.event_id(w.delivery), w.reason, w.code) for w in one.take_writes()] == [
        ("e1", "rejected", "40002")
    ]


def test_a_new_key_sends_again_what_the_old_one_was_refused() -> None:
    one = fed(lane(account(events=1)), 10)
    one.answered(take(one), REJECTED, START + 1)
    one.credential_changed(2, START + 2)
    again = one.take(START + 2, credential(2))
    assert again is not None
    assert ids(again) == ["e0"]


def test_refusals_stand_when_all_else_that_came_went_another_way() -> None:
    """A record that is written away without a turn is nothing that could tell of the account."""
    one = fed(lane(account(events=1)), 1)
    one.add([record(1, headers={"forwarder-attempts": "many"})], START)
    attempt = take(one)
    one.answered(attempt, REJECTED, START + 2)
    written = [(w.delivery.offset, w.reason) for w in one.take_writes()]
    assert written == [(1, "invalid_event"), (0, "rejected")]


def test_the_rest_was_delivered_with_those_it_names() -> None:
    one = fed(lane(account(events=4)), 4)
    partly = answer("rejected", code="400", named={1: "Bad"}, rest_delivered=True)
    one.answered(take(one), partly, START + 2)
    assert [(fakes.event_id(w.delivery), w.code) for w in one.take_writes()] == [("e1", "Bad")]
    assert one.take_tally().outcomes == {("delivered", ""): 3}
    assert one.wake_at(START + 3) == inf


def test_a_duplicate_is_delivered_and_counted_apart() -> None:
    one = fed(lane(), 2)
    one.answered(take(one), answer("delivered", code="0", duplicate=True), START + 2)
    tally = one.take_tally()
    assert tally.outcomes == {("delivered", "duplicate"): 2}
    assert tally.requests == {("delivered", "0"): 1}
    assert [d.event_id for s in tally.settled for d in s.deliveries] == ["e0", "e1"]


def test_a_single_event_too_large_has_a_name_of_its_own() -> None:
    one = fed(lane(account(events=1)), 1)
    one.answered(take(one), answer("rejected", code="413", split=True), START + 2)
    assert [w.code for w in one.take_writes()] == ["local.request_too_large"]


# -- writes, commits, end -------------------------------------------------------------------
def test_a_write_holds_the_watermark_until_it_is_acknowledged() -> None:
    one = lane()
    one.add([record(0, kind="reject"), record(1)], START)
    one.answered(take(one), DELIVERED, START + 1)
    writes = one.take_writes()
    assert one.take_writes() == []
    assert one.commit_point()[0] == 0
    one.unwritten(writes)
    again = one.take_writes()
    assert [w.delivery for w in again] == [w.delivery for w in writes]
    assert one.commit_point()[0] == 0
    one.written(again, START + 2)
    assert one.commit_point()[0] == 2


def test_nothing_read_is_nothing_to_commit() -> None:
    assert lane().commit_point() == (None, '{"v":1,"breaker":"closed"}')


def test_the_watermark_runs_over_offsets_that_were_seen() -> None:
    one = lane(account(events=1))
    one.add([record(5), record(9), record(40)], START)
    first, second, third = (take(one) for _ in range(3))
    one.answered(second, DELIVERED, START + 2)
    assert one.commit_point()[0] == 5
    one.answered(first, DELIVERED, START + 2)
    assert one.commit_point()[0] == 40
    one.answered(third, DELIVERED, START + 2)
    assert one.commit_point()[0] == 41


def test_what_holds_the_watermark_goes_to_a_retry_topic() -> None:
    one = fed(lane(account(events=1)), 40)
    one.answered(take(one), DELIVERED, START + 1)
    one.answered(take(one), TRANSIENT, START + 2)
    while (attempt := one.take(START + 2, credential())) is not None:
        one.answered(attempt, DELIVERED, START + 2)
    one.tick(START + 60)
    assert one.take_writes() == []
    one.tick(START + 63)
    assert [(w.kind, fakes.event_id(w.delivery), w.tier, w.retries) for w in one.take_writes()] == [
        ("retry", "e1", 0, 0)
    ]


def test_nothing_is_moved_while_the_breaker_is_open_or_the_vendor_said_wait() -> None:
    for told in (MISCONFIGURED, answer("throttled", retry_after=600)):
        one = fed(lane(account(events=1)), 10)
        held, passes, stops = take(one), take(one), take(one)
        one.answered(held, TRANSIENT, START + 2)
        one.answered(passes, DELIVERED, START + 3)
        one.answered(stops, told, START + 4)
        for second in range(10, 500, 10):
            one.tick(START + second)
        assert one.take_writes() == []


def test_a_stop_moves_what_is_unfinished_below_the_highest_finished() -> None:
    one = fed(lane(account(events=1)), 10)
    attempts = [take(one) for _ in range(4)]
    one.answered(attempts[2], DELIVERED, START + 2)
    one.answered(attempts[0], TRANSIENT, START + 2)
    one.answered(attempts[1], HANG, START + 3)
    one.answered(attempts[3], HANG, START + 3)
    writes = one.drain(START + 4)
    assert [(fakes.event_id(w.delivery), w.kind, w.tier, w.reason) for w in writes] == [
        ("e0", "retry", 0, "transient"),
        ("e1", "retry", 0, "transient"),
    ]
    assert [w.retries for w in writes] == [0, 0]
    assert one.commit_point()[0] == 0
    one.written(writes, START + 5)
    assert one.commit_point()[0] == 3
    assert not one.room(1 << 30)
    assert one.wake_at(START + 100) == inf


def test_a_stop_writes_dead_letters_as_such_and_drops_those_above() -> None:
    one = lane(account(events=1))
    one.add([record(0, kind="reject"), record(1), record(2, kind="reject"), record(3)], START)
    one.answered(take(one), DELIVERED, START + 2)
    take(one)
    writes = one.drain(START + 3)
    assert [(w.kind, w.delivery.offset) for w in writes] == [("dead_letter", 0)]
    one.written(writes, START + 4)
    assert one.commit_point()[0] == 2


def test_a_stop_counts_a_write_under_way_as_finished() -> None:
    one = lane(account(events=1))
    one.add([record(0), record(1, kind="reject"), record(2)], START)
    take(one)
    take(one)
    under_way = one.take_writes()
    writes = one.drain(START + 3)
    assert [(w.kind, w.delivery.offset) for w in writes] == [("retry", 0)]
    one.written(under_way, START + 4)
    one.written(writes, START + 4)
    assert one.commit_point()[0] == 2


def test_after_the_end_late_answers_change_nothing() -> None:
    one = fed(lane(), 5)
    attempt = take(one)
    one.drain(START + 2)
    one.answered(attempt, DELIVERED, START + 3)
    assert one.commit_point()[0] == 0
    assert one.take_tally().outcomes == {}


# -- views ----------------------------------------------------------------------------------
def test_the_view_tells_what_waits_and_since_when() -> None:
    one = lane(account(events=2, max_age=DAY))
    one.add([record(n, time=START - 100, timestamp=START - 90) for n in range(5)], START)
    take(one)
    view = one.view(START + 1)
    assert (view.waiting, view.in_flight) == (3, 2)
    assert view.waiting_bytes > 0
    assert view.oldest_record_at == START - 90
    assert view.expires_in == pytest.approx(DAY - 101)
    assert (view.breaker, view.reason, view.since, view.until) == ("closed", "", None, None)


def test_codes_are_counted_apart_up_to_a_limit() -> None:
    one = lane(account(events=1, concurrency=1))
    now = START
    for n in range(600):
        one.add([record(n)], now)
        now = max(now, one.wake_at(now))
        one.answered(take(one, now), answer("delivered", code=f"c{n}"), now)
    tally = one.take_tally()
    assert len(tally.requests) <= 201
    assert tally.requests["delivered", "other"] == 400
    assert sum(tally.requests.values()) == 600


def test_the_view_tells_how_many_ended_while_an_older_one_waits() -> None:
    """Their offsets cannot be committed yet, but they do not wait any more."""
    one = fed(lane(account(events=1, linger=0.0)), 3)
    first, second = take(one), take(one)
    one.answered(second, DELIVERED, START + 1)
    assert one.view(START + 1).finished_ahead == 1
    one.answered(first, DELIVERED, START + 1)
    assert one.view(START + 1).finished_ahead == 0
