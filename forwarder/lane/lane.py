"""One account's lane: a synchronous core. Records, answers and ``now`` in; requests, writes and a
wake-up time out. It performs nothing; ``driver.py`` and ``outbox.py`` do what it decides.

All times are epoch seconds (``now``). What a delivery goes through:

    record ─► window ─► item ─► attempt ─► answer ─┬─► finished: delivered, skipped
                 ▲         │                       ├─► write ─acknowledged─► finished
                 │         └─► write               └─► waits again, in a group
                 └───────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final

from forwarder.credentials import Credential
from forwarder.destinations.contract import Account, Item, Traits
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpFailure
from forwarder.kafka.port import Record
from forwarder.kafka.records import MalformedHeaders
from forwarder.lane.ahead import Shelf
from forwarder.lane.answers import Answers
from forwarder.lane.breaker import Breaker
from forwarder.lane.delivery import (
    IN_FLIGHT,
    WAITING,
    WRITING,
    Attempt,
    Delivery,
    Group,
    Write,
    WriteKind,
)
from forwarder.lane.isolate import quarter
from forwarder.lane.origins import Origins
from forwarder.lane.parts import Parts
from forwarder.lane.prepare import Preparer, is_fresh, malformed, received
from forwarder.lane.probes import Probes
from forwarder.lane.refusals import Refusals
from forwarder.lane.retry import Limits, Throttle
from forwarder.lane.sending import Sending
from forwarder.lane.state import decode as decode_state
from forwarder.lane.state import encode as encode_state
from forwarder.lane.tally import Alert, LaneView, Ledger, Settled, Tally
from forwarder.lane.window import Window
from forwarder.lane.writes import Cause, Writes

__all__ = [
    "Alert",
    "Attempt",
    "Delivery",
    "Lane",
    "LaneSettings",
    "LaneView",
    "Settled",
    "Tally",
    "Write",
    "WriteKind",
]

HOLD: Final = 60.0
"""Seconds that one delivery may hold the watermark while later ones finish."""
EXPIRE_EVERY: Final = 60.0
EXPIRE_AT_ONCE: Final = 2_000
AT_REST: Final = 12
"""Deliveries that a lane at rest holds: enough to probe with."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What of the settings file a lane needs beside its account's own."""

    give_up_attempts: int
    give_up_after: float
    rates: tuple[float, ...]
    """Requests per second of each budget: how much a quarter of the budget is."""


