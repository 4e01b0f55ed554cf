"""Proof that this replica still is a member of its group: how old the last answer is.

A replica that is cut off from its coordinator is told nothing and would go on sending what another
one sends too. So requests leave, and records are written, only while the last acknowledged commit
was *sent* less than half the session time-out ago. A replica that was frozen finds its lease over.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from forwarder.kafka.port import Committed, Stale, TopicPartition, Unavailable


class Commits(Protocol):
    """What a lease needs of a ``Consumer``."""

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None: ...


class Lease:
    """One consumer's lease. ``clock``: seconds that go on while the process is stopped."""

    def __init__(
        self, consumer: Commits, session_timeout: float, clock: Callable[[], float]
    ) -> None:
        self._consumer = consumer
        self._clock = clock
        self._term = session_timeout / 2
        self._time_limit = session_timeout
        self._sent_at = -math.inf
        self._begun_at = clock()
        self.assignment = 0
        """Counts up: whose work something was."""
        self.stale = False
        """The coordinator said that this generation is over; until the next assignment."""

    @property
    def age(self) -> float:
        """Seconds since the last acknowledged commit was sent; ``inf`` before the first."""
        return self._clock() - self._sent_at

    @property
    def held(self) -> bool:
        return not self.stale and self.age < self._term

    @property
    def ends_at(self) -> float:
        """Clock time at which it ends unless it is renewed."""
        return self._sent_at + self._term

    @property
    def ageing(self) -> bool:
        """Whether it is time to renew, even with nothing new to commit."""
        return self.age > self._term * 0.4

    def begin(self) -> None:
        """A new assignment: the lease starts with its first commit."""
        self._sent_at = -math.inf
        self._begun_at = self._clock()
        self.assignment += 1
        self.stale = False

    @property
    def renewed_at(self) -> float:
        """Clock time of the last acknowledged commit, or of the assignment before the first."""
        return max(self._sent_at, self._begun_at)

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit and, once acknowledged, hold the lease from the moment it was sent. An answer from
        before the last assignment says nothing of this one.

        Raises ``Stale`` and ``Unavailable`` as ``Consumer.commit`` does, in bounded time.
        """
        sent_at, assignment = self._clock(), self.assignment
        try:
            async with asyncio.timeout(self._time_limit):
                await self._consumer.commit(offsets)
        except Stale:
            self.stale = self.stale or assignment == self.assignment
            raise
        except TimeoutError:
            raise Unavailable("no acknowledgement of a commit") from None
        if assignment == self.assignment:
            self._sent_at = max(self._sent_at, sent_at)
