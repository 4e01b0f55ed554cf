"""From a record's bytes to an event, or to all the reasons why it is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, NamedTuple

import orjson
from pydantic_core import from_json

from forwarder.currencies import ACTIVE
from forwarder.event.conversion import AdvertiserDefaults, Checked, ConversionEvent
from forwarder.event.reading import says_nothing, text
from forwarder.money import money
from forwarder.normal import identifier, time

MAX_BYTES: Final = 1 << 20
MAX_ID: Final = 128
MAX_NAME: Final = 64
EARLIEST: Final = 1_262_304_000.0
"""2010-01-01T00:00:00Z."""
MAX_AHEAD: Final = 600.0
"""Seconds by which a producer's clock may be ahead."""
_RECORD: Final = "$"
"""The path of the record as a whole."""
_CONFLUENT_PREFIX: Final = 5
_NO_DEFAULTS: Final = AdvertiserDefaults()

Reason = Literal["invalid_event", "undecodable", "unsupported_version", "oversize"]


class FieldError(NamedTuple):
    """One broken rule: the field's path as the producer writes it (``$``: the whole record), and
    the rule in words.
    """

    path: str
    rule: str


class InvalidEvent(Exception):
    """The record is no event. ``reason`` is the dead letter's; no value stands in the text."""

    def __init__(self, reason: Reason, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.path}: {e.rule}" for e in errors))
        self.reason: Reason = reason
        self.errors = tuple(errors)


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
    if value is not None and len(value) > MAX_BYTES:
        raise InvalidEvent("oversize", [FieldError(_RECORD, f"is larger than {MAX_BYTES} bytes")])
    return _event(value, advertisers, max(now, appended_at or now) + MAX_AHEAD)


def decode_checked(value: bytes, advertisers: Mapping[str, AdvertiserDefaults]) -> ConversionEvent:
    """The event in a record that ``decode`` has accepted before: same result, less work.

    Raises ``InvalidEvent`` when it would not be accepted today: other defaults, other bytes.
    """
    return _event(value, advertisers, math.inf)


def _event(
    value: bytes | None, advertisers: Mapping[str, AdvertiserDefaults], latest: float
) -> ConversionEvent:
    body = _parsed(value)
    errors: list[FieldError] = []
    checked = _checked(body, value or b"", advertisers, latest, errors)
    if errors:
        raise InvalidEvent("invalid_event", errors)
    return ConversionEvent(body, checked)


# -- JSON -----------------------------------------------------------------------------------------
def _parsed(value: bytes | None) -> dict[str, object]:
    if not value:
        raise InvalidEvent("undecodable", [FieldError(_RECORD, "has no value")])
    body = _json(memoryview(value)[_CONFLUENT_PREFIX:] if value[0] == 0 else value)
    if isinstance(body, dict):
        return body
    raise InvalidEvent("invalid_event", [FieldError(_RECORD, "must be a JSON object")])


def _json(value: bytes | memoryview) -> object:
    """NaN and Infinity are no JSON, but some producers write them: they are read, so that the
    field gets the blame, or is dropped.
    """
    try:
        parsed: object = orjson.loads(value)
    except orjson.JSONDecodeError as strict:
        try:
            parsed = from_json(bytes(value), allow_inf_nan=True)
        except ValueError:
            rule = f"must be JSON: line {strict.lineno} column {strict.colno} is not"
            raise InvalidEvent("undecodable", [FieldError(_RECORD, rule)]) from None
    return parsed


# -- what makes an event one ----------------------------------------------------------------------
def _checked(
    body: Mapping[str, object],
    written: bytes,
    advertisers: Mapping[str, AdvertiserDefaults],
    latest: float,
    errors: list[FieldError],
) -> Checked:
    version = body.get("schema_version")
    version = "1" if version is None or version == "1" else _version(version, errors)
    event_id = _required(body, "event_id", identifier, MAX_ID, errors)
    name = _required(body, "event_name", text, MAX_NAME, errors)
    at = _time(body.get("event_time"), latest, errors)
    advertiser = _required(body, "advertiser", identifier, MAX_ID, errors)
    defaults = advertisers.get(advertiser) or advertisers.get("*") or _NO_DEFAULTS
    value = _value(body.get("value"), written, errors)
    currency = _currency(body.get("currency"), errors)
    if value is not None and currency is None:
        currency = defaults.currency
        if currency is None:
            rule = "is required beside a value, unless the advertiser has a default currency"
            errors.append(FieldError("currency", rule))
    return Checked(version, event_id, name, at, advertiser, value, currency, defaults)


def _required(
    body: Mapping[str, object],
    key: str,
    form: Callable[[object], str | None],
    longest: int,
    errors: list[FieldError],
) -> str:
    given = body.get(key)
    read = form(given)
    if read is not None and len(read) <= longest:
        return read
    if read is not None:
        rule = f"must have at most {longest} characters"
    elif says_nothing(given):
        rule = "is required"
    else:
        or_integer = " or an integer of at most 64 bits" if form is identifier else ""
        rule = f"must be a string{or_integer}"
    errors.append(FieldError(key, rule))
    return ""


_MAJOR: Final = re.compile(r"v?([0-9]{1,9})(?:\.[0-9.]*)?", re.ASCII)


def _version(given: object, errors: list[FieldError]) -> str:
    """The version of an event that does not say plainly ``"1"``. Another major version is refused
    before anything else is judged: its rules are not ours.
    """
    if says_nothing(given):
        return "1"
    numeric = isinstance(given, int | float) and not isinstance(given, bool)
    version = str(given).strip() if numeric or isinstance(given, str) else ""
    major = _MAJOR.fullmatch(version)
    if major is None:
        errors.append(FieldError("schema_version", 'must be "1"'))
    elif int(major[1]) != 1:
        rule = 'has another major version than "1"'
        raise InvalidEvent("unsupported_version", [FieldError("schema_version", rule)])
    return version


def _time(given: object, latest: float, errors: list[FieldError]) -> float:
    at = time(given)
    if at is not None and EARLIEST <= at <= latest:
        return at
    if at is not None:
        rule = "must not be before 2010" if at < EARLIEST else "is more than 10 minutes ahead"
    elif says_nothing(given):
        rule = "is required"
    else:
        rule = "must be RFC 3339 with an offset, or epoch seconds, milliseconds or microseconds"
    errors.append(FieldError("event_time", rule))
    return 0.0


def _value(given: object, written: bytes, errors: list[FieldError]) -> Decimal | None:
    if given is None:
        return None
    amount = money(_as_written(given, written))
    if amount is None and not (isinstance(given, str) and not given.strip()):
        errors.append(FieldError("value", "must be a number of 0 or more, below 10^12"))
    return amount


def _as_written(given: object, written: bytes) -> object:
    """A whole float that stands nowhere in the record as Python writes it came with an exponent:
    ``1E+3`` has no decimals, ``1000.0`` has one.
    """
    if isinstance(given, float) and given.is_integer() and repr(given).encode() not in written:
        return int(given)
    return given


def _currency(given: object, errors: list[FieldError]) -> str | None:
    if given is None:
        return None
    code = given if isinstance(given, str) else "?"
    if code not in ACTIVE:
        code = code.strip().upper()
    if code and code not in ACTIVE:
        errors.append(FieldError("currency", "must be an active ISO 4217 code"))
    return code or None
