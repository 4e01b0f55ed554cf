"""What a new owner's lane knows of the records before its place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import pytest

from forwarder import opening
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import (
    Committed,
    Outgoing,
    Reader,
    Record,
    TopicPartition,
    Unavailable,
)
from forwarder.opening import Place, StartFrom, places, recent_origins

Q = TopicPartition("q", 0)
NOW = 1_800_000_000.0
HOUR = 3600.0


def queue(ages: Iterable[float], size: int = 10) -> MemoryCluster:
    """A queue of one record for each age in seconds; origins are numbered."""
    cluster = MemoryCluster(time.time)
    cluster.add_topic("q")
    for number, age in enumerate(ages):
        headers = [("forwarder-origin", f"events/0/{number}".encode())]
        at = int((NOW - age) * 1000)
        cluster.put(Q, [Outgoing(None, b"x" * size, headers, at)])
    return cluster


async def known(cluster: MemoryCluster, until: int) -> Mapping[str, float]:
    return await recent_origins(cluster.client("r").reader, Q, until, NOW)


def origins(*numbers: int) -> set[str]:
    return {f"events/0/{number}" for number in numbers}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that a test can reach."""
    monkeypatch.setattr(opening, "READ_BACK_RECORDS", 2)
    monkeypatch.setattr(opening, "READ_BACK_CHUNK", 2)


@pytest.mark.usefixtures("few")
async def test_it_knows_the_last_minutes_below_its_place() -> None:
    cluster = queue([HOUR, HOUR, 200, 100, 50, 40, 30, 20])
    found = await known(cluster, 7)
    assert set(found) == origins(2, 3, 4, 5, 6)
    assert found["events/0/6"] == NOW - 30


@pytest.mark.usefixtures("few")
async def test_it_knows_the_newest_ones_of_a_router_that_catches_up_on_old_events() -> None:
    assert set(await known(queue([5 * HOUR, 4 * HOUR, 3 * HOUR, 2 * HOUR]), 4)) == origins(2, 3)


@pytest.mark.usefixtures("few")
async def test_it_reads_the_newest_first_and_no_more_than_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "READ_BACK_BYTES", 30)
    assert set(await known(queue([60, 50, 40, 30, 20, 10]), 6)) == origins(2, 3, 4, 5)


@pytest.mark.parametrize("until", [0, 1])
async def test_a_queue_without_a_past_has_nothing_to_know(until: int) -> None:
    assert set(await known(queue([10, 5]), until)) == origins(*range(until))


@pytest.mark.parametrize(("age", "place"), [(2 * HOUR, None), (60, Place(0, None))])
async def test_an_offset_behind_the_end_is_none(age: float, place: Place | None) -> None:
    """The queue was made anew, or has lost its end: to begin it again is an operator's to say."""
    cluster = queue([age, age])
    group = cluster.client("r").reader("g")
    await group.start()
    group.assign([Q])
    await group.commit({Q: Committed(3)})
    found = await places(group, cluster.client("r").reader, [Q], None, {}, NOW)
    assert found == {Q: place}


OLD, NEW, EMPTY, KNOWN = (TopicPartition(name, 0) for name in ("old", "new", "empty", "known"))


@pytest.mark.parametrize(
    ("start_from", "old", "new"),
    [
        (None, None, Place(0, None)),
        ("earliest", Place(0, None), Place(0, None)),
        ("latest", Place(3, None), Place(3, None)),
        (NOW - 50.0, Place(2, None), Place(1, None)),
        (NOW + HOUR, Place(3, None), Place(3, None)),
    ],
)
async def test_where_lanes_start(
    start_from: StartFrom, old: Place | None, new: Place | None
) -> None:
    cluster = MemoryCluster(time.time)
    for at, ages in (
        (OLD, (2 * HOUR, HOUR, 20)),
        (NEW, (60, 40, 20)),
        (EMPTY, ()),
        (KNOWN, (9, 8)),
    ):
        cluster.add_topic(at.topic)
        cluster.put(at, [Outgoing(None, b"x", (), int((NOW - age) * 1000)) for age in ages])
    group = cluster.client("r").reader("g")
    await group.start()
    group.assign([KNOWN])
    await group.commit({KNOWN: Committed(1, "state")})
    ends = {OLD: 3, NEW: 3, EMPTY: 0, KNOWN: 2}
    found = await places(
        group, cluster.client("r").reader, [OLD, NEW, EMPTY, KNOWN], start_from, ends, NOW
    )
    assert found == {
        OLD: old,
        NEW: new,
        EMPTY: Place(0, None),
        KNOWN: Place(1, Committed(1, "state")),
    }


@pytest.mark.parametrize("start_from", ["latest", NOW - 10.0, NOW + HOUR])
async def test_what_was_routed_after_the_start_is_no_history(start_from: StartFrom) -> None:
    """Routers may be quicker than the lane of a new queue, and records may be dated back."""
    cluster = queue([2 * HOUR, 60, 40, 20])
    group = cluster.client("r").reader("g")
    await group.start()
    for end in (0, 2):
        found = await places(group, cluster.client("r").reader, [Q], start_from, {Q: end}, NOW)
        assert found == {Q: Place(end, None)}


class _Silent:
    """A reader whose brokers answer everything but fetches."""

    def __init__(self, inner: Reader) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def poll(self, *_: object) -> Mapping[TopicPartition, Sequence[Record]]:
        return {}


async def test_a_slow_answer_is_not_taken_for_an_empty_queue() -> None:
    cluster = queue([2 * HOUR])
    group = cluster.client("r").reader("g")
    await group.start()

    def silent() -> Reader:
        return cast("Reader", _Silent(cluster.client("r").reader()))

    with pytest.raises(Unavailable):
        await places(group, silent, [Q], None, {}, NOW)
    with pytest.raises(Unavailable):
        await recent_origins(silent, Q, 1, NOW)


async def test_hundreds_of_queues_are_asked_for_together() -> None:
    cluster = MemoryCluster(time.time)
    queues = [TopicPartition(f"q{number}", 0) for number in range(300)]
    for at in queues:
        cluster.add_topic(at.topic)
    asked = 0

    def counting() -> Reader:
        nonlocal asked
        asked += 1
        return cluster.client("r").reader(None)

    group = cluster.client("r").reader("g")
    await group.start()
    found = await places(group, counting, queues, None, {}, NOW)
    assert found == dict.fromkeys(queues, Place(0, None))
    assert asked == 1
