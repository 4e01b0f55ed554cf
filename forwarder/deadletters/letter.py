"""One dead letter, as its headers tell of it."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from forwarder.event import Peeked, peek
from forwarder.kafka.port import Record
from forwarder.kafka.records import from_rfc3339


class Letter:
    """A view of a record of the dead-letter topic. What no header says is ``""`` or ``None``, and a
    header that cannot be read says nothing. Of the event, the record's value is asked only where
    no header tells, and then once.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.headers = dict(record.headers)

    def text(self, name: str) -> str:
        """The header ``forwarder-<name>``."""
        return (self.headers.get(f"forwarder-{name}") or b"").decode(errors="replace")

    @property
    def coordinates(self) -> str:
        """``partition/offset`` in the dead-letter topic."""
        return f"{self.record.partition}/{self.record.offset}"

    @property
    def account(self) -> str:
        return self.text("account")

    @property
    def reason(self) -> str:
        return self.text("reason")

    @property
    def code(self) -> str:
        return self.text("code")

    @property
    def failed_at(self) -> float:
        """Epoch seconds: when it failed last, or when the record was written."""
        at = self._time("last-failed-at")
        return self.record.timestamp / 1000 if at is None else at

    @property
    def replays(self) -> int:
        """How often it was sent again before."""
        text = self.text("replays")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def event_id(self) -> str:
        return self.text("event-id") or self._peeked.event_id or ""

    @property
    def event_name(self) -> str:
        return self.text("event-name") or self._peeked.event_name or ""

    @property
    def event_time(self) -> float | None:
        """Epoch seconds."""
        at = self._time("event-time")
        return self._peeked.event_time if at is None else at

    @property
    def advertiser(self) -> str:
        return self.text("advertiser") or self._peeked.advertiser or ""

    @property
    def order_id(self) -> str:
        return self.text("order-id") or self._peeked.order_id or ""

    @cached_property
    def _peeked(self) -> Peeked:
        # with an event id in its headers the rest of them was written from the same event
        known = "forwarder-event-id" in self.headers
        return Peeked() if known else peek(self.record.value)

    def _time(self, name: str) -> float | None:
        text = self.text(name)
        with suppress(ValueError):
            return from_rfc3339(text) if text else None
        return None
