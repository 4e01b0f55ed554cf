"""Where a new owner's lane starts, and what it must know of the time before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from forwarder.destinations.contract import Account, Traits
from forwarder.event import ConversionEvent
from forwarder.kafka.places import within
from forwarder.kafka.port import Committed, Consumer, Reader, Record, TopicPartition, Unavailable
from forwarder.kafka.records import MalformedHeaders, read_progress
from forwarder.lane.ahead import Ahead
from forwarder.lane.lane import Lane, LaneSettings

OLD_RECORD = 3600.0
"""Seconds. A queue without a committed offset whose first record is older waits for an operator:
its offsets were lost, and sending it all again would count conversions twice."""
REMEMBERED = 300.0
"""Seconds for which a lane knows origins, where the vendor does not drop repeats itself."""
READ_BACK_BYTES = 64 << 20
READ_BACK_RECORDS = 5_000
"""Two poll batches of a router, which a crash of it repeats, and some of others in between."""
READ_BACK_CHUNK = 5_000
READ_SECONDS = 5.0

StartFrom = Literal["earliest", "latest"] | float | None
"""``float``: epoch seconds."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """What of the settings a sender needs, beside its accounts' own."""

    destination: str
    traits: Traits
    queues: Mapping[str, str]
    """Account by queue topic."""
    lane: Mapping[str, LaneSettings]
    session_timeout: float
    request_timeout: float
    start_from: StartFrom
    ends: Mapping[TopicPartition, int]
    """Where queues ended when this process started: what came later is no history."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lane starts. ``committed``: what the group has, ``None`` when nothing."""

    offset: int
    committed: Committed | None


async def places(
    group: Reader,
    make_reader: Callable[[], Reader],
    partitions: Collection[TopicPartition],
    start_from: StartFrom,
    ends: Mapping[TopicPartition, int],
    now: float,
) -> dict[TopicPartition, Place | None]:
    """Where to start each, or ``None`` for ``no_offset``: an operator must choose (``start_from``).

    A committed offset behind the end of its queue is none.
    ``ends``: a queue without a place starts there at the latest, since what stands behind it was
    routed after the start of this process.
    ``group``: a member of the senders' group. All are asked for together: one by one, each answer
    waits for the fetch that is under way.
    """
    committed, bounds = await asyncio.gather(group.committed(partitions), group.bounds(partitions))
    kept = within(committed, bounds)
    beyond = [at for at, place in committed.items() if place is not None and at not in kept]
    if beyond:  # or it grew while both were asked
        kept |= within({at: committed[at] for at in beyond}, await group.bounds(beyond))
    found: dict[TopicPartition, Place | None] = {
        at: Place(place.offset, place) for at, place in kept.items()
    }
    new = [partition for partition in partitions if partition not in found]
    if new:
        reader = make_reader()
        await reader.start()
        try:
            found |= await _first_places(reader, new, start_from, ends, now)
        finally:
            await reader.stop()
    return found


async def _first_places(
    reader: Reader,
    partitions: Sequence[TopicPartition],
    start_from: StartFrom,
    ends: Mapping[TopicPartition, int],
    now: float,
) -> Mapping[TopicPartition, Place | None]:
    """Those of queues without a committed offset."""
    bounds = await reader.bounds(partitions)
    latest = {at: max(first, ends.get(at, first)) for at, (first, _) in bounds.items()}
    if start_from == "latest":
        return {at: Place(end, None) for at, end in latest.items()}
    if isinstance(start_from, float):
        found = await reader.offsets_at(dict.fromkeys(partitions, int(start_from * 1000)))
        return {
            at: Place(latest[at] if n is None else min(n, latest[at]), None)
            for at, n in found.items()
        }
    starts: dict[TopicPartition, Place | None] = {}
    for partition, (first, end) in bounds.items():
        starts[partition] = Place(first, None)
        if start_from is None and first < end:
            oldest = await _first_record_at(reader, partition, first)
            if oldest is not None and oldest < now - OLD_RECORD:
                starts[partition] = None
    return starts


