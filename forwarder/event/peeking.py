"""What can be told of a record that is no valid event: enough to find it again."""

from __future__ import annotations

from typing import Final, NamedTuple

from forwarder.event.framing import parsed
from forwarder.normal import blank, identifier, time

_LARGEST: Final = 1 << 20
_LONGEST: Final = 128
_EARLIEST: Final = 1_262_304_000.0
"""2010-01-01T00:00:00Z."""
_LATEST: Final = 253_402_300_800.0
"""The year 10000, from which on a time cannot be written."""


class Peeked(NamedTuple):
    """The fields that could be read, each in its normal form. ``event_time``: epoch seconds."""

    event_id: str | None = None
    event_name: str | None = None
    event_time: float | None = None
    advertiser: str | None = None
    order_id: str | None = None


NOTHING: Final = Peeked()


def peek(value: bytes | None) -> Peeked:
    """Never raises. Rules that tie fields together are not looked at."""
    if not value or len(value) > _LARGEST:
        return NOTHING
    try:
        body = parsed(value)
    except ValueError:
        return NOTHING
    if not isinstance(body, dict):
        return NOTHING
    at = time(body.get("event_time"))
    return Peeked(
        event_id=_within(identifier(body.get("event_id"))),
        event_name=_within(_text(body.get("event_name"))),
        event_time=at if at is not None and _EARLIEST <= at < _LATEST else None,
        advertiser=_within(identifier(body.get("advertiser"))),
        order_id=identifier(body.get("order_id")),
    )


def _text(given: object) -> str | None:
    return blank(given) if isinstance(given, str) else None


def _within(found: str | None) -> str | None:
    return found if found is not None and len(found) <= _LONGEST else None
