"""Items that are made ahead are those that the lane would make, and cost nothing when nobody is
there to take them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from forwarder.destinations.contract import Item, Rejected, Skipped
from forwarder.event import ConversionEvent
from forwarder.lane.ahead import FORGOTTEN, Ahead
from forwarder.lane.lane import Lane, LaneSettings
from tests.unit.lane.fakes import (
    DEDUPS,
    DELIVERED,
    MISCONFIGURED,
    START,
    FakeAccount,
    FakeRecord,
    account,
    credential,
    decode,
    ids,
    record,
)


class Counting(FakeAccount):
    prepared = 0

    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        self.prepared += 1
        return super().prepare(event)


def counting() -> Counting:
    of = account(linger=0.0)
    return Counting(of.name, of.settings, of.consent)


def undecodable(value: bytes) -> ConversionEvent:
    raise AssertionError("read twice")


def lane(
    of: FakeAccount, ahead: Ahead, read: Callable[[bytes], ConversionEvent] = undecodable
) -> Lane:
    settings = LaneSettings(8, 3600.0, (9.4,))
    shelf = ahead.open(of.name, START)
    return Lane(of, DEDUPS, settings, read, START, random=Random(1), shelf=shelf)


def judged(ahead: Ahead, of: FakeAccount, one: FakeRecord, now: float = START) -> Skipped | None:
    return ahead.judge(of, decode(one.value or b""), one.value, now)


def test_a_lane_reads_no_event_whose_item_is_there() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    one = lane(of, ahead)
    records = [record(0), record(1)]
    for each in records:
        assert judged(ahead, of, each) is None
    one.add(records, START)
    attempt = one.take(START, credential())
    assert attempt is not None
    assert ids(attempt) == ["e0", "e1"]
    found = [(delivery.event_id, delivery.event_time) for delivery in attempt.deliveries]
    assert found == [("e0", START), ("e1", START)]
    assert of.prepared == 2


def test_what_is_not_there_the_lane_makes_itself() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    one = lane(of, ahead, decode)
    one.add([record(0)], START)
    attempt = one.take(START, credential())
    assert attempt is not None
    assert ids(attempt) == ["e0"]


def test_an_item_is_taken_once_and_by_the_same_bytes_alone() -> None:
    ahead, of = Ahead(1 << 20), counting()
    shelf = ahead.open(of.name, START)
    judged(ahead, of, record(0))
    assert shelf.take(record(1).value, START) is None
    assert shelf.take(None, START) is None
    ready = shelf.take(record(0).value, START)
    assert ready is not None
    assert ready[1] == "e0"
    assert shelf.take(record(0).value, START) is None
    assert shelf.bytes == 0


def test_the_same_bytes_twice_take_their_room_once() -> None:
    ahead, of = Ahead(1 << 20), counting()
    shelf = ahead.open(of.name, START)
    judged(ahead, of, record(0))
    judged(ahead, of, record(0))
    shelf.take(record(0).value, START)
    assert shelf.bytes == 0


def test_an_event_made_ahead_expires_as_any_other() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    one = lane(of, ahead)
    old = record(0, time=START - of.settings.max_event_age - 1)
    judged(ahead, of, old)
    one.add([old], START)
    assert one.take(START, credential()) is None
    assert [write.reason for write in one.take_writes()] == ["expired"]


def test_a_skipped_event_is_skipped_and_a_rejected_one_is_left_to_the_lane() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    shelf = ahead.open(of.name, START)
    assert isinstance(judged(ahead, of, record(0, kind="skip")), Skipped)
    assert judged(ahead, of, record(1, kind="reject")) is None
    assert shelf.bytes == 0


def test_without_a_lane_here_nothing_is_made() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    judged(ahead, of, record(0))
    ahead.open(of.name, START)
    ahead.close(of.name)
    judged(ahead, of, record(1))
    assert of.prepared == 0


def test_a_full_shelf_takes_nothing_until_something_is_taken() -> None:
    of, ahead = counting(), Ahead(1)
    shelf = ahead.open(of.name, START)
    judged(ahead, of, record(0))
    judged(ahead, of, record(1))
    assert of.prepared == 1
    shelf.take(record(0).value, START)
    judged(ahead, of, record(2))
    assert of.prepared == 2


def test_what_nobody_took_for_long_makes_room() -> None:
    of, ahead = counting(), Ahead(1)
    shelf = ahead.open(of.name, START)
    judged(ahead, of, record(0))
    judged(ahead, of, record(1), START + FORGOTTEN - 1)
    assert of.prepared == 1
    judged(ahead, of, record(2), START + FORGOTTEN)
    assert of.prepared == 2
    assert shelf.take(record(0).value, START + FORGOTTEN) is None
    assert shelf.take(record(2).value, START + FORGOTTEN) is not None


def test_shelves_share_evenly() -> None:
    ahead = Ahead(400)
    one, other = counting(), counting()
    other.name = "other"
    shelf = ahead.open(one.name, START)
    ahead.open(other.name, START)
    for number in range(50):
        judged(ahead, one, record(number))
    assert 200 <= shelf.bytes < 200 + 200
    judged(ahead, other, record(0))
    assert other.prepared == 1


def test_nothing_is_made_for_a_lane_at_rest_until_it_goes_on() -> None:
    of, ahead = counting(), Ahead(1 << 20)
    one = lane(of, ahead, decode)
    one.add([record(0), record(1)], START)
    attempt = one.take(START, credential())
    assert attempt is not None
    judged(ahead, of, record(2))
    made = of.prepared
    one.answered(attempt, MISCONFIGURED, START)
    one.let_go(START)
    assert judged(ahead, of, record(3)) is None
    assert of.prepared == made
    one.credential_changed(2, START)
    attempt = one.take(START, credential(2))
    assert attempt is not None
    one.answered(attempt, DELIVERED, START)
    one.let_go(START)
    one.add([record(5)], START)
    for _ in range(2):
        one.take(START, credential(2))
    judged(ahead, of, record(4))
    assert of.prepared > made
