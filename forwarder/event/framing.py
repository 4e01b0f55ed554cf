"""How JSON stands in a record's value."""

from __future__ import annotations

from typing import Final

import orjson
from pydantic_core import from_json

from forwarder.surrogates import mended

_SCHEMA_ID: Final = 5
"""Bytes before the JSON that Confluent's serializers write: a zero and the schema's id."""


def unframed(value: bytes) -> bytes:
    """The JSON in a record's value, plain or in Confluent's frame."""
    return value[_SCHEMA_ID:] if value[:1] == b"\0" else value


def parsed(value: bytes) -> object:
    """What the JSON in a record's value holds, read as leniently as an event: with ``NaN`` and
    with halves of characters. Raises ``orjson.JSONDecodeError``.
    """
    json = unframed(value)
    found: object
    try:
        found = orjson.loads(json)
    except orjson.JSONDecodeError as strict:
        try:
            found = from_json(mended(json), allow_inf_nan=True)
        except ValueError:
            raise strict from None
    return found
