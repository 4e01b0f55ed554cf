"""Records whose headers have names that are no UTF-8, as aiokafka's consumer is given them."""

from __future__ import annotations

import struct
from itertools import islice
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from forwarder.kafka.header_names import Answer
from forwarder.kafka.inside import Fetched
from tests.support.raw_producer import Foreign

GZIP, NONE = 1, 0
READ_COMMITTED = 1


def batch(first: int, names: list[str], compression: int) -> bytes:
    """One record for each name, from the offset ``first`` on."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        builder.append(number, 1_795_000_000_000, b"key", b"value", [(name, b"1"), ("b", None)])
    written = bytes(builder.build())
    return struct.pack(">q", first) + written[8:]  # what the broker fills in


def fetched(*batches: bytes, start: int = 0) -> Any:
    data = b"".join(batches)
    return Fetched(
        TopicPartition("t", 0), Answer(data), [], start, None, None, True, READ_COMMITTED
    )


@pytest.mark.parametrize("compression", [NONE, GZIP])
@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_every_record_comes_once_and_in_order(compression: int, at_once: int) -> None:
    bad = Foreign("x")
    records = fetched(
        batch(0, ["a", "a"], compression),
        batch(2, ["a", bad, "a", bad], compression),
        batch(6, ["a"], compression),
        batch(7, [bad], compression),
    )
    found: list[Any] = []
    while some := list(islice(records, at_once)):
        found += some
        assert records.next_fetch_offset == found[-1].offset + 1
    assert [record.offset for record in found] == list(range(8))
    names = [record.headers[0][0] for record in found]
    assert names == ["a", "a", "a", "\ufffd-x", "a", "\ufffd-x", "a", "\ufffd-x"]
    assert all(record.headers[1:] == (("b", None),) for record in found)
    assert {record.value for record in found} == {b"value"}


def test_what_was_read_before_is_passed_over() -> None:
    records = fetched(batch(0, ["a", Foreign("x"), "a"], NONE), start=2)
    assert [record.offset for record in records] == [2]


def test_one_that_is_dropped_in_the_middle_is_gone() -> None:
    records = fetched(batch(0, ["a", Foreign("x"), "a"], NONE))
    assert next(records).offset == 0
    inner = records._records
    del records
    assert inner._records_iterator is None
