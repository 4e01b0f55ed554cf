"""Record batches whose headers have names that are no UTF-8.

Only some clients keep header names to UTF-8, and brokers do not look. aiokafka reads no record
behind such a one, so that it would stop a partition for good. Here the batch is read once more, and
broken characters are replaced.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

_WITH_HEADERS: Final = 2
"""The first format of batches that has them."""


class _Text(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)


class _Tolerant(bytearray):
    """What aiokafka cuts out of it as a name can always be decoded."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Text(found) if isinstance(at, slice) else found


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]  # theirs is Any
    def __iter__(self) -> Any:
        found = super().__iter__()  # which has unpacked it
        self._buffer: bytearray = _Tolerant(self._buffer)
        return found


class Answer:
    """The bytes that a fetch brought of one partition: aiokafka's ``MemoryRecords``, which can be
    read once more from the last batch on.
    """

    __slots__ = ("_batches", "_data", "_given")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._batches = MemoryRecords(data)
        self._given = 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        found: bool = self._batches.has_next()
        return found

    def next_batch(self) -> Any:
        self._given += 1
        return self._batches.next_batch()

    def tolerant(self) -> Answer:
        """The batch that was given last, and those behind it."""
        return _TolerantAnswer(self._data, self._given - 1)


class _TolerantAnswer(Answer):
    __slots__ = ()

    def __init__(self, data: bytes, passed: int) -> None:
        super().__init__(data)
        self._batches = _MemoryRecordsPy(data)
        for _ in range(passed):
            self._batches.next_batch()

    def next_batch(self) -> Any:
        written = self._batches._next_slice  # noqa: SLF001 - before it is made a batch
        batch = super().next_batch()
        return _Batch(written) if batch.magic >= _WITH_HEADERS else batch
