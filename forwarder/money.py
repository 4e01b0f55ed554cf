"""Amounts of money and counts of things, as producers write them (mapping section 1, ``money``)."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_LIMIT: Final = Decimal(10) ** 12
_PLACES: Final = 4
_QUANTUM: Final = Decimal(1).scaleb(-_PLACES)
_AS_IT_IS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,4})?")
_NUMBER: Final = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?|-0+(?:\.0*)?")
_LONGEST: Final = 400  # characters: longer ones are no prices, and take long to read


def money(value: object) -> Decimal | None:
    """The amount in a JSON number or a numeric string: 0 or more, below 10^12; not a boolean.

    ``format(amount, "f")`` writes its digits as they were given; more than 4 decimals are rounded
    to 4, half up, and lose their trailing zeros; an exponent is written out.
    """
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    else:
        return None
    if _AS_IT_IS.fullmatch(text):
        return Decimal(text)
    return _written_out(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


def quantity(value: object) -> Decimal | None:
    """The count in a JSON number or a numeric string: a whole one has no decimals."""
    if type(value) is int and 0 <= value < _LIMIT:
        return Decimal(value)
    count = money(value)
    if count is None:
        return None
    whole = int(count)
    return Decimal(whole) if whole == count else count


def _written_out(text: str) -> Decimal | None:
    """The amount in any other way to write a number. Its size is judged before its digits are
    written: ``1e999999`` has a million.
    """
    amount = abs(Decimal(text))
    if amount >= _LIMIT:
        return None
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES:
        rounded = format(amount.quantize(_QUANTUM, ROUND_HALF_UP), "f")
        amount = Decimal(rounded.rstrip("0").rstrip("."))
    return Decimal(format(amount, "f")) if amount < _LIMIT else None
