"""What waits to be written: bounded, fair, and nothing of it lost between passes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from forwarder.deadletters import feed as feed_module
from forwarder.deadletters.feed import Feed
from forwarder.deadletters.judge import Candidate, Judgement, Kind
from forwarder.deadletters.ledger import Entry
from forwarder.deadletters.marks import Marks, Place
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.kafka.port import Record, TopicPartition
from forwarder.kafka.records import Progress

DLQ = "dlq"


class ByKey:
    """A judge for whom a record's key is the account that gets it."""

    def __init__(self) -> None:
        self._taken = Marks()

    def judge(self, record: Record, now: float) -> Sequence[Judgement]:
        account = (record.key or b"").decode()
        at = Place(record.topic, record.partition, record.offset)
        if self._taken.has(account, at):
            return (Judgement(Kind.SENT, account),)
        entry = Entry(at, account, str(at), shared=False)
        candidate = Candidate(account, entry, record, Progress(str(at)))
        return (Judgement(Kind.TO_SEND, account, candidate),)

    def take(self, candidate: Candidate) -> None:
        self._taken.add(candidate.account, candidate.entry.at)


def record(account: str, offset: int, partition: int = 0, size: int = 1) -> MemoryRecord:
    return MemoryRecord(DLQ, partition, offset, 0, account.encode(), b"x" * size, ())


def made(expected: dict[str, int], batch: int = 500, limit: int | None = None) -> Feed:
    return Feed(ByKey(), expected, dict.fromkeys(expected, batch), limit)


def offsets(candidates: Sequence[Candidate]) -> list[int]:
    return [candidate.entry.at.offset for candidate in candidates]


def test_what_is_offered_comes_out_in_order() -> None:
    feed = made({"a": 3})
    for offset in range(3):
        feed.offer(record("a", offset), 0.0)
    assert feed.ready() == ["a"]
    assert offsets(feed.take("a", 2)) == [0, 1]
    assert offsets(feed.take("a", 2)) == [2]
    assert feed.ready() == []


def test_a_full_account_is_passed_over_and_has_its_turn_later() -> None:
    feed = made({"a": 1200, "b": 1})
    for offset in range(1200):
        feed.offer(record("a", offset), 0.0)
    assert feed.free > 0  # for b
    feed.offer(record("b", 1200), 0.0)
    assert feed.free == 0
    assert offsets(feed.take("a", 5000)) == list(range(1000))
    assert feed.again() == {TopicPartition(DLQ, 0): 1000}
    assert feed.free > 0
    for offset in range(1000, 1200):
        feed.offer(record("a", offset), 0.0)
    feed.offer(record("b", 1200), 0.0)
    assert offsets(feed.take("a", 5000)) == list(range(1000, 1200))
    assert offsets(feed.take("b", 5000)) == [1200]
    assert feed.again() is None


def test_large_records_fill_it_too() -> None:
    feed = made({"a": 100})
    size = feed_module.BYTES // 4
    for offset in range(10):
        feed.offer(record("a", offset, size=size), 0.0)
    assert len(feed.take("a", 100)) == 4


def test_reading_ends_when_all_that_was_counted_came() -> None:
    feed = made({"a": 1})
    assert feed.free > 0
    feed.offer(record("a", 0), 0.0)
    assert feed.free == 0


def test_the_limit_counts_over_all_accounts() -> None:
    feed = made({"a": 5, "b": 5}, limit=3)
    for offset in range(10):
        feed.offer(record("ab"[offset % 2], offset), 0.0)
    assert len(feed.take("a", 9)) + len(feed.take("b", 9)) == 3
    assert feed.free == 0
    assert feed.again() is None


def test_an_account_that_was_not_counted_is_left_to_a_later_run() -> None:
    feed = made({"a": 1})
    feed.offer(record("new", 0), 0.0)
    assert feed.ready() == []


def test_only_what_is_behind_all_that_is_left_is_settled() -> None:
    at, other = TopicPartition(DLQ, 0), TopicPartition(DLQ, 1)
    feed = made({"a": 1003})
    assert feed.settled({at: 7, other: 3}) == {at: 7, other: 3}
    for offset in range(1001):
        feed.offer(record("a", offset), 0.0)
    feed.offer(record("a", 4, partition=1), 0.0)
    assert feed.settled({at: 1001, other: 5}) == {at: 0, other: 4}
    feed.take("a", 999)
    assert feed.settled({at: 1001, other: 5}) == {at: 999, other: 4}
    feed.take("a", 999)
    assert feed.settled({at: 1001, other: 5}) == {at: 1000, other: 4}


@given(
    st.lists(st.sampled_from("abc"), max_size=60),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=200),
    st.integers(1, 3),
)
def test_everything_comes_out_once_whatever_the_order(
    accounts: list[str], takes: list[tuple[str, int]], room: int
) -> None:
    expected = {account: accounts.count(account) for account in "abc"}
    least, feed_module.LEAST = feed_module.LEAST, room  # type: ignore[misc]
    try:
        feed = Feed(ByKey(), expected, dict.fromkeys(expected, 1), None)
    finally:
        feed_module.LEAST = least  # type: ignore[misc]
    out: list[int] = []
    turns = iter(takes)
    start: int | None = 0
    at = TopicPartition(DLQ, 0)
    for _ in range(200):
        if start is None:
            break
        for offset in range(start, len(accounts)):
            feed.offer(record(accounts[offset], offset), 0.0)
            settled = feed.settled({at: offset + 1})[at]
            account, number = next(turns, ("a", 0))
            if account in feed.ready():
                out += offsets(feed.take(account, number))
            assert all(taken in out for taken in range(settled))
        for account in feed.ready():
            out += offsets(feed.take(account, 10))
        starts = feed.again()
        start = None if starts is None else starts[at]
    assert sorted(out) == list(range(len(accounts)))
