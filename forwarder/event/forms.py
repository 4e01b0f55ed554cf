"""The kinds of lenient fields: how each is read, exactly and leniently, and its JSON Schema.

Patterns are those of pydantic's core, which knows no look-around. Each takes only what the form
beside it leaves as it is, but for white space around it and the case of e-mail addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core import core_schema as cs

from forwarder import normal
from forwarder.event.lenient import Form, Lenient, Partly, Siblings, in_order, says_nothing
from forwarder.money import money, quantity

Scalar = str | int | float | bool
MAX_PROPERTIES: Final = 50
_STRING: Final = {"type": "string"}
_BELOW_DIGEST: Final = 63
"""Text of 64 hex digits may be a digest: the form has a look at text of that length."""
_JSON_INTEGERS: Final = range(-(1 << 63), 1 << 64)
"""What every reader of JSON holds without loss."""


_SEPARATORS: Final = r"\x1c-\x1f"
"""White space to Python, but not to Unicode, which is what pydantic's core trims by: text of these
alone is blank.
"""
NOT_BLANK: Final = f"[^{_SEPARATORS}]"
"""Of trimmed text."""


def string(pattern: str = NOT_BLANK, least: int = 1, most: int | None = None) -> CoreSchema:
    """A JSON string, trimmed, of ``least`` to ``most`` characters, that holds ``pattern``."""
    return cs.str_schema(
        strict=True, strip_whitespace=True, min_length=least, max_length=most, pattern=pattern
    )


def of_text(form: Callable[[str], str | None]) -> Form:
    """A form of strings."""
    return lambda value, _: form(value) if isinstance(value, str) else None


def of_value(form: Callable[[object], object]) -> Form:
    """A form of any JSON value."""
    return lambda value, _: form(value)


def text(value: object) -> str | None:
    """A string, trimmed."""
    return normal.blank(value) if isinstance(value, str) else None


def _no_form(_: object, __: Siblings) -> None:
    """The form where what ``exact`` refuses has none."""


# -- text -----------------------------------------------------------------------------------------
NO_PLACEHOLDER: Final = rf"^[^nNuU({_SEPARATORS}]|[0-9]|(?s:{NOT_BLANK}.{{9}})"
"""Of trimmed text that is not blank and starts unlike the placeholders, or holds a digit, or is
longer than all.
"""

TEXT: Final = Lenient(string(), of_text(normal.blank), _STRING)
TEXT_OR_DIGEST: Final = Lenient(string(most=_BELOW_DIGEST), of_text(normal.text_or_digest), _STRING)
ID: Final = Lenient(
    string(NO_PLACEHOLDER), of_value(normal.identifier), {"type": ["string", "integer"]}
)


def fitting(pattern: str) -> Lenient:
    """A string that ``pattern`` describes from end to end."""
    whole = f"^(?:{pattern})$"
    return Lenient(string(whole), _no_form, {"type": "string", "pattern": whole})


def of_length(*lengths: int) -> Lenient:
    """A string of exactly one of these lengths."""
    return fitting("|".join(f".{{{length}}}" for length in lengths))


def one_of(*words: str, absent: str | None = None) -> Lenient:
    """One of these words, in any case."""
    by_lower_case = {word.lower(): word for word in words}

    def form(value: object, _: Siblings) -> str | None:
        return by_lower_case.get(value.strip().lower()) if isinstance(value, str) else None

    json = {"type": "string", "enum": list(words)}
    return Lenient(cs.literal_schema(list(words)), form, json, absent=absent)


ACTION_SOURCE: Final = one_of("web", "app", "offline", "crm", absent="web")
CUSTOMER_TYPE: Final = one_of("new", "returning")


# -- people and places ----------------------------------------------------------------------------
def _alone(form: str) -> tuple[str, ...]:
    return (form,)


def several(
    exact: CoreSchema, form: Callable[[str], str | None], *, name: str, integers: bool = False
) -> Lenient:
    """A value or a list of them. ``integers``: they are ids."""

    def read(value: object, _: Siblings) -> object:
        found = normal.many(value, form, integers=integers)
        return Partly(found.forms) if found.dropped else found.forms

    one = {"type": ["string", "integer"]} if integers else _STRING
    json = {"anyOf": [one, {"type": "array", "items": one, "maxItems": normal.MANY}]}
    alone = cs.no_info_after_validator_function(_alone, exact)
    return Lenient(alone, read, json, name=name, absent=())


_ASCII: Final = "[!-?A-~]+"
EMAILS: Final = several(
    cs.str_schema(
        strict=True,
        strip_whitespace=True,
        to_lower=True,
        pattern=rf"^{_ASCII}@{_ASCII}\.{_ASCII}$",
    ),
    normal.email,
    name="email",
)
EXTERNAL_IDS: Final = several(
    string(NO_PLACEHOLDER, most=_BELOW_DIGEST),
    normal.id_or_digest,
    name="external_id",
    integers=True,
)
_E164: Final = cs.no_info_after_validator_function(_alone, string(r"^\+[1-9][0-9]{6,14}$"))
PHONE: Final = Lenient(
    in_order(_E164, cs.any_schema()), _no_form, several(string(), normal.phone, name="phone").json
)
"""A number in E.164 is a tuple of one. All else is kept as it is given: its region is not known
yet, and few destinations want it.
"""


def _short(form: Form) -> Form:
    """``form``, of what is no longer than a name may be."""

    def read(value: object, siblings: Siblings) -> object:
        found = form(value, siblings)
        return found if isinstance(found, str) and len(found) <= normal.LONGEST_NAME else None

    return read


NAME: Final = Lenient(string(most=_BELOW_DIGEST), _short(of_text(normal.text_or_digest)), _STRING)
CITY: Final = Lenient(string(most=normal.LONGEST_NAME), _short(of_text(normal.blank)), _STRING)
COUNTRY: Final = Lenient(
    string("^(?:[A-TV-Z][A-Z]|U[A-JL-Z])$"),
    of_text(normal.country),
    {"type": "string", "pattern": "^[A-Za-z]{2}$"},
)


def _state(value: object, siblings: Siblings) -> str | None:
    country = siblings.get("country")
    of_country = country if isinstance(country, str) else None
    return normal.state(value, of_country) if isinstance(value, str) else None


STATE: Final = Lenient(
    string(rf"^[^-{_SEPARATORS}]+$", most=normal.LONGEST_NAME), _short(_state), _STRING
)

# -- devices and networks -------------------------------------------------------------------------
_OCTET: Final = r"\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_SURELY_PUBLIC: Final = (
    "[1-9]|1[1-9]|[2-9][0-9]|10[1-9]|11[0-9]|12[0-689]|1[345][0-9]|16[0-8]|17[013-9]|18[0-9]"
    "|19[013-9]|2[01][0-9]|22[0-3]"
)
IP: Final = Lenient(
    string(f"^(?:{_SURELY_PUBLIC})(?:{_OCTET}){{3}}$"),
    of_text(normal.ip),
    _STRING,
    name="ip_address",
)
_CONTROL: Final = r"\x00-\x1f\x7f"
URL: Final = Lenient(
    string(
        rf"^(?i:https?)://[^\s{_CONTROL}/?#@%:\[\]]+"
        rf"(?:[:/?#](?:[^@%{_CONTROL}]|%(?:[^4@%{_CONTROL}]|4[^0@%{_CONTROL}]))*)?$",
        most=normal.LONGEST_URL,
    ),
    of_text(normal.url),
    {"type": "string", "format": "uri", "maxLength": normal.LONGEST_URL},
)

_HEX: Final = "[0-9A-Fa-f-]"
_DEVICE_ID: Final = string(f"^{_HEX}*[1-9A-Fa-f]{_HEX}*$", least=16, most=_BELOW_DIGEST)
_DEVICE_ID_JSON: Final = {"type": "string", "pattern": f"^{_HEX}{{16,64}}$"}
_WITHOUT_PERMISSION: Final = ("DENIED", "RESTRICTED", "NOT_DETERMINED")


def _idfa(value: object, siblings: Siblings) -> str | None:
    permitted = siblings.get("att_status") not in _WITHOUT_PERMISSION
    return normal.device_id_or_digest(value) if permitted and isinstance(value, str) else None


IDFA: Final = Lenient(cs.none_schema(), _idfa, _DEVICE_ID_JSON)
IDFV: Final = Lenient(_DEVICE_ID, of_text(normal.device_id), _DEVICE_ID_JSON)
GAID: Final = Lenient(_DEVICE_ID, of_text(normal.device_id_or_digest), _DEVICE_ID_JSON)
GUID: Final = Lenient(
    cs.none_schema(),
    of_text(normal.guid),
    {"type": "string", "pattern": "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"},
)

UID2: Final = of_length(44)
RAMP_ID: Final = of_length(49, 70)
ATT_STATUS: Final = one_of("AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE")

# -- numbers and booleans -------------------------------------------------------------------------
BOOLEAN: Final = Lenient(cs.bool_schema(strict=True), _no_form, {"type": "boolean"})
SHARE: Final = Lenient(
    cs.float_schema(strict=True, ge=0, le=1),
    _no_form,
    {"type": "number", "minimum": 0, "maximum": 1},
)


@lru_cache(maxsize=8192)  # prices repeat
def _fraction(value: float) -> Decimal | None:
    """Of a whole float the digits that were written are not known: ``1000.0`` or ``1E+3``."""
    if value.is_integer():
        raise ValueError("a whole number")
    return money(value)


_WHOLE: Final = cs.no_info_after_validator_function(
    Decimal, cs.int_schema(strict=True, ge=0, lt=10**12)
)
_FRACTION: Final = cs.no_info_after_validator_function(
    _fraction, cs.float_schema(strict=True, ge=0, lt=10**12, allow_inf_nan=False)
)
_WRITTEN: Final = cs.no_info_after_validator_function(
    Decimal, cs.str_schema(strict=True, pattern=r"^[0-9]{1,12}(?:\.[0-9]{1,4})?$")
)
AMOUNT: Final[CoreSchema] = in_order(_WHOLE, _FRACTION, _WRITTEN)
AMOUNT_JSON: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**12},
        {"type": "string", "pattern": r"^[0-9]{1,12}(?:\.[0-9]+)?$"},
    ]
}
MONEY: Final = Lenient(AMOUNT, of_value(money), AMOUNT_JSON, digits=True)
QUANTITY: Final = Lenient(_WHOLE, of_value(quantity), AMOUNT_JSON)

# -- consent --------------------------------------------------------------------------------------
_GRANTED: Final = {"granted": True, "denied": False}


def _granted(value: object, _: Siblings) -> bool | None:
    return _GRANTED.get(value.strip().lower()) if isinstance(value, str) else None


GRANTED: Final = Lenient(
    cs.no_info_after_validator_function(_GRANTED.__getitem__, cs.literal_schema(list(_GRANTED))),
    _granted,
    {"type": "string", "enum": list(_GRANTED)},
)
TCF: Final = fitting("C[A-Za-z0-9_.-]+")
US_PRIVACY: Final = fitting("1[YNyn-]{3}")
GPP: Final = fitting("[A-Za-z0-9_~.-]+")
SECTIONS: Final = Lenient(
    cs.tuple_variable_schema(cs.int_schema(strict=True)),
    _no_form,
    {"type": "array", "items": {"type": "integer"}},
    absent=(),
)
REGION: Final = Lenient(
    string("^[A-Z-]+$"), of_text(lambda given: given.strip().upper() or None), _STRING
)


# -- free-form objects ----------------------------------------------------------------------------
def _entries(value: object, form: Callable[[object], object], most: int | None) -> object:
    """Their names are the producer's: what is dropped is noted for all of them together."""
    if not isinstance(value, dict):
        return None
    read = {key: found for key, one in value.items() if (found := form(one)) is not None}
    lost = any(key not in read and not says_nothing(one) for key, one in value.items())
    if most is not None and len(read) > most:
        return Partly(dict(list(read.items())[:most]))
    return Partly(read) if lost else read


