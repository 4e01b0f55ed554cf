"""Reading a topic to the ends that it had."""

from __future__ import annotations

import time

import pytest

from forwarder.deadletters import scan
from forwarder.deadletters.scan import QUIET, Scan, Span
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import Outgoing, Record, Refused, TopicPartition, Unavailable

A, B = TopicPartition("dlq", 0), TopicPartition("dlq", 1)


@pytest.fixture
def cluster() -> MemoryCluster:
    made = MemoryCluster(lambda: 1000.0)
    made.add_topic("dlq", 2)
    for at in (A, B):
        made.put(at, [Outgoing(None, str(n).encode(), (), n * 100_000) for n in range(10)])
    return made


async def read(cluster: MemoryCluster, spans: scan.Spans, **more: bool) -> list[Record]:
    reader = cluster.client("test").reader()
    await reader.start()
    reading = Scan(reader, spans, time.monotonic, **more)
    found = [record async for records in reading.batches() for record in records]
    assert reading.done
    assert reading.left == 0
    return found


async def test_all_partitions_are_read_to_their_ends_at_the_start(cluster: MemoryCluster) -> None:
    reader = cluster.client("test").reader()
    spans = await scan.spans(reader, [A, B])
    assert scan.size(spans) == 20
    cluster.put(A, [Outgoing(None, b"later", ())])
    found = await read(cluster, spans)
    assert sorted((r.partition, r.offset) for r in found) == [
        (p, o) for p in (0, 1) for o in range(10)
    ]


async def test_a_span_is_cut_to_size(cluster: MemoryCluster) -> None:
    found = await read(cluster, {A: Span(3, 5), B: Span(4, 4)})
    assert [(r.partition, r.offset) for r in found] == [(0, 3), (0, 4)]


async def test_nothing_to_read_is_read_at_once(cluster: MemoryCluster) -> None:
    assert await read(cluster, {}) == []
    assert await scan.spans(cluster.client("test").reader(), []) == {}


async def test_since_leaves_out_what_is_older_but_for_the_clocks(cluster: MemoryCluster) -> None:
    reader = cluster.client("test").reader()
    found = await scan.spans(reader, [A], since=500.0)
    assert found == {A: Span(5, 10)}  # written at 500; at 440 with a minute of slack
    assert await scan.spans(reader, [A], since=961.0) == {A: Span(10, 10)}


async def test_a_missing_topic_is_named(cluster: MemoryCluster) -> None:
    admin = cluster.client("test").admin()
    assert await scan.partitions(admin, "dlq") == [A, B]
    with pytest.raises(Refused, match="no topic nope that this principal can see"):
        await scan.partitions(admin, "nope")


async def test_records_deleted_while_reading_are_not_waited_for(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "QUIET", 0.0)
    await cluster.client("test").admin().delete_records({A: 10})
    assert await read(cluster, {A: Span(0, 10)}) == []


@pytest.mark.parametrize("foreign", [True, False])
async def test_silence_before_the_end(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, foreign: bool
) -> None:
    """The marks of a transaction are offsets without records; in our own topics there are none."""
    assert QUIET > 5
    monkeypatch.setattr(scan, "QUIET", 0.0)
    spans = {A: Span(8, 12)}
    if foreign:
        assert [r.offset for r in await read(cluster, spans, foreign=True)] == [8, 9]
    else:
        with pytest.raises(Unavailable, match="no records come from dlq/0"):
            await read(cluster, spans)