async def _first_record_at(reader: Reader, partition: TopicPartition, first: int) -> float | None:
    """Time of the first record, epoch seconds; ``None`` when it has just been deleted."""
    reader.assign([partition])
    reader.seek(partition, first)
    records = await _read(reader, partition, 1, first)
    return records[0].timestamp / 1000 if records else None


async def _read(
    reader: Reader, partition: TopicPartition, most: int, position: int
) -> Sequence[Record]:
    """Records from ``position`` on; none: there are none any more. Raises ``Unavailable`` when the
    brokers have some and do not answer in time.
    """
    records = (await reader.poll([partition], most, READ_SECONDS)).get(partition, ())
    if not records:
        (first, end) = (await reader.bounds([partition]))[partition]
        if first <= position < end:
            raise Unavailable(f"reading {partition.topic}: no answer in time")
    return records


async def recent_origins(
    make_reader: Callable[[], Reader], partition: TopicPartition, until: int, now: float
) -> Mapping[str, float]:
    """Origins of the newest records below ``until``, with the epoch seconds of their records.

    Those of the last minutes; and as many as a router can write twice however old they say they
    are, since records keep their events' timestamps and a router may be catching up.
    """
    if until == 0:
        return {}
    reader = make_reader()
    await reader.start()
    try:
        (first, _) = (await reader.bounds([partition]))[partition]
        since = int((now - REMEMBERED) * 1000)
        recent = (await reader.offsets_at({partition: since}))[partition]
        start = until - READ_BACK_RECORDS
        start = max(first, start if recent is None else min(start, recent))
        reader.assign([partition])
        origins: dict[str, float] = {}
        left = READ_BACK_BYTES
        while until > start and left > 0:  # the newest first, if it cannot be all
            begin = max(start, until - READ_BACK_CHUNK)
            left -= await _read_origins(reader, partition, range(begin, until), origins)
            until = begin
        return origins
    finally:
        await reader.stop()


async def _read_origins(
    reader: Reader, partition: TopicPartition, offsets: range, into: dict[str, float]
) -> int:
    """Bytes that were read."""
    size = 0
    position = offsets.start
    reader.seek(partition, position)
    while position < offsets.stop:
        records = await _read(reader, partition, 1000, position)
        if not records:
            break
        for record in records:
            position = record.offset + 1
            if record.offset >= offsets.stop:
                break
            size += len(record.value or b"")
            try:
                into[read_progress(record).origin] = record.timestamp / 1000
            except MalformedHeaders:
                continue
    return size


class Opener:
    """Makes the lane of a queue that this replica was just given."""

    def __init__(
        self,
        consumer: Consumer,
        accounts: Mapping[str, Account],
        settings: SenderSettings,
        *,
        make_reader: Callable[[], Reader],
        decode: Callable[[bytes], ConversionEvent],
        random: Random,
        now: Callable[[], float],
        ahead: Ahead | None = None,
    ) -> None:
        """``ahead``: where the router of this process puts items, if there is one."""
        self._consumer = consumer
        self._accounts = accounts
        self._settings = settings
        self._make_reader = make_reader
        self._decode = decode
        self._random = random
        self._now = now
        self._ahead = ahead

    async def places(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Place | None]:
        """Where their lanes start; ``None`` for ``no_offset``. Raises ``KafkaProblem``."""
        settings = self._settings
        return await places(
            self._consumer,
            self._make_reader,
            partitions,
            settings.start_from,
            settings.ends,
            self._now(),
        )

    async def open(self, partition: TopicPartition, start: Place) -> Lane:
        """The lane that starts there. Raises ``KafkaProblem``."""
        now = self._now()
        account = self._accounts[self._settings.queues[partition.topic]]
        lane = Lane(
            account,
            self._settings.traits,
            self._settings.lane[account.name],
            self._decode,
            now,
            metadata=start.committed.metadata if start.committed else "",
            random=self._random,
            shelf=None if self._ahead is None else self._ahead.open(account.name, now),
        )
        if not self._settings.traits.dedups:
            origins = await recent_origins(self._make_reader, partition, start.offset, now)
            lane.remember(origins, now)
        return lane

    def close(self) -> None:
        """None of the lanes is here any more."""
        if self._ahead is not None:
            for account in self._settings.queues.values():
                self._ahead.close(account)
