"""Payloads of other tools, and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from forwarder.event import ConversionEvent, InvalidEvent, decode
from forwarder.sources import SOURCES, Format, Native, Options
from forwarder.sources.reading import translate

Json = dict[str, Any]
SAMPLES = Path(__file__).parent / "samples"
NOW = 1_795_262_400.0
ACME = Options(advertiser="acme")


def sample(name: str) -> Json:
    found: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def natives(kind: Format, payload: object, options: Options = ACME) -> list[Native]:
    return list(translate(json.dumps(payload).encode(), SOURCES[kind], options).events)


def native(kind: Format, payload: object, options: Options = ACME) -> Native:
    (one,) = natives(kind, payload, options)
    return one


def body(kind: Format, payload: object, options: Options = ACME) -> Json:
    made: Json = json.loads(native(kind, payload, options).json())
    return made


def event(kind: Format, payload: object, options: Options = ACME) -> ConversionEvent:
    return decode(native(kind, payload, options).json(), {}, NOW)


def errors(kind: Format, payload: object, options: Options = ACME) -> dict[str, str]:
    """Rules by the paths that the user is told."""
    try:
        found = native(kind, payload, options)
    except InvalidEvent as invalid:
        return {error.path: error.rule for error in invalid.errors}
    try:
        decode(found.json(), {}, NOW)
    except InvalidEvent as invalid:
        return {error.path: error.rule for error in found.renamed(invalid.errors)}
    return {}


def dropped(kind: Format, payload: object, options: Options = ACME) -> list[str]:
    """Fields without a usable form, by the user's names."""
    found = native(kind, payload, options)
    return [found.named(path) for path in decode(found.json(), {}, NOW).dropped]


def notes(kind: Format, payload: object, options: Options = ACME) -> dict[str, str]:
    return {note.path: note.text for note in native(kind, payload, options).notes}
