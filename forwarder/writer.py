"""Writes what leaves a lane by a record: dead letters and retries; and the settlements, if kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from forwarder.destinations.contract import Account
from forwarder.event import ConversionEvent, InvalidEvent
from forwarder.kafka.port import Outgoing, Producer, TooLarge
from forwarder.kafka.records import (
    TOO_LARGE,
    Progress,
    Trouble,
    oversize,
    rfc3339,
    troubled,
)
from forwarder.lane.lane import Delivery, Settled, Write, WriteKind
from forwarder.plan import describe, describe_unread


class Writer:
    """Writes for the lanes of one destination. ``retries``: retry topics by tier.

    Each call raises what ``Producer.write`` raises, but ``write`` no ``TooLarge``.
    """

    def __init__(
        self,
        producer: Producer,
        decode: Callable[[bytes], ConversionEvent],
        *,
        dead_letters: str,
        retries: Sequence[str],
        settlements: str | None,
        now: Callable[[], float],
    ) -> None:
        self._producer = producer
        self._decode = decode
        self._dead_letters = dead_letters
        self._retries = retries
        self._settlements = settlements
        self._now = now

    def by_topic(self, writes: Sequence[Write]) -> Mapping[str, Sequence[Write]]:
        """The same writes, grouped by where they go."""
        groups: dict[str, list[Write]] = defaultdict(list)
        for write in writes:
            retry = write.kind is WriteKind.RETRY
            groups[self._retries[write.tier] if retry else self._dead_letters].append(write)
        return groups

    async def write(
        self, account: Account, topic: str, writes: Sequence[Write]
    ) -> tuple[Sequence[Write], Sequence[Write]]:
        """Write in order; returns those that were acknowledged, and those that are too large."""
        try:
            await self._producer.write(topic, [self._record(account, write) for write in writes])
        except TooLarge as refusal:
            large = set(refusal.records)
            written = [write for index, write in enumerate(writes) if index not in large]
            return written, [writes[index] for index in refusal.records]
        return writes, ()

    async def shrink(self, account: Account, writes: Sequence[Write]) -> Sequence[Write]:
        """Write them to the dead letters without their values; returns what they became."""
        await self._producer.write(
            self._dead_letters,
            [self._oversize(account, self._record(account, write)) for write in writes],
        )
        return [_oversized(write) for write in writes]

    def _oversize(self, account: Account, record: Outgoing) -> Outgoing:
        kind, described = account.settings.destination, describe_unread(record.value)
        return oversize(record, self._now(), account.name, kind, described)

    def _record(self, account: Account, write: Write) -> Outgoing:
        delivery = write.delivery
        progress = Progress(
            origin=delivery.origin,
            attempts=write.attempts,
            retries=write.retries,
            replays=delivery.replays,
            run=delivery.run,
            first_failed_at=write.first_failed_at,
            last_failed_at=write.failed_at,
            account=account.name,
        )
        dead = write.kind is WriteKind.DEAD_LETTER
        return troubled(
            delivery.record,
            progress,
            Trouble(write.reason, write.code, write.message),
            destination=account.settings.destination,
            described=self._described(delivery.record.value) if dead else None,
        )

    def _described(self, value: bytes | None) -> dict[str, str] | None:
        try:
            return None if value is None else describe(self._decode(value))
        except InvalidEvent:
            return describe_unread(value)

    async def settle(self, account: Account, settled: Sequence[Settled]) -> None:
        """One small record for each outcome, for ``trace`` and audits, when they are kept."""
        if self._settlements is None or not settled:
            return
        now = rfc3339(self._now())
        await self._producer.write(
            self._settlements,
            [
                _settlement(account, one, delivery, now)
                for one in settled
                for delivery in one.deliveries
            ],
        )


def _oversized(write: Write) -> Write:
    return replace(
        write,
        kind=WriteKind.DEAD_LETTER,
        reason=TOO_LARGE.reason,
        code=TOO_LARGE.code,
        message=TOO_LARGE.message,
    )


def _settlement(account: Account, settled: Settled, delivery: Delivery, at: str) -> Outgoing:
    value = {
        "account": account.name,
        "event_id": delivery.event_id,
        "origin": delivery.origin,
        "outcome": settled.outcome,
        "reason": settled.reason,
        "code": settled.code,
        "request_id": settled.request_id,
        "at": at,
    }
    present = {name: text for name, text in value.items() if text}
    return Outgoing((delivery.event_id or "").encode() or None, orjson.dumps(present), ())
