"""From the bytes of a line or record in a tool's shape to native events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from forwarder.event import MAX_BYTES, ConversionEvent, FieldError, InvalidEvent, parsed
from forwarder.kafka.port import Headers, Record
from forwarder.sources.contract import Native, Options, Source, Translation

_RECORD: Final = "$"


def translate(value: bytes | None, source: Source, options: Options) -> Translation:
    """The events in ``value`` (plain or Confluent-framed JSON). Raises ``InvalidEvent``."""
    if not value:
        raise InvalidEvent("undecodable", [FieldError(_RECORD, "has no value")])
    if len(value) > MAX_BYTES:
        raise InvalidEvent("oversize", [FieldError(_RECORD, f"is larger than {MAX_BYTES} bytes")])
    try:
        given = parsed(value)
    except ValueError as error:
        raise InvalidEvent("undecodable", [FieldError(_RECORD, f"must be JSON: {error}")]) from None
    if not isinstance(given, Mapping):
        raise InvalidEvent("invalid_event", [FieldError(_RECORD, "must be a JSON object")])
    return source(given, options)


# -- the events topic -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class NativeRecord:
    """A record of the events topic with the native event in place of what a tool wrote: what
    queues and dead letters hold, so that everything behind the router sees one schema.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Translated(NamedTuple):
    """``record`` with the event as the schema has it. ``unplaced``: how many of the tool's fields
    it has no place for.
    """

    record: NativeRecord
    event: ConversionEvent
    unplaced: int


@dataclass(frozen=True, slots=True)
class TopicTranslator:
    """Reads records of an events topic that holds what a tool writes."""

    source: Source
    options: Options

    def read(self, record: Record, decode: Callable[[bytes], ConversionEvent]) -> Translated | None:
        """The record's event, judged by ``decode``; ``None``: a call that holds none.

        Raises ``InvalidEvent`` by the tool's names, also for several events in one record: they
        would share its origin, by which repeats are known.
        """
        options = replace(self.options, appended_at=record.timestamp / 1000)
        native = only(translate(record.value, self.source, options).events)
        if native is None:
            return None
        value = native.json()
        try:
            return Translated(as_native(record, value), decode(value), len(native.notes))
        except InvalidEvent as invalid:
            raise native.blamed(invalid) from None


def only(events: Sequence[Native]) -> Native | None:
    """The one event of a record, if there is any. Raises ``InvalidEvent`` for several."""
    if len(events) > 1:
        rule = f"holds {len(events)} events; on the topic each needs a record of its own"
        raise InvalidEvent("invalid_event", [FieldError("events", rule)])
    return events[0] if events else None


def as_native(record: Record, value: bytes) -> NativeRecord:
    """The record with ``value``, the event as the schema has it."""
    return NativeRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        value,
        record.headers,
    )
