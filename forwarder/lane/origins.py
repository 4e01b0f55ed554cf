"""Records that a router wrote twice: for vendors that do not drop a repeat by themselves.

A router that crashed between writing and committing writes up to two poll batches again. Their
copies carry the same origin and stand in the queue within the time that a router's session takes
to end, so an origin seen in the last minutes marks a copy.

Only offsets that were really seen count; one that lies between two of them may never have been
written. Neighbours are kept as one interval. Minutes are counted on two clocks, the lane's and the
newest timestamp in the queue, and both must have passed: a lane that stands still must not forget.

A copy has the timestamp of the first, so what is newer than all that was there when its origin was
seen is none: the events topic was deleted and made anew, and its offsets began again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

KEEP_SECONDS: Final = 300.0
SPAN_SECONDS: Final = 30.0
MAX_INTERVALS: Final = 100_000
MAX_DIGITS: Final = 19


class Interval:
    __slots__ = ("last", "read_at", "written_at")

    def __init__(self, last: int, read_at: float, written_at: float) -> None:
        self.last = last
        self.read_at = read_at
        self.written_at = written_at


class Origins:
    """Intervals of origins by events partition, at most ``MAX_INTERVALS`` in all."""

    __slots__ = ("_count", "_limit", "_newest", "_partitions", "_swept_at")

    def __init__(self, now: float, limit: int = MAX_INTERVALS) -> None:
        self._partitions: dict[str, tuple[list[int], list[Interval]]] = {}
        self._newest = 0.0
        self._swept_at = now
        self._count = 0
        self._limit = limit

    def __len__(self) -> int:
        return self._count

    def seen(self, origin: str, written_at: float, now: float) -> bool:
        """Whether ``origin`` was there before; it is from now on. ``written_at``: the timestamp of
        its record, epoch seconds. What is no origin was never seen.
        """
        partition, _, number = origin.rpartition("/")
        if len(number) > MAX_DIGITS or not number.isdecimal():
            return False
        if written_at > self._newest:  # noqa: PLR1730 - max() is a call, for every record
            self._newest = written_at
        if now - self._swept_at >= SPAN_SECONDS:
            self._sweep(now)
        known = self._partitions.get(partition)
        if known is None:
            known = self._partitions[partition] = ([], [])
        starts, intervals = known
        offset = int(number)
        if not intervals or offset > intervals[-1].last:  # nearly always
            index = len(intervals) - 1
        else:
            index = bisect_right(starts, offset) - 1
            if index >= 0 and offset <= intervals[index].last:
                if written_at <= intervals[index].written_at:
                    return True
                starts, intervals = self._anew(partition)
                index = -1
        self._insert(starts, intervals, index, offset, now)
        return False

    def _anew(self, partition: str) -> tuple[list[int], list[Interval]]:
        """Forget what was seen of another topic of the same name."""
        self._count -= len(self._partitions[partition][0])
        self._partitions[partition] = ([], [])
        return self._partitions[partition]

    def _insert(
        self, starts: list[int], intervals: list[Interval], index: int, offset: int, now: float
    ) -> None:
        """After the interval at ``index``, or as its next offset."""
        if index >= 0:
            before = intervals[index]
            if before.last == offset - 1 and now - before.read_at < SPAN_SECONDS:
                before.last = offset
                before.written_at = self._newest
                return
        starts.insert(index + 1, offset)
        intervals.insert(index + 1, Interval(offset, now, self._newest))
        self._count += 1
        if self._count > self._limit:
            self._forget_oldest()

    def _sweep(self, now: float) -> None:
        """Forget what is older than ``KEEP_SECONDS`` by both clocks."""
        self._swept_at = now
        read, written = now - KEEP_SECONDS - SPAN_SECONDS, self._newest - KEEP_SECONDS
        self._keep_if(lambda i: i.read_at >= read or i.written_at >= written)

    def _forget_oldest(self) -> None:
        """Forget the half that was read first."""
        ages = sorted(i.read_at for _, found in self._partitions.values() for i in found)
        middle = ages[len(ages) // 2]
        before = self._count
        self._keep_if(lambda i: i.read_at > middle)
        if self._count == before:
            self._partitions.clear()
            self._count = 0

    def _keep_if(self, wanted: Callable[[Interval], bool]) -> None:
        kept: dict[str, tuple[list[int], list[Interval]]] = {}
        for partition, (starts, intervals) in self._partitions.items():
            pairs = [(s, i) for s, i in zip(starts, intervals, strict=True) if wanted(i)]
            if pairs:
                kept[partition] = ([s for s, _ in pairs], [i for _, i in pairs])
        self._partitions = kept
        self._count = sum(len(starts) for starts, _ in kept.values())
