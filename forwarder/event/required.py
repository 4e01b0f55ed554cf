"""The fields that make a record an event: a broken rule here makes the record invalid."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core import core_schema as cs

from forwarder import normal
from forwarder.currencies import ACTIVE
from forwarder.event import forms
from forwarder.event.block import Reading
from forwarder.event.lenient import in_order, says_nothing
from forwarder.money import money

MAX_ID: Final = 128
MAX_NAME: Final = 64
EARLIEST: Final = 1_262_304_000.0
"""2010-01-01T00:00:00Z, in epoch seconds."""
BROKEN: Final = "broken_rule"
UNSUPPORTED: Final = "unsupported_version"
IS_REQUIRED: Final = "is required"
TOO_FAR_AHEAD: Final = "must not be more than 10 minutes ahead"
"""Of a time that is read without Python whoever reads the event has to ask this."""


def _broken(rule: str, kind: str = BROKEN) -> PydanticCustomError:
    return PydanticCustomError(kind, "{rule}", {"rule": rule})


@dataclass(frozen=True, slots=True)
class Checked:
    """Marks a field whose rules must hold. ``exact``: what certainly keeps them, if that can be
    told without Python; ``check`` judges all else: it returns the normal form, or raises what
    ``_broken`` makes.
    """

    exact: CoreSchema | None
    check: Callable[[object, cs.ValidationInfo[Reading]], object]
    json: JsonSchemaValue

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        check = cs.with_info_plain_validator_function(self.check)
        return check if self.exact is None else in_order(self.exact, check)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.json)


def _text(form: Callable[[object], str | None], most: int, kinds: str) -> Callable[..., str]:
    def check(value: object, _: object) -> str:
        if says_nothing(value):
            raise _broken(IS_REQUIRED)
        read = form(value)
        if read is None:
            raise _broken(f"must be {kinds}")
        if len(read) > most:
            raise _broken(f"must have at most {most} characters")
        return read

    return check


ID: Final = Checked(
    forms.string(forms.NO_PLACEHOLDER, most=MAX_ID),
    _text(normal.identifier, MAX_ID, "a string or an integer"),
    {"type": ["string", "integer"], "minLength": 1, "maxLength": MAX_ID},
)
NAME: Final = Checked(
    forms.string(most=MAX_NAME),
    _text(forms.text, MAX_NAME, "a string"),
    {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
)


def _time(value: object, info: cs.ValidationInfo[Reading]) -> float:
    at = normal.time(value)
    if at is None:
        raise _broken(
            IS_REQUIRED
            if says_nothing(value)
            else "must be RFC 3339 with an offset, or epoch seconds, milliseconds or microseconds"
        )
    if at < EARLIEST:
        raise _broken("must not be before 2010")
    if at > info.context.latest:
        raise _broken(TOO_FAR_AHEAD)
    return at


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


_WRITTEN_TIME: Final = (
    r"^20(?:1[1-9]|[2-9][0-9])-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})$"
)
"""From 2011 on: whatever its offset, it is not before 2010."""
TIME: Final = Checked(
    in_order(
        cs.float_schema(strict=True, ge=EARLIEST, lt=normal.MILLISECONDS_FROM),
        cs.no_info_after_validator_function(_instant, forms.string(_WRITTEN_TIME)),
    ),
    _time,
    {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "pattern": r"^[0-9]{10,16}(?:\.[0-9]+)?$"},
            {"type": "number", "minimum": EARLIEST},
        ]
    },
)

_MAJOR: Final = re.compile(r"v?([0-9]{1,9})(?:\.[0-9.]*)?", re.ASCII)


def _version(value: object, _: object) -> str:
    if says_nothing(value):
        return "1"
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    version = str(value).strip() if numeric or isinstance(value, str) else ""
    major = _MAJOR.fullmatch(version)
    if major is None:
        raise _broken('must be "1"')
    if int(major[1]) != 1:
        raise _broken('has another major version than "1"', UNSUPPORTED)
    return version


VERSION: Final = Checked(cs.literal_schema(["1"]), _version, {"const": "1"})


def _value(value: object, info: cs.ValidationInfo[Reading]) -> Decimal | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    amount = money(info.context.as_written(value))
    if amount is None:
        raise _broken("must be a number of 0 or more, below 10^12")
    return amount


VALUE: Final = Checked(forms.AMOUNT, _value, forms.AMOUNT_JSON)


def _currency(value: object, _: object) -> str | None:
    code = value.strip().upper() if isinstance(value, str) else "?" if value is not None else ""
    if code and code not in ACTIVE:
        raise _broken("must be an active ISO 4217 code")
    return code or None


CURRENCY: Final = Checked(
    cs.literal_schema(sorted(ACTIVE)), _currency, {"type": "string", "enum": sorted(ACTIVE)}
)
