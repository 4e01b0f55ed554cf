"""What waits to be written, by account. Pure.

One account's full queue must not hold up another's records, and nothing may pile up in memory. So
a scan goes on while some account has room, passes over the records of those that have none, and
remembers where; another scan from there gives them their turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from forwarder.deadletters.judge import Candidate, Judge
from forwarder.kafka.port import Record, TopicPartition

LEAST: Final = 500
BYTES: Final = 32 << 20
"""Of the records that wait here, of all accounts."""


@dataclass(slots=True)
class _Basket:
    room: int
    records: deque[Candidate] = field(default_factory=deque)
    bytes: int = 0
    left: int = 0
    """Of those that were counted, how many are still to come."""


class Feed:
    """``expected``: how many were counted for each account; ``batches``: deliveries in a request of
    each; ``limit``: how many may be sent at most.
    """

    def __init__(
        self,
        judge: Judge,
        expected: Mapping[str, int],
        batches: Mapping[str, int],
        limit: int | None = None,
    ) -> None:
        self._judge = judge
        self._baskets = {
            account: _Basket(room=max(LEAST, 2 * batches[account]), left=number)
            for account, number in expected.items()
            if number
        }
        self._bytes = BYTES // max(1, len(self._baskets))
        self._limit = limit
        self._passed: dict[TopicPartition, int] = {}
        self._behind: set[str] = set()
        self._pending = set(self._baskets)

    # -- records in -----------------------------------------------------------------------------
    def offer(self, record: Record, now: float) -> None:
        """Keep what may be sent of it, or remember that it was passed over."""
        for judgement in self._judge.judge(record, now):
            candidate = judgement.candidate
            if candidate is None or self._limit == 0:
                continue
            basket = self._baskets.get(candidate.account)
            if basket is None:
                continue  # became fit to be sent after it was counted: a later run has it
            if self._full(basket):
                at = TopicPartition(record.topic, record.partition)
                self._passed[at] = min(record.offset, self._passed.get(at, record.offset))
                self._behind.add(candidate.account)
            else:
                self._keep(basket, candidate)

    def _keep(self, basket: _Basket, candidate: Candidate) -> None:
        self._judge.take(candidate)
        basket.records.append(candidate)
        basket.bytes += candidate.size
        basket.left -= 1
        if self._limit is not None:
            self._limit -= 1

    def _full(self, basket: _Basket) -> bool:
        return len(basket.records) >= basket.room or basket.bytes >= self._bytes

    @property
    def free(self) -> int:
        """How many records may be read on for some account that has room; 0: for none."""
        if self._limit == 0:
            return 0
        baskets = [self._baskets[account] for account in self._pending]
        hungry = [b.room - len(b.records) for b in baskets if b.left > 0 and not self._full(b)]
        return max(hungry, default=0)

    # -- records out ----------------------------------------------------------------------------
    def ready(self) -> Sequence[str]:
        """Accounts for which something waits."""
        return [account for account, basket in self._baskets.items() if basket.records]

    def take(self, account: str, most: int) -> list[Candidate]:
        basket = self._baskets[account]
        taken = [basket.records.popleft() for _ in range(min(most, len(basket.records)))]
        basket.bytes -= sum(candidate.size for candidate in taken)
        return taken

    # -- passes ---------------------------------------------------------------------------------
    def again(self) -> Mapping[TopicPartition, int] | None:
        """Where the next pass starts, by partition; ``None``: nothing was passed over."""
        if not self._passed or self._limit == 0:
            return None
        starts, self._passed = self._passed, {}
        self._pending, self._behind = self._behind, set()
        for account in self._pending:  # counted or not: they were seen
            self._baskets[account].left = max(1, self._baskets[account].left)
        return starts

    def settled(self, position: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Up to which offset nothing is left to do. ``position``: where the scan stands."""
        lowest = dict(position)
        for at, offset in self._passed.items():
            lowest[at] = min(offset, lowest.get(at, offset))
        for basket in self._baskets.values():
            for candidate in basket.records:
                at = TopicPartition(*candidate.entry.at[:2])
                lowest[at] = min(
                    candidate.entry.at.offset, lowest.get(at, candidate.entry.at.offset)
                )
        return lowest
