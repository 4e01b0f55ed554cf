"""From a record's bytes to an event, or to all the reasons why it is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from forwarder.event import required
from forwarder.event.block import Reading
from forwarder.event.conversion import AdvertiserDefaults, ConversionEvent, forget_all_unknown
from forwarder.event.framing import unframed
from forwarder.money import money
from forwarder.normal import identifier, time
from forwarder.surrogates import mended

MAX_BYTES: Final = 1 << 20
MAX_AHEAD: Final = 600.0
"""Seconds by which a producer's clock may be ahead."""
_RECORD: Final = "$"
"""The path of the record as a whole."""
_NO_DEFAULTS: Final = AdvertiserDefaults()
_read: Final = TypeAdapter(ConversionEvent).validator.validate_json

Reason = Literal["invalid_event", "undecodable", "unsupported_version", "oversize"]


class FieldError(NamedTuple):
    """One broken rule: the field's path as the producer writes it (``$``: the whole record), and
    the rule in words.
    """

    path: str
    rule: str


class InvalidEvent(Exception):
    """The record is no event. ``reason`` is the dead letter's; no value stands in the text."""

    def __init__(
        self, reason: Reason, errors: Sequence[FieldError], translated: bytes | None = None
    ) -> None:
        """``translated``: the event as the schema has it, of a record that a tool wrote."""
        super().__init__("; ".join(f"{e.path}: {e.rule}" for e in errors))
        self.reason: Reason = reason
        self.errors = tuple(errors)
        self.translated = translated


def decode(
    value: bytes | None,
    advertisers: Mapping[str, AdvertiserDefaults],
    now: float,
    appended_at: float | None = None,
) -> ConversionEvent:
    """The event in a record's value (plain or Confluent-framed JSON).

    ``advertisers``: defaults by advertiser, ``"*"`` for all others. ``now``, ``appended_at``: epoch
    seconds; ``event_time`` may be at most 10 min after the later of the two.
    Raises ``InvalidEvent`` with every rule that is broken.
    """
    if not value:
        raise InvalidEvent("undecodable", [FieldError(_RECORD, "has no value")])
    if len(value) > MAX_BYTES:
        raise InvalidEvent("oversize", [FieldError(_RECORD, f"is larger than {MAX_BYTES} bytes")])
    return _event(unframed(value), advertisers, max(now, appended_at or now) + MAX_AHEAD)


def decode_checked(value: bytes, advertisers: Mapping[str, AdvertiserDefaults]) -> ConversionEvent:
    """The event in a record that ``decode`` has accepted before, whatever the time is now.

    The same reading as ``decode``'s, so that both always agree. Raises ``InvalidEvent`` when it
    would not be accepted today: the advertiser's defaults have changed, or the bytes.
    """
    return _event(unframed(value), advertisers, math.inf)


def _event(
    written: bytes, advertisers: Mapping[str, AdvertiserDefaults], latest: float
) -> ConversionEvent:
    reading = Reading(written, latest)
    try:
        event: ConversionEvent | InvalidEvent = _read(written, context=reading)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if problems[0]["type"] == _NO_JSON and (whole := mended(written)) != written:
            return _event(whole, advertisers, latest)
        event = _refusal(problems, reading, advertisers)
    if isinstance(event, InvalidEvent):  # raised here, it has no context that holds what was given
        raise event
    kept = event.__dict__  # this is its birth: from here on it never changes
    if reading.unknown:
        kept["unknown"] = tuple(dict.fromkeys(forget_all_unknown(event)))
    defaults = _defaults(advertisers, event.advertiser)
    currency_missing = event.currency is None and event.value is not None
    if event.event_time > latest or (currency_missing and defaults.currency is None):
        raise InvalidEvent("invalid_event", list(_beyond_fields(reading, advertisers)))
    kept["defaults"] = defaults
    if reading.dropped:
        kept["noted"] = reading.dropped
    if event.user.phone_given is not None:
        event.user.__dict__["phone_region"] = defaults.phone_region
    if currency_missing:
        kept["currency"] = defaults.currency
    return event


def _defaults(advertisers: Mapping[str, AdvertiserDefaults], advertiser: str) -> AdvertiserDefaults:
    return advertisers.get(advertiser) or advertisers.get("*") or _NO_DEFAULTS


# -- reasons --------------------------------------------------------------------------------------
_CURRENCY_MISSING: Final = FieldError(
    "currency", "is required beside a value, unless the advertiser has a default currency"
)


def _refusal(
    problems: Sequence[ErrorDetails],
    reading: Reading,
    advertisers: Mapping[str, AdvertiserDefaults],
) -> InvalidEvent:
    for problem in problems:
        if problem["type"] == _NO_JSON:
            rule = f"must be JSON: {problem.get('ctx', {}).get('error')}"
            return InvalidEvent("undecodable", [FieldError(_RECORD, rule)])
        if not problem["loc"]:
            return InvalidEvent("invalid_event", [FieldError(_RECORD, "must be a JSON object")])
        if problem["type"] == required.UNSUPPORTED:
            return InvalidEvent("unsupported_version", [_field_error(problem)])
    errors = [_field_error(problem) for problem in problems if problem["type"] in _OURS]
    told = {error.path for error in errors}
    beyond = [one for one in _beyond_fields(reading, advertisers) if one.path not in told]
    return InvalidEvent("invalid_event", [*errors, *beyond])


_NO_JSON: Final = "json_invalid"
_OURS: Final = ("missing", required.BROKEN, required.UNSUPPORTED)
"""Kinds of problems that name a rule; the others say only that a value is not of exact form."""


def _field_error(problem: ErrorDetails) -> FieldError:
    missing = problem["type"] == "missing"
    return FieldError(str(problem["loc"][0]), required.IS_REQUIRED if missing else problem["msg"])


def _beyond_fields(
    reading: Reading, advertisers: Mapping[str, AdvertiserDefaults]
) -> Iterator[FieldError]:
    """Broken rules that take more than a field: the time that it is now, and the one about two."""
    body = from_json(reading.written)
    at = time(body.get("event_time"))
    if at is not None and at > reading.latest:
        yield FieldError("event_time", required.TOO_FAR_AHEAD)
    given = body.get("currency")
    if money(body.get("value")) is None or not (given is None or str(given).strip() == ""):
        return
    if _defaults(advertisers, identifier(body.get("advertiser")) or "").currency is None:
        yield _CURRENCY_MISSING
