"""Looking for one event in every topic: which records are about it, and what they say. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from forwarder.deadletters.explain import Today
from forwarder.deadletters.letter import Letter
from forwarder.event import InvalidEvent, peek
from forwarder.kafka.port import Record, TopicPartition
from forwarder.kafka.records import (
    MAX_VALUE,
    MalformedHeaders,
    Progress,
    coordinates,
    cut,
    read_progress,
)
from forwarder.sources.reading import as_native
from forwarder.tracing import Occurrence, Queued, Replayed, Retrying, Settled

_PARTS_OF_A_PLACE: Final = 3


class Wanted(NamedTuple):
    """The ids that are looked for; an empty one is none."""

    event_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class Names:
    """Topics by what they hold. ``queues``: account by topic; ``retries``: delay by topic."""

    events: str
    queues: Mapping[str, str]
    retries: Mapping[str, float]
    dead_letters: str
    settlements: str | None
    ledger: str


class Search:
    """``add`` every record of the first four kinds of topics, then those of the last two.

    ``committed``: up to where each partition was worked off, by its routers or senders.
    """

    def __init__(
        self, wanted: Wanted, names: Names, committed: Mapping[TopicPartition, int], today: Today
    ) -> None:
        self.found: dict[str, Occurrence] = {}
        self._wanted = wanted
        self._names = names
        self._committed = committed
        self._today = today
        self._needles = [_needles(text) for text in wanted if text]
        self._letters: dict[str, str] = {}
        self._by_topic: dict[str, Callable[[Record], None]] = {
            names.events: self._event,
            names.dead_letters: self._letter,
            names.ledger: self._replay,
            **dict.fromkeys(names.queues, self._queued),
            **dict.fromkeys(names.retries, self._retry),
        }
        if names.settlements is not None:
            self._by_topic[names.settlements] = self._settlement

    def add(self, record: Record) -> None:
        self._by_topic[record.topic](record)

    # -- whether a record is about the event ----------------------------------------------------
    def _about(self, value: bytes | None) -> bool:
        if value is None or not all(any(n in value for n in needles) for needles in self._needles):
            return False
        seen = peek(value)
        return self._same(seen.event_id or "", seen.order_id or "")

    def _same(self, event_id: str, order_id: str) -> bool:
        return _is(event_id, self._wanted.event_id) and _is(order_id, self._wanted.order_id)

    def _occurrence(self, origin: str, event_id: str = "") -> Occurrence:
        found = self.found.setdefault(origin, Occurrence(origin))
        found.event_id = found.event_id or event_id
        return found

    def _done(self, record: Record) -> bool:
        place = self._committed.get(TopicPartition(record.topic, record.partition), 0)
        return record.offset < place

    # -- the topics -----------------------------------------------------------------------------
    def _event(self, record: Record) -> None:
        record = self._native(record)
        if not self._about(record.value):
            return
        found = self._occurrence(coordinates(record), peek(record.value).event_id or "")
        found.at = record.timestamp / 1000
        found.routed = self._done(record)
        self._read(found, record)

    def _native(self, record: Record) -> Record:
        """A record that a tool wrote, as the router reads it; any other as it is."""
        if self._today.translator is None:
            return record
        try:
            return self._today.of_topic(record, record.timestamp / 1000)[0]
        except InvalidEvent as invalid:
            return record if invalid.translated is None else as_native(record, invalid.translated)

    def _read(self, found: Occurrence, record: Record) -> None:
        """The event itself, from any record that carries it."""
        if found.event is not None:
            return
        at = record.timestamp / 1000
        try:
            found.event = self._today.event(record.value, at, at)
        except InvalidEvent:
            return

    def _queued(self, record: Record) -> None:
        progress = _progress(record)
        if progress is None or not self._about(record.value):
            return
        found = self._occurrence(progress.origin, peek(record.value).event_id or "")
        self._read(found, record)
        seen = Queued(record.timestamp / 1000, self._done(record), progress.replays)
        found.about(self._names.queues[record.topic]).queued.append(seen)

    def _retry(self, record: Record) -> None:
        progress = _progress(record)
        if progress is None or progress.account is None or not self._about(record.value):
            return
        found = self._occurrence(progress.origin, peek(record.value).event_id or "")
        self._read(found, record)
        at = record.timestamp / 1000
        due = at + self._names.retries[record.topic]
        seen = Retrying(at, due, self._done(record), Letter(record).code)
        found.about(progress.account).retrying.append(seen)

    def _letter(self, record: Record) -> None:
        letter = Letter(record)
        if not self._same(letter.event_id, letter.order_id):
            return
        origin = letter.text("origin") or coordinates(record)
        found = self._occurrence(origin, letter.event_id)
        self._read(found, record)
        found.about(letter.account).letters.append(letter)
        self._letters[coordinates(record)] = origin

    def _settlement(self, record: Record) -> None:
        told = _json(record.value)
        origin, event_id = _text(told, "origin"), _text(told, "event_id")
        by_id = bool(self._wanted.event_id) and event_id == self._wanted.event_id
        if not origin or (origin not in self.found and (self._wanted.order_id or not by_id)):
            return
        names = ("at", "outcome", "reason", "code", "request_id")
        seen = Settled(*(_text(told, name) for name in names))
        found = self._occurrence(origin, event_id)
        found.about(_text(told, "account")).settled.append(seen)

    def _replay(self, record: Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        place = "/".join(key.split("/")[:_PARTS_OF_A_PLACE])
        origin = self._letters.get(place) or (place if place in self.found else None)
        if origin is None:
            return
        told = _json(record.value)
        seen = Replayed(_text(told, "run"), _text(told, "at"))
        self.found[origin].about(_text(told, "account")).replayed.append(seen)


def _needles(text: str) -> set[bytes]:
    """The ways in which JSON may write it: as it is, in ASCII, with slashes escaped."""
    written = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return {form.encode() for one in written for form in (one, one.replace("/", "\\/"))}


def _is(text: str, wanted: str) -> bool:
    return not wanted or text == wanted or text.encode() == cut(wanted, MAX_VALUE)


def _progress(record: Record) -> Progress | None:
    try:
        return read_progress(record)
    except MalformedHeaders:
        return None


def _json(value: bytes | None) -> Mapping[str, object]:
    try:
        told = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(told: Mapping[str, object], name: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else ""
