"""Watches that the consumers move, and measures what waits and how late the loop is.

A consumer can stay alive and never rejoin its group, without any signal of its own. So progress
decides: none for two minutes while the brokers answer means that only a restart helps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from forwarder.board import Watched
from forwarder.kafka.port import Admin, Broken, KafkaProblem, TopicPartition
from forwarder.ops.logs import Log
from forwarder.polling import Behind

LOOK_SECONDS = 10.0
LOOK_TIME_LIMIT = 8.0
STEP_SECONDS = 1.0
BEAT_SECONDS = 0.5
NO_PROGRESS = 120.0


class Member(Protocol):
    """A router or a sender, as the watchdog sees it."""

    @property
    def role(self) -> str: ...

    @property
    def partitions(self) -> Collection[TopicPartition]: ...

    @property
    def progress_at(self) -> float:
        """Clock time since when nothing moved: the last poll that returned, or the last
        acknowledged commit, which is the lease; whichever is longer ago.
        """
        ...

    async def behind(self) -> Mapping[TopicPartition, Behind]:
        """Records not yet finished of each partition it has. Raises ``KafkaProblem``."""
        ...


class Watchdog:
    """Writes what it sees into ``watched``. ``run`` raises ``Broken`` when only a restart helps."""

    def __init__(
        self,
        members: Sequence[Member],
        admin: Admin,
        watched: Watched,
        log: Log,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._members = members
        self._admin = admin
        self._watched = watched
        self._log = log
        self._clock = clock
        self._now = now
        self._latest = now()
        self._counts_from = clock()
        self._has: frozenset[TopicPartition] = frozenset()
        self._deleted: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        beat = asyncio.create_task(self._beat(), name="watchdog-beat")
        try:
            while True:
                slept_at = self._clock()
                await self._until_due(slept_at + LOOK_SECONDS)
                if self._clock() - slept_at > 2 * LOOK_SECONDS:  # all of us stood still
                    self._counts_from = self._clock()
                self._require_time()
                await self._look()
                self._log.flush()
        finally:
            beat.cancel()

    async def _until_due(self, at: float) -> None:
        """Until then, or until somebody has other partitions, of which nothing is known yet."""
        while self._clock() < at:
            await asyncio.sleep(STEP_SECONDS)
            has = frozenset(tp for member in self._members for tp in member.partitions)
            if has != self._has:
                self._has = has
                return

    async def _beat(self) -> None:
        while True:
            due = self._clock() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            self._watched.loop_lag = max(self._watched.loop_lag * 0.9, self._clock() - due)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_TIME_LIMIT):
                await self._admin.topics()
        except (KafkaProblem, TimeoutError) as problem:
            self._reachable(False, str(problem) or "no answer")
            return
        self._reachable(True)
        self._require_progress()
        try:
            async with asyncio.timeout(LOOK_TIME_LIMIT):
                found = [await member.behind() for member in self._members]
        except (KafkaProblem, TimeoutError):
            return  # the numbers stay as they were; the next look is soon
        behind = {tp: one for of_member in found for tp, one in of_member.items()}
        self._watched.behind = {tp: one.waiting for tp, one in behind.items()}
        for tp, one in behind.items():
            if one.deleted and one.deleted != self._deleted.get(tp):
                self._log.error("records_deleted", topic=tp.topic, records=one.deleted)
        self._deleted = {tp: one.deleted for tp, one in behind.items()}

    def _reachable(self, now: bool, error: str = "") -> None:
        if self._watched.kafka_reachable and not now:
            self._log.error("kafka_unreachable", error=error)
        elif now and not self._watched.kafka_reachable:
            self._log.info("kafka_back")
            self._counts_from = self._clock()
        self._watched.kafka_reachable = now

    def _require_time(self) -> None:
        """What lanes wait for are times of day."""
        before, self._latest = self._latest, self._now()
        if self._latest < before:
            self._watched.sick = f"the clock went back by {before - self._latest:.0f} s"
            raise Broken(self._watched.sick)

    def _require_progress(self) -> None:
        for member in self._members:
            idle = self._clock() - max(member.progress_at, self._counts_from)
            if idle > NO_PROGRESS:
                self._watched.sick = f"the {member.role} made no progress for {idle:.0f} s"
                raise Broken(f"{self._watched.sick}, though the brokers answer")
