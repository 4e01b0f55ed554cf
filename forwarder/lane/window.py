"""The window of a lane: every record read and not committed, by offset.

    committed │ watermark                                       highest read
    ──────────┼──────┬────────────────────────────────────────────────┐
              │ unfinished │ finished │ unfinished │ finished │ waiting │
    ──────────┴──────┴────────────────────────────────────────────────┘

Offsets have gaps (compaction, markers), so the watermark runs over the offsets that were seen,
never over a range: it is the lowest unfinished one, or one past the highest read when all are done.
A finished offset keeps a number here and nothing else until the watermark passes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from forwarder.lane.delivery import FINISHED, WAITING, WRITING, Delivery

OVERHEAD: Final = 1000
"""Bytes that a waiting record takes beside its own, measured: small ones are mostly that."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a window may hold beside its bytes: offsets from first to last, offsets kept in mind,
    and deliveries.
    """

    span: int = 1_000_000
    seen: int = 500_000
    unfinished: int = 200_000


class Window:
    """See the module. All operations are O(1), amortised.

    ``waiting``: deliveries that wait for their first turn, in offset order. The window's owner
    takes from it; entries that went another way are passed over there.
    """

    __slots__ = (
        "_batch",
        "_bounds",
        "_order",
        "_unfinished",
        "bytes",
        "highest_finished",
        "highest_read",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, batch_events: int, batch_bytes: int, bounds: Bounds | None = None) -> None:
        self._batch = (batch_events, batch_bytes)
        self._bounds = bounds or Bounds()
        self._order: deque[int] = deque()
        self._unfinished: dict[int, Delivery] = {}
        self.bytes = 0
        self.highest_read = -1
        self.highest_finished = -1
        self.waiting: deque[Delivery] = deque()
        self.waiting_bytes = 0

    def __len__(self) -> int:
        """How many deliveries are unfinished."""
        return len(self._unfinished)

    def add(self, delivery: Delivery) -> None:
        """Take a delivery whose offset is above all before it; it waits for its turn."""
        offset = delivery.offset
        self.highest_read = offset
        self._order.append(offset)
        self._unfinished[offset] = delivery
        self.bytes += delivery.size
        self.waiting.append(delivery)
        self.waiting_bytes += delivery.size

    def first_waiting(self) -> Delivery | None:
        """The next one that waits for its first turn; those that went another way are dropped."""
        waiting = self.waiting
        while waiting:
            if waiting[0].state == WAITING and waiting[0].group is None:
                return waiting[0]
            self.next_waiting()
        return None

    def next_waiting(self) -> Delivery:
        delivery = self.waiting.popleft()
        self.waiting_bytes -= delivery.size
        return delivery

    def put_back(self, delivery: Delivery) -> None:
        """Undo ``next_waiting``."""
        self.waiting.appendleft(delivery)
        self.waiting_bytes += delivery.size

    def finish(self, deliveries: Iterable[Delivery]) -> None:
        """These have ended, each for the first time: ``KeyError`` for a second one."""
        unfinished = self._unfinished
        highest = self.highest_finished
        freed = 0
        for delivery in deliveries:
            offset = delivery.offset
            del unfinished[offset]
            delivery.state = FINISHED
            delivery.item = None
            delivery.group = None  # the group names it too: a cycle would wait for the collector
            freed += delivery.size
            if offset > highest:  # noqa: PLR1730 - max() is a call, for every delivery
                highest = offset
        self.bytes -= freed
        self.highest_finished = highest

    @property
    def finished_ahead(self) -> int:
        """How many have ended above the watermark, so that their offsets are not committed yet."""
        self.oldest()
        return len(self._order) - len(self._unfinished)

    @property
    def watermark(self) -> int | None:
        """The offset to commit; ``None``: nothing was read yet."""
        oldest = self.oldest()
        if oldest is not None:
            return oldest.offset
        return None if self.highest_read < 0 else self.highest_read + 1

    def oldest(self) -> Delivery | None:
        """The unfinished delivery with the lowest offset."""
        order, unfinished = self._order, self._unfinished
        while order:
            delivery = unfinished.get(order[0])
            if delivery is not None:
                return delivery
            order.popleft()
        return None

    def unfinished(self) -> Iterator[Delivery]:
        """All unfinished deliveries, lowest offset first. The window must not change meanwhile."""
        self.oldest()
        return filter(None, map(self._unfinished.get, self._order))

    def line_up(self) -> None:
        """Let everything that belongs to no group wait for its first turn, in order."""
        found = [d for d in self.unfinished() if d.group is None and d.state != WRITING]
        self.waiting = deque(found)
        self.waiting_bytes = sum(delivery.size for delivery in self.waiting)

    def let_go(self, keep: int, spared: Container[Delivery]) -> int | None:
        """Forget the newest of those that only wait, down to ``keep`` deliveries, as if they had
        never been read. The offset to read from again; ``None``: nothing was let go.
        """
        again: int | None = None
        waiting, order = self.waiting, self._order
        while len(self) > keep and waiting and waiting[-1].offset == order[-1]:
            delivery = waiting[-1]
            if delivery.state != WAITING or delivery.group is not None or delivery in spared:
                break
            again = delivery.offset
            waiting.pop()
            order.pop()
            del self._unfinished[again]
            self.bytes -= delivery.size
            self.waiting_bytes -= delivery.size
            self.highest_read = again - 1
        return again

    def room(self, allowance: int) -> bool:
        """Whether to read on while ``allowance`` bytes may be held.

        A batch and one record always fit, however small the allowance. The bounds on numbers
        hold against a delivery that holds the watermark while everything after it ends.
        """
        self.oldest()
        bounds = self._bounds
        if len(self._order) >= bounds.seen or len(self) >= bounds.unfinished:
            return False
        if self._order and self.highest_read - self._order[0] >= bounds.span:
            return False
        events, size = self._batch
        held = self.bytes + OVERHEAD * len(self)
        return held < allowance or (len(self) <= events and self.bytes <= size)
