"""How JSON stands in a record's value."""

from __future__ import annotations

from typing import Final

_SCHEMA_ID: Final = 5
"""Bytes before the JSON that Confluent's serializers write: a zero and the schema's id."""


def unframed(value: bytes) -> bytes:
    """The JSON in a record's value, plain or in Confluent's frame."""
    return value[_SCHEMA_ID:] if value[:1] == b"\0" else value
