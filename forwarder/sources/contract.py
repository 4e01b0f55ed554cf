"""What a translation gives: native events, and what it made of every field it was given.

A source turns one record that another tool wrote into events of the one schema (mapping section
6). It is pure and judges nothing: what it yields is validated as every event is, and errors are
told by the names that the user knows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import orjson

from forwarder.destinations.click_ids import DESCRIPTIONS
from forwarder.event import FieldError, InvalidEvent
from forwarder.sources.fields import Fields, Found, below, plain, says_something, scalar

Given: TypeAlias = Mapping[str, object]
"""A JSON object as some tool wrote it."""

NO_PLACE: Final = "has no place in the event, left out"


class Note(NamedTuple):
    """Something a user should know of a field: ``path`` as he writes it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Options:
    """What no payload says by itself. ``advertiser``: of events that name none.
    ``appended_at``: epoch seconds at which the record came, for events that say no time; ``None``:
    nobody knows. ``derive_event_id``: an event without an id gets one made of its other fields.
    ``consent``: our names of consents, each with the consent tool's categories that it needs.
    """

    advertiser: str | None = None
    appended_at: float | None = None
    derive_event_id: bool = False
    consent: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Native:
    """One event of the topic's schema. ``names``: for its fields and blocks, where the user wrote
    them or would write them.
    """

    body: Mapping[str, object]
    names: Mapping[str, str]
    notes: tuple[Note, ...] = ()

    def json(self) -> bytes:
        """The event as a record's value."""
        return orjson.dumps(self.body)

    def named(self, path: str) -> str:
        """The user's name of a native path: the longest part of it that has one."""
        part = path
        while part:
            if part in self.names:
                return self.names[part]
            part = part.rpartition(".")[0]
        return path

    def renamed(self, errors: Iterable[FieldError]) -> list[FieldError]:
        """Errors of the native event, by the user's names."""
        return [FieldError(self.named(error.path), _rule(error)) for error in errors]

    def blamed(self, invalid: InvalidEvent) -> InvalidEvent:
        """The same refusal, by the user's names."""
        return InvalidEvent(invalid.reason, self.renamed(invalid.errors), self.json())


class Translation(NamedTuple):
    """``nothing``: why there is no event, in words; empty where there are some."""

    events: tuple[Native, ...]
    nothing: str = ""


Source: TypeAlias = Callable[[Given, Options], Translation]
"""Translates one record. Raises ``InvalidEvent`` for what is none of its shapes."""


def misshapen(path: str, rule: str) -> InvalidEvent:
    """The record has none of the shapes that a source reads."""
    return InvalidEvent("invalid_event", [FieldError(path, rule)])


_REQUIRED: Final = "is required"
_FIXES: Final = {
    "event_id": "send the id that the browser pixel sends with the same event",
    "advertiser": "no such tool says it, so give --advertiser, or set kafka.events_advertiser",
}


def _rule(error: FieldError) -> str:
    fix = _FIXES.get(error.path) if error.rule == _REQUIRED else None
    return f"{error.rule}: {fix}" if fix else error.rule


class Rule(NamedTuple):
    """``field`` of the native event comes from the first of ``sources`` that says something."""

    field: str
    sources: tuple[str, ...]


def rules(table: str) -> tuple[Rule, ...]:
    """A table of rules: a line holds a native field, and the paths it may come from."""
    rows = [line.split() for line in table.splitlines() if line.strip()]
    return tuple(Rule(row[0], tuple(row[1:])) for row in rows)