def _scalar(value: object) -> Scalar | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, bool) or (isinstance(value, int) and value in _JSON_INTEGERS):
        return value
    return None


NO_ENTRIES: Final[Mapping[str, Any]] = MappingProxyType({})
CLICK_IDS: Final = Lenient(
    cs.dict_schema(cs.str_schema(), string(NO_PLACEHOLDER)),
    lambda value, _: _entries(value, normal.identifier, None),
    {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
    absent=NO_ENTRIES,
)
_SCALARS: Final = (
    cs.str_schema(strict=True, pattern=rf"[^\s{_SEPARATORS}]"),
    cs.bool_schema(strict=True),
    cs.int_schema(strict=True, ge=_JSON_INTEGERS.start, lt=_JSON_INTEGERS.stop),
    # A strict float takes integers too: not those that the line above has refused.
    cs.float_schema(strict=True, gt=_JSON_INTEGERS.start, lt=_JSON_INTEGERS.stop),
)
PROPERTIES: Final = Lenient(
    cs.dict_schema(
        cs.str_schema(),
        cs.union_schema(list(_SCALARS), mode="left_to_right"),
        max_length=MAX_PROPERTIES,
    ),
    lambda value, _: _entries(value, _scalar, MAX_PROPERTIES),
    {
        "type": "object",
        "maxProperties": MAX_PROPERTIES,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    absent=NO_ENTRIES,
)


def _not_given(value: object) -> bool:
    """No word counts as silence here: ``none`` says that nobody may have the event."""
    return value is None or (isinstance(value, str) and normal.blank(value) is None)


def _destinations(value: object, _: Siblings) -> object:
    """A single name is a list of one. What is no list names nobody: a wish to narrow the circle
    must never widen it.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        return Partly(())
    return tuple(name.strip().lower() if isinstance(name, str) else "" for name in names)


DESTINATIONS: Final = Lenient(
    cs.tuple_variable_schema(cs.str_schema(strict=True, strip_whitespace=True, to_lower=True)),
    _destinations,
    {"type": "array", "items": _STRING},
    silent=_not_given,
)
