"""What Kafka alone tells about every account: what waits, since when, why, and who looks after it.

No replica is asked. A sender keeps its lane's state with each commit, so what is told here is at
most a few seconds old, and outlives all replicas.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from forwarder.deadletters import scan
from forwarder.deadletters.letter import Letter
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.settings import AccountSettings
from forwarder.event import peek
from forwarder.kafka.places import within
from forwarder.kafka.port import Admin, Committed, Reader, Record, Refused, TopicPartition
from forwarder.kafka.topics import queues_without_account
from forwarder.lane.state import KeptState, decode
from forwarder.opening import OLD_RECORD
from forwarder.ops.condition import Condition, condition, explain
from forwarder.ops.status import AccountStatus, LaneStatus
from forwarder.settings import Settings

HOUR: Final = 3600.0
NO_OFFSET: Final = "no_offset"


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """``owner``: the member that has its queue, ``None``: nobody. Counts of what was scanned."""

    status: AccountStatus
    owner: str | None
    retrying: int
    dead_lettered: int

    def condition(self, now: float) -> Condition:
        return condition(self.status, now)

    def why(self, now: float) -> str:
        """Why it waits, in words; empty when there is nothing to say."""
        lane = self.status.lane
        parts = [explain(self.status, now)]
        if lane is not None and lane.reason == NO_OFFSET:
            parts = ["its offsets are lost: set kafka.start_from to say where to begin"]
        if self.owner is None:
            parts.append("no sender runs for it")
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Overview:
    """``orphans``: queues without an account, and how much is left in them. ``complete``: whether
    retries and dead letters were all read, and not only as many as were asked for.
    """

    at: float
    accounts: Sequence[AccountOverview]
    unrouted: int
    """Records of the events topic that no router has read."""
    routers: Collection[str]
    whole_dead_lettered: int
    """Dead letters of the last hour that belong to no account."""
    orphans: Mapping[str, int]
    complete: bool


@dataclass(slots=True)
class _Tallies:
    """By account; ``""`` for none."""

    retrying: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    complete: bool = True


class Observer:
    """Looks once. ``most``: records of the retry topics and of the dead letters that are read."""

    def __init__(self, admin: Admin, reader: Reader, settings: Settings, most: int) -> None:
        self._admin = admin
        self._reader = reader
        self._settings = settings
        self._most = most
        self._there: Mapping[str, int] = {}

    async def look(self, now: float) -> Overview:
        """Raises ``KafkaProblem``."""
        self._there = await self._admin.topics()
        await scan.partitions(self._admin, self._settings.kafka.events_topic)
        routed = await self._admin.committed(self._settings.kafka.group_id)
        places, owners = await self._senders()
        queues = self._queues()
        bounds = await self._bounds(list(queues.values()))
        kept, left = within(places, bounds), _left(bounds, places)
        firsts = await self._firsts(bounds, left)
        tallies = await self._tallies(routed, now)
        kafka = self._settings.kafka
        routers = await self._admin.members(kafka.group_id)
        return Overview(
            at=now,
            accounts=[
                AccountOverview(
                    status=self._account(name, queues.get(name), kept, left, firsts, now),
                    owner=owners.get(queues[name]) if name in queues else None,
                    retrying=tallies.retrying[name],
                    dead_lettered=tallies.dead[name],
                )
                for name in self._settings.accounts
            ],
            unrouted=await self._behind(kafka.events_topic, routed),
            routers=sorted(set(routers.values())),
            whole_dead_lettered=tallies.dead[""],
            orphans=await self._orphans(places),
            complete=tallies.complete,
        )

    # -- queues -----------------------------------------------------------------------------------
    def _queues(self) -> dict[str, TopicPartition]:
        """Those that exist, by account."""
        queue = self._settings.kafka.queue_topic
        names = self._settings.accounts
        return {n: TopicPartition(queue(n), 0) for n in names if queue(n) in self._there}

    def _destinations(self) -> set[str]:
        return {account.destination for account in self._settings.accounts.values()}

    async def _senders(
        self,
    ) -> tuple[dict[TopicPartition, Committed], dict[TopicPartition, str]]:
        places: dict[TopicPartition, Committed] = {}
        owners: dict[TopicPartition, str] = {}
        for destination in sorted(self._destinations()):
            group = self._settings.kafka.sender_group(destination)
            places |= await self._admin.committed(group)
            owners |= await self._admin.members(group)
        return places, owners

    async def _bounds(
        self, parts: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        return await self._reader.bounds(parts) if parts else {}

    async def _firsts(
        self,
        bounds: Mapping[TopicPartition, tuple[int, int]],
        left: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, Record]:
        """The record that has waited longest, of each queue where one does."""
        starts = {at: end - left[at] for at, (_, end) in bounds.items() if left[at]}
        spans = {at: scan.Span(start, start + 1) for at, start in starts.items()}
        reading = scan.Scan(self._reader, spans, time.monotonic)
        return {
            TopicPartition(record.topic, record.partition): record
            async for records in reading.batches()
            for record in records
        }

    def _account(
        self,
        name: str,
        queue: TopicPartition | None,
        places: Mapping[TopicPartition, Committed],
        left: Mapping[TopicPartition, int],
        firsts: Mapping[TopicPartition, Record],
        now: float,
    ) -> AccountStatus:
        settings = self._settings.accounts[name]
        lane = None
        if queue is not None:
            place, oldest = places.get(queue), firsts.get(queue)
            kept = decode("" if place is None else place.metadata)
            if place is None and self._lost(oldest, now):
                kept = KeptState(breaker="open", reason=NO_OFFSET)
            lane = _lane(settings, left[queue], oldest, kept, now)
        return AccountStatus(
            name=name,
            destination=settings.destination,
            state=settings.state,
            lane=lane,
            budget_used=None,
            requests_per_minute=(),
            credential_loaded_at=None,
            test_code=bool(getattr(settings, "test_event_code", None)),
        )

    def _lost(self, oldest: Record | None, now: float) -> bool:
        """Whether its lane will not open by itself (``opening.places``)."""
        untold = self._settings.kafka.start_from is None
        return untold and oldest is not None and now - oldest.timestamp / 1000 > OLD_RECORD

    async def _former_places(self) -> dict[TopicPartition, Committed]:
        """Where the senders of destinations stand that no account has any more. Who may not know
        counts a queue from its beginning.
        """
        found: dict[TopicPartition, Committed] = {}
        for destination in DESTINATIONS.keys() - self._destinations():
            with suppress(Refused):
                found |= await self._admin.committed(self._settings.kafka.sender_group(destination))
        return found

    async def _orphans(self, places: Mapping[TopicPartition, Committed]) -> dict[str, int]:
        prefix, accounts = self._settings.kafka.topic_prefix, self._settings.accounts
        names = queues_without_account(prefix, accounts, self._there)
        if names:
            places = {**await self._former_places(), **places}
        parts = [TopicPartition(name, 0) for name in names]
        left = _left(await self._bounds(parts), places)
        return {at.topic: waiting for at, waiting in left.items()}

    # -- events, retries, dead letters ------------------------------------------------------------
    def _parts(self, topics: Sequence[str]) -> list[TopicPartition]:
        return [
            TopicPartition(t, number) for t in topics for number in range(self._there.get(t, 0))
        ]

    async def _behind(self, topic: str, routed: Mapping[TopicPartition, Committed]) -> int:
        return sum(_left(await self._bounds(self._parts([topic])), routed).values())

    async def _tallies(self, routed: Mapping[TopicPartition, Committed], now: float) -> _Tallies:
        kafka, tallies = self._settings.kafka, _Tallies()
        bounds = await self._bounds(self._parts(kafka.retry_topics))
        left = _left(bounds, routed)
        retries = {at: scan.Span(end - left[at], end) for at, (_, end) in bounds.items()}
        await self._count(retries, tallies.retrying, tallies, 0.0)
        parts = self._parts([kafka.dead_letter_topic])
        letters = await scan.spans(self._reader, parts, now - HOUR)
        await self._count(letters, tallies.dead, tallies, now - HOUR)
        return tallies

    async def _count(
        self, spans: scan.Spans, counts: Counter[str], tallies: _Tallies, since: float
    ) -> None:
        reading, left = scan.Scan(self._reader, spans, time.monotonic), self._most
        while left > 0 and not reading.done:
            for record in await reading.read(min(left, scan.POLL_RECORDS)):
                left -= 1
                letter = Letter(record)
                counts[letter.account] += letter.failed_at >= since
        tallies.complete = tallies.complete and reading.done


def _left(
    bounds: Mapping[TopicPartition, tuple[int, int]], places: Mapping[TopicPartition, Committed]
) -> dict[TopicPartition, int]:
    """Records from the group's place on; all there are where it has none."""
    kept = within(places, bounds)
    return {
        at: end - (max(first, kept[at].offset) if at in kept else first)
        for at, (first, end) in bounds.items()
    }


def _lane(
    settings: AccountSettings, waiting: int, oldest: Record | None, kept: KeptState, now: float
) -> LaneStatus:
    expires = None
    if oldest is not None and (event_time := peek(oldest.value).event_time) is not None:
        expires = event_time + settings.max_event_age - now
    return LaneStatus(
        breaker="open" if kept.breaker == "open" else "closed",
        reason=kept.reason,
        code=kept.code,
        since_at=kept.since,
        until_at=kept.until,
        not_before_at=kept.not_before,
        waiting=waiting,
        waiting_bytes=0,
        in_flight=0,
        oldest_seconds=None if oldest is None else max(0.0, now - oldest.timestamp / 1000),
        expires_in=expires,
        next_request_in=None,
        last_verdicts=(),
    )
