"""Field rules as values: a rule takes a JSON value and returns what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple


class Problem(NamedTuple):
    """A broken rule at ``path``: keys and indices joined by dots, empty for the value itself."""

    path: str
    rule: str

    def under(self, key: str | int) -> Problem:
        return Problem(f"{key}.{self.path}" if self.path else str(key), self.rule)

    @property
    def kind(self) -> str:
        """The same for all indices, so that a report can count it."""
        path = re.sub(r"(^|\.)\d+(?=\.|$)", r"\1[]", self.path)
        return f"{path}: {self.rule}" if path else self.rule


Problems = Sequence[Problem]
Rule = Callable[[object], Problems]
FINE: Problems = ()


def wrong(rule: str) -> Problems:
    return (Problem("", rule),)


def text(pattern: str = "", form: str = "", *, longest: int = 4096) -> Rule:
    """A string that is not blank; with ``pattern``, one that is ``form``."""
    compiled = re.compile(pattern) if pattern else None

    def rule(value: object) -> Problems:
        if not isinstance(value, str):
            return wrong("Not a valid string.")
        if not value.strip():
            return wrong("Blank: a field without a value is left out.")
        if len(value) > longest:
            return wrong(f"Longer than {longest} characters.")
        if compiled is not None and not compiled.fullmatch(value):
            return wrong(f"Not {form}.")
        return FINE

    return rule


def one_of(*values: str) -> Rule:
    allowed = frozenset(values)

    def rule(value: object) -> Problems:
        if isinstance(value, str) and value in allowed:
            return FINE
        shown = " ".join(values) if len(values) <= 12 else "the values that the vendor lists"  # noqa: PLR2004 - a readable message
        return wrong(f"Must be one of: {shown}.")

    return rule


def number(low: float = 0, high: float = float("inf")) -> Rule:
    def rule(value: object) -> Problems:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return wrong("Not a valid number.")
        return FINE if low <= value <= high else wrong(f"Not between {low:g} and {high:g}.")

    return rule


def integer(low: int, high: int = 1 << 53) -> Rule:
    def rule(value: object) -> Problems:
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong("Not a valid integer.")
        return FINE if low <= value <= high else wrong(f"Not between {low} and {high}.")

    return rule


def boolean(value: object) -> Problems:
    return FINE if isinstance(value, bool) else wrong("Not a valid boolean.")


def scalar(value: object) -> Problems:
    """Custom data: anything but blanks and nesting."""
    if isinstance(value, str):
        return FINE if value.strip() else wrong("Blank: a field without a value is left out.")
    return FINE if isinstance(value, int | float) else wrong("Not a string, number or boolean.")


def address(value: object) -> Problems:
    try:
        ip_address(value) if isinstance(value, str) else ip_address("")
    except ValueError:
        return wrong("Not an IPv4 or IPv6 address.")
    return FINE


def date_time(value: object) -> Problems:
    """ISO 8601 with an offset."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return wrong("Not an ISO-8601 date-time.")
    return FINE if moment.tzinfo else wrong("A date-time without an offset.")


def array(item: Rule, *, longest: int = 1000) -> Rule:
    def rule(value: object) -> Problems:
        if not isinstance(value, list):
            return wrong("Not a valid list.")
        if not value:
            return wrong("Blank: a field without a value is left out.")
        if len(value) > longest:
            return wrong(f"Longer than maximum length {longest}.")
        return [
            problem.under(index) for index, one in enumerate(value) for problem in item(one)
        ] or FINE

    return rule


def one_or_many(item: Rule) -> Rule:
    many = array(item)
    return lambda value: many(value) if isinstance(value, list) else item(value)


def record(
    required: Mapping[str, Rule], optional: Mapping[str, Rule], *, other: Rule | None = None
) -> Rule:
    """An object. ``other`` judges unknown fields; without it they are wrong."""
    rules = {**required, **optional}
    unknown = other or (lambda _value: wrong("Unknown field."))

    def rule(value: object) -> Problems:
        if not isinstance(value, dict):
            return wrong("Not a valid object.")
        if not value:
            return wrong("Blank: a field without a value is left out.")
        found = [
            problem.under(key)
            for key, one in value.items()
            for problem in rules.get(key, unknown)(one)
        ]
        found += missing(value, required)
        return found or FINE

    return rule


def missing(value: Mapping[str, object], keys: Iterable[str]) -> list[Problem]:
    return [Problem(key, "Missing data for required field.") for key in keys if key not in value]


URL = text(r"https?://[^\s/]+\S*", "an absolute http(s) URL")
CURRENCY = text(r"[A-Z]{3}", "an ISO 4217 code")
SHA256 = text(r"[0-9a-f]{64}", "a SHA-256 hex digest in lower case")
GUID = text(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "a 36-character GUID")