class Lane:
    """See the module. Life: made at assignment, fed by ``add``, ended by ``drain``; never reused
    for a later assignment of the same queue.
    """

    def __init__(
        self,
        account: Account,
        traits: Traits,
        settings: LaneSettings,
        decode: Callable[[bytes], ConversionEvent],
        now: float,
        *,
        metadata: str = "",
        random: Random,
        shelf: Shelf | None = None,
    ) -> None:
        """``metadata``: of the last commit (a former owner's state); ``decode``: trusted decode of
        a queue record's value, may raise ``InvalidEvent``; ``shelf``: items made ahead.
        """
        self.account = account
        kept = decode_state(metadata)
        batch = account.settings.batch
        ledger = Ledger()
        window = Window(batch.events, batch.bytes)
        writes = Writes(window, ledger)
        self._parts = Parts(
            account=account,
            limits=Limits(settings.give_up_attempts, settings.give_up_after),
            random=random,
            window=window,
            writes=writes,
            ledger=ledger,
            preparer=Preparer(account, decode, window, writes, ledger, shelf),
            breaker=Breaker(kept, now, ledger.alert),
            throttle=Throttle(kept, now),
            allowance=quarter(settings.rates, now),
            flowing_since=now,
        )
        self._refusals = Refusals(self._parts)
        probes = Probes(self._parts, self._refusals)
        self._sending = Sending(self._parts, probes)
        self._answers = Answers(self._parts, probes, self._refusals)
        self._shelf = shelf
        self._origins = None if traits.dedups else Origins(now)
        self._judged = -1
        self._expiring = False
        self.at_rest = False
        """As of the last ``let_go``."""
        self._expire_at = now
        self._ended = False

    # -- records in -------------------------------------------------------------------------
    def add(self, records: Sequence[Record], now: float) -> None:
        """Take records of the queue, in offset order, into the window. Offsets at or below the
        highest one read so far are passed over.
        """
        window = self._parts.window
        for record in records:
            if record.offset <= window.highest_read:
                continue
            try:
                delivery = received(record, now)
            except MalformedHeaders as problem:
                window.add(delivery := malformed(record, now))
                cause = Cause("invalid_event", "local.malformed_headers", str(problem))
                self._parts.writes.dead_letter(delivery, cause, now)
                continue
            window.add(delivery)
            if self._origins is not None and record.offset > self._judged:
                self._judged = record.offset
                self._drop_if_repeated(delivery, self._origins, now)

    def remember(self, origins: Mapping[str, float], now: float) -> None:
        """Origins that a former owner read in the last minutes, with the timestamp of each one's
        record in epoch seconds (no dedup at the vendor).
        """
        if self._origins is not None:
            for origin, written_at in origins.items():
                self._origins.seen(origin, written_at, now)

    def room(self, allowance: int) -> bool:
        """Whether more records should be read, while the window may hold ``allowance`` bytes.

        A lane that may not send needs no more than a batch, one at rest a few.
        """
        parts = self._parts
        if self._ended or self.at_rest:
            return not self._ended and len(parts.window) < AT_REST
        blocked = parts.breaker.is_open or parts.account.settings.state == "paused"
        return parts.window.room(0 if blocked else allowance)

    def let_go(self, now: float) -> int | None:
        """Of a lane at rest: forget all but the first few deliveries, which go on waiting in Kafka.

        The offset from which to read again before anything else is added; ``None``: nothing was
        let go. While what is too old is being expired the lane is not at rest.
        """
        parts = self._parts
        self.at_rest = not (self._ended or self._expiring) and parts.rests(now)
        if self.at_rest and self._shelf is not None:
            self._shelf.close(now)
        if not self.at_rest or len(parts.window) <= AT_REST:
            return None
        if parts.returned.dissolve():
            parts.window.line_up()
        return parts.window.let_go(AT_REST, parts.refused_probes)

    # -- requests out -----------------------------------------------------------------------
    def wake_at(self, now: float) -> float:
        """When ``take`` may next yield a request: at most ``now`` means at once, ``inf`` means not
        before new records, an answer, or a new credential. Says what is known; ``take`` decides.
        """
        return float("inf") if self._ended else self._sending.wake_at(now)

    def take(self, now: float, credential: Credential) -> Attempt | None:
        """Fill one request from the window, now that a slot and tokens are held. ``None``: nothing
        to send after all (skipped, expired, rejected, breaker): the tokens are kept for later.
        """
        if self._ended:
            return None
        parts = self._parts
        self._adopt(credential.version, now)
        group = self._sending.choose(now)
        if group is None:
            self._refusals.judge_suspects(now)
            return None
        probe = parts.breaker.is_open
        if probe:
            parts.breaker.probe_sent()
        items = self._start(group, in_place=probe)
        parts.sent += 1
        request = parts.account.request(items, credential)
        attempt = Attempt(request, group.deliveries, credential, probe, group, number=parts.sent)
        parts.in_flight[attempt.number] = attempt
        return attempt

    def answered(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> None:
        """The end of an attempt: settle its deliveries by the verdict. A second end of the same
        attempt, or one after ``drain``, changes nothing.
        """
        if self._parts.in_flight.pop(attempt.number, None) is not None and not self._ended:
            self._answers.settle(attempt, answer, now)

    def withdrawn(self, attempt: Attempt, now: float) -> None:  # noqa: ARG002 - as ``answered``
        """The attempt was never written to the network (no lease): its deliveries wait again,
        nothing is charged.
        """
        if self._parts.in_flight.pop(attempt.number, None) is not None and not self._ended:
            self._answers.withdrawn(attempt)

    def credential_changed(self, version: int, now: float) -> None:
        """A new credential: a breaker that it may cure probes at once."""
        if version != self._parts.version:
            self._parts.version = version
            self._answers.credential_changed(now)

    def _adopt(self, version: int, now: float) -> None:
        """The first credential is no change."""
        if self._parts.version is None:
            self._parts.version = version
        elif version > self._parts.version:
            self.credential_changed(version, now)

    def tick(self, now: float) -> None:
        """Housekeeping, at least once a minute: expire what is due, move what holds the rest."""
        if self._ended:
            return
        if not self._parts.blocked(now):
            self._move_what_holds(now)
        elif now >= self._expire_at:
            self._expiring = self._expire_head(now)
            self._expire_at = now if self._expiring else now + EXPIRE_EVERY
        self._refusals.judge_suspects(now)

    # -- records out ------------------------------------------------------------------------
    def take_writes(self) -> Sequence[Write]:
        """Deliveries that must be written elsewhere. Each is handed out once, and is finished by
        ``written``; until then it holds the watermark.
        """
        return () if self._ended else self._parts.writes.take()

    def written(self, writes: Sequence[Write], now: float) -> None:  # noqa: ARG002 - as ``answered``
        """The brokers acknowledged these writes."""
        self._parts.writes.written(writes)

    def unwritten(self, writes: Sequence[Write]) -> None:
        """The write failed: hand them out again."""
        self._parts.writes.unwritten(writes)

    # -- commit and end ---------------------------------------------------------------------
    def commit_point(self) -> tuple[int | None, str]:
        """Offset to commit (``None``: nothing read yet) and its metadata, 512 bytes at most."""
        kept = self._parts.breaker.kept(self._parts.throttle.kept())
        return self._parts.window.watermark, encode_state(kept)

    def drain(self, now: float) -> Sequence[Write]:
        """No request is in flight any more and none will follow: what is unfinished below the
        highest finished offset goes to the first retry topic; the rest stays in the queue.

        Writes handed out before count as finished, so wait for those too. Of the writes returned
        here ``written`` must be told; ``take_writes`` gives no more.
        """
        parts = self._parts
        self._ended = True
        ceiling = max(parts.window.highest_finished, parts.writes.highest_handed)
        cause = Cause("transient", "local.stopped", "its sender stopped")
        for delivery in list(parts.window.unfinished()):
            if delivery.offset > ceiling:
                break
            if delivery.state != WRITING:
                parts.writes.retry(delivery, cause, now)
        return parts.writes.take_up_to(ceiling)

    # -- views ------------------------------------------------------------------------------
    def view(self, now: float) -> LaneView:
        parts = self._parts
        breaker, window = parts.breaker, parts.window
        oldest = window.oldest()
        expires = None if oldest is None else parts.preparer.expires_at(oldest)
        blocked = parts.throttle.blocked(now)
        return LaneView(
            waiting=parts.waiting(),
            waiting_bytes=window.bytes,
            in_flight=parts.flying(),
            finished_ahead=window.finished_ahead,
            oldest_record_at=None if oldest is None else oldest.record.timestamp / 1000,
            expires_in=None if expires is None else expires - now,
            breaker=breaker.state,
            reason=breaker.reason,
            code=breaker.code,
            since=breaker.since if breaker.is_open else None,
            until=breaker.until if breaker.is_open else None,
            not_before=parts.throttle.not_before if blocked else None,
        )

    def take_tally(self) -> Tally:
        """Take it often: it holds the records of what ended."""
        return self._parts.ledger.take()

    def _start(self, group: Group, *, in_place: bool) -> list[Item]:
        """``in_place``: a probe keeps its place where it waits."""
        items = []
        for delivery in group.deliveries:
            item = delivery.item
            assert item is not None
            assert delivery.state == WAITING, "sent twice"
            delivery.state = IN_FLIGHT
            if not in_place:
                delivery.group = group
            items.append(item)
        return items

    # -- housekeeping -----------------------------------------------------------------------
    def _drop_if_repeated(self, delivery: Delivery, origins: Origins, now: float) -> None:
        if not is_fresh(delivery.record):
            return
        if origins.seen(delivery.origin, delivery.record.timestamp / 1000, now):
            self._parts.window.finish((delivery,))
            self._parts.ledger.count("skipped", "repeated_record")

    def _expire_head(self, now: float) -> bool:
        """Dead-letter what has grown too old at the head; whether more of it may be due."""
        preparer = self._parts.preparer
        head = list(islice(self._parts.window.unfinished(), EXPIRE_AT_ONCE))
        waiting = [d for d in head if d.state == WAITING]
        return bool(head) and all(preparer.expired(d, now) for d in waiting)

    def _move_what_holds(self, now: float) -> None:
        """To a retry topic with what waits to be sent again while later ones finish."""
        parts = self._parts
        cause = Cause("transient", "local.held", "others finished while it waited")
        for group in list(parts.returned):
            since = max(group.since, parts.flowing_since)
            later = parts.window.highest_finished > group.deliveries[0].offset
            if later and parts.passed_at > since and now - since >= HOLD:
                parts.returned.remove(group)
                for delivery in group.waiting():
                    parts.writes.retry(delivery, cause, now)
