"""From a record of the queue to the vendor's item, or to the delivery's end."""

from __future__ import annotations

from collections.abc import Callable

from forwarder.destinations.contract import Account, Item, Rejected, Skipped
from forwarder.event import ConversionEvent, InvalidEvent
from forwarder.kafka.port import Record
from forwarder.kafka.records import coordinates, header_text, read_progress
from forwarder.lane.ahead import Ready, Shelf
from forwarder.lane.delivery import Delivery
from forwarder.lane.tally import Ledger
from forwarder.lane.window import Window
from forwarder.lane.writes import Cause, Writes

ORIGIN = "forwarder-origin"


def received(record: Record, now: float) -> Delivery:
    """A record of the queue, as a delivery. Raises ``MalformedHeaders``."""
    size = _size(record)
    headers = record.headers
    if len(headers) == 1 and headers[0][0] == ORIGIN:  # most records, so without a Progress
        origin = header_text(ORIGIN, headers[0][1])
        return Delivery(record, origin, 0, 0, 0, None, None, record.offset, size, now)
    progress = read_progress(record)
    size += _size_of_headers(record)
    return Delivery(
        record,
        progress.origin,
        progress.attempts,
        progress.replays,
        progress.retries,
        progress.first_failed_at,
        progress.run,
        record.offset,
        size,
        now,
    )


def malformed(record: Record, now: float) -> Delivery:
    """A record whose headers cannot be read: its own place is all that is known of it."""
    size = _size(record) + _size_of_headers(record)
    return Delivery(record, coordinates(record), 0, 0, 0, None, None, record.offset, size, now)


def _size(record: Record) -> int:
    value, key = record.value, record.key
    return (0 if value is None else len(value)) + (0 if key is None else len(key))


def _size_of_headers(record: Record) -> int:
    return sum(len(name) + len(raw or b"") for name, raw in record.headers)


def is_fresh(record: Record) -> bool:
    """Straight from a router: never tried, never replayed."""
    headers = record.headers
    return len(headers) == 1 or not any(
        name in ("forwarder-attempts", "forwarder-run") for name, _ in headers
    )


class Preparer:
    """Makes items. What needs no request ends here: skipped, or written to the dead letters."""

    __slots__ = ("_decode", "_ledger", "_max_age", "_prepare", "_shelf", "_window", "_writes")

    def __init__(
        self,
        account: Account,
        decode: Callable[[bytes], ConversionEvent],
        window: Window,
        writes: Writes,
        ledger: Ledger,
        shelf: Shelf | None = None,
    ) -> None:
        """``shelf``: items that were made before."""
        self._prepare = account.prepare
        self._max_age = account.settings.max_event_age
        self._decode = decode
        self._window = window
        self._writes = writes
        self._ledger = ledger
        self._shelf = shelf

    def item(self, delivery: Delivery, now: float) -> Item | None:
        """The delivery's item; ``None``: it has ended, or will once it is written."""
        if self._shelf is not None:
            ready = self._shelf.take(delivery.record.value, now)
            if ready is not None:
                return self._ready(delivery, ready, now)
        event = self._event(delivery, now)
        if event is None or self.expired(delivery, now):
            return None
        prepared = self._prepare(event)
        if type(prepared) is Item:
            delivery.item = prepared
            return prepared
        if isinstance(prepared, Skipped):
            self._window.finish((delivery,))
            self._ledger.ended(delivery, "skipped", prepared.reason)
        elif isinstance(prepared, Rejected):
            cause = Cause("rejected", f"local.{prepared.rule}", prepared.message)
            self._writes.dead_letter(delivery, cause, now)
        return None

    def _ready(self, delivery: Delivery, ready: Ready, now: float) -> Item | None:
        item, delivery.event_id, delivery.event_time = ready
        if self.expired(delivery, now):
            return None
        delivery.item = item
        return item

    def probe_item(self, delivery: Delivery, now: float) -> Item | None:
        """Its item if it has one, and no end otherwise: nothing that waits at an open breaker is
        written.
        """
        if delivery.item is not None:
            return delivery.item
        event = self._decoded(delivery)
        if event is None or self._too_old(event.event_time, now):
            return None
        prepared = self._prepare(event)
        if not isinstance(prepared, Item):
            return None
        self._note(delivery, event)
        delivery.item = prepared
        return prepared

    def expired(self, delivery: Delivery, now: float) -> bool:
        """Whether its event is past the account's age limit; then it is dead-lettered."""
        if delivery.event_time is None:
            event = self._decoded(delivery)
            if event is None:
                return False
            self._note(delivery, event)
        if not self._too_old(delivery.event_time, now):
            return False
        age = f"older than {self._max_age:.0f} s"
        self._writes.dead_letter(delivery, Cause("expired", "local.max_event_age", age), now)
        return True

    def expires_at(self, delivery: Delivery) -> float | None:
        """Epoch seconds; ``None``: unknown, since its event cannot be read."""
        if delivery.event_time is None:
            event = self._decoded(delivery)
            if event is None:
                return None
            self._note(delivery, event)
        return None if delivery.event_time is None else delivery.event_time + self._max_age

    def _event(self, delivery: Delivery, now: float) -> ConversionEvent | None:
        value = delivery.record.value
        if value is None:
            cause = Cause("undecodable", "local.undecodable", "the record has no value")
            self._writes.dead_letter(delivery, cause, now)
            return None
        try:
            event = self._decode(value)
        except InvalidEvent as problem:
            cause = Cause(problem.reason, f"local.{problem.reason}", str(problem))
            self._writes.dead_letter(delivery, cause, now)
            return None
        delivery.event_id = event.event_id
        delivery.event_time = event.event_time
        return event

    def _decoded(self, delivery: Delivery) -> ConversionEvent | None:
        value = delivery.record.value
        if value is None:
            return None
        try:
            return self._decode(value)
        except InvalidEvent:
            return None

    def _note(self, delivery: Delivery, event: ConversionEvent) -> None:
        delivery.event_id = event.event_id
        delivery.event_time = event.event_time

    def _too_old(self, event_time: float | None, now: float) -> bool:
        return event_time is not None and now - event_time > self._max_age
