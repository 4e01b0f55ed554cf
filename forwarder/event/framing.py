"""How JSON stands in a record's value."""

from __future__ import annotations

from typing import Final

from pydantic_core import from_json

from forwarder.surrogates import mended

_SCHEMA_ID: Final = 5
"""Bytes before the JSON that Confluent's serializers write: a zero and the schema's id."""


def unframed(value: bytes) -> bytes:
    """The JSON in a record's value, plain or in Confluent's frame."""
    return value[_SCHEMA_ID:] if value[:1] == b"\0" else value


def parsed(value: bytes) -> object:
    """What the JSON in a record's value holds, read as leniently as an event: with integers of any
    size, ``NaN``, and halves of characters. Raises ``ValueError``.
    """
    json = unframed(value)
    found: object
    try:
        found = from_json(json, allow_inf_nan=True)
    except ValueError:
        whole = mended(json)
        if whole == json:
            raise
        found = from_json(whole, allow_inf_nan=True)
    return found