class Builder:
    """Builds one native event from ``fields``."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._body: dict[str, object] = {}
        self._names: dict[str, str] = {}
        self._notes: dict[Note, None] = {}

    def apply(self, table: Iterable[Rule]) -> None:
        """Fill every field of ``table``, and note where each would be looked for."""
        for rule in table:
            self._names[rule.field] = self.fields.shown(rule.sources[0])
            found = self.fields.find(*rule.sources)
            if found is not None:
                self.put(rule.field, found.value, found.path)

    def put(self, field: str, value: object, path: str) -> None:
        """Set a native field, which the user calls ``path``."""
        block, dot, key = field.rpartition(".")
        place = self._body.setdefault(block, {}) if dot else self._body
        assert isinstance(place, dict)
        place[key] = value
        self._names[field] = path

    def call(self, field: str, path: str) -> None:
        """``field`` is what the user calls ``path``, be it there or not."""
        self._names[field] = path

    def has(self, field: str) -> bool:
        return self.said(field) is not None

    def said(self, field: str) -> object:
        """What the event says so far; ``None``: nothing."""
        value: object = self._body
        for key in field.split("."):
            value = below(value, key)
        return value

    def consent(self, field: str, said: str, path: str) -> None:
        """A denial stands, whoever else says otherwise."""
        if str(self.said(field)).strip().lower() != "denied":
            self.put(field, said, path)

    def note(self, path: str, text: str) -> None:
        self._notes[Note(path, text)] = None

    def advertiser(self, paths: Sequence[str], options: Options) -> None:
        """The event's own word goes before the option."""
        found = self.fields.find(*paths)
        if found is not None:
            self.put("advertiser", found.value, found.path)
        elif options.advertiser is not None:
            self.put("advertiser", options.advertiser, "advertiser")

    def arrival(self, options: Options) -> None:
        """An event that says no time happened when its record came."""
        if not self.has("event_time") and options.appended_at is not None:
            self._body["event_time"] = options.appended_at

    def derived_id(self, parts: Sequence[object], options: Options) -> None:
        """An id that stays the same whenever the same event is read again."""
        if self.has("event_id") or not options.derive_event_id or not all(parts):
            return
        digest = hashlib.sha256(orjson.dumps([str(part) for part in parts])).hexdigest()[:32]
        path = self._names["event_id"]
        self.put("event_id", digest, path)
        self.note(path, "is missing; made from other fields, so no browser pixel can match it")

    def click_ids(self, block: str) -> None:
        """Fields of ``block`` that are click ids by their names."""
        for name in DESCRIPTIONS:
            self._names.setdefault(f"click_ids.{name}", self.fields.shown(f"{block}.{name}"))
        inside = self._block(block)
        for key in inside:
            read_as = click_id_name(str(key))
            if read_as is None or (found := self.fields.find(f"{block}.{key}")) is None:
                continue
            if not self.has(f"click_ids.{read_as}"):
                self.put(f"click_ids.{read_as}", found.value, found.path)

    def properties(self, block: str, inner: str = "") -> None:
        """Scalars of ``block`` that have found no place become ``properties``; keys that start
        with ``inner`` are the tool's own affair.
        """
        self.call("properties", self.fields.shown(block) or "$")
        kept: dict[str, object] = {}
        for found in list(self.fields.rest()):
            prefix, _, key = found.path.partition(".")
            if prefix != block or "." in key or "[]" in key or (inner and key.startswith(inner)):
                continue
            if scalar(found.value):
                kept[key] = plain(found.value)
                self.fields.ignore(found.path)
        if kept:
            self._body["properties"] = kept

    def _block(self, path: str) -> Mapping[str, object]:
        value: object = self.fields.tree
        for key in path.split("."):
            value = below(value, key)
        return value if isinstance(value, Mapping) else {}

    def native(self) -> Native:
        """The event. What has found no place by now has none."""
        for found in self.fields.rest():
            self.note(self.fields.shown(found.path), NO_PLACE)
        return Native(self._body, self._names, tuple(self._notes))


_CLICK_ID: Final = re.compile(r"[a-z0-9_]*(?:clid|click_id|clickid)")


def click_id_name(key: str) -> str | None:
    """The name under which a parameter or cookie is a click id; ``None`` if it is none."""
    name = key.lower().removeprefix("_")
    return name if name in DESCRIPTIONS or _CLICK_ID.fullmatch(name) else None


# -- items ----------------------------------------------------------------------------------------
class Columns(NamedTuple):
    """Where a tool's rows stand, and for each of our columns the names it may have there.
    ``read``: columns that have done their work elsewhere.
    """

    path: str
    names: Mapping[str, tuple[str, ...]]
    read: frozenset[str] = frozenset()


def rows(builder: Builder, found: Found, columns: Columns) -> list[Mapping[str, object]]:
    """Set ``items`` from a list of objects; returns the rows as we name their columns."""
    given = found.value if isinstance(found.value, list) else [found.value]
    builder.call("items", found.path)
    for ours, theirs in columns.names.items():
        builder.call(f"items.{ours}", f"{columns.path}{theirs[0]}")
    read = [_row(builder, one, columns) for one in given]
    builder.put("items", read, found.path)
    return [row for row in read if isinstance(row, Mapping)]


def _row(builder: Builder, given: object, columns: Columns) -> object:
    if not isinstance(given, Mapping):
        return given  # the event's rules say what is wrong with it
    row: dict[str, object] = {}
    known = set(columns.read)
    for ours, theirs in columns.names.items():
        known.update(theirs)
        value = next((given[name] for name in theirs if says_something(given.get(name))), None)
        if value is not None:
            row[ours] = plain(value)
    for key, value in given.items():
        if key not in known and says_something(value):
            builder.note(f"{columns.path}{key}", NO_PLACE)
    return row
