"""The value of an event that only says what its items cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from forwarder.money import money, quantity


def total(rows: Sequence[Mapping[str, object]]) -> str | None:
    """The sum of price times quantity (missing: 1), as a decimal string. ``None`` where a price or
    a quantity cannot be read: a part of the sum would be a wrong value, not a smaller one.
    """
    amounts = [_amount(row) for row in rows]
    known = [amount for amount in amounts if amount is not None]
    if not known or len(known) < len(amounts):
        return None
    return format(sum(known, Decimal(0)), "f")


def _amount(row: Mapping[str, object]) -> Decimal | None:
    price = money(row.get("price"))
    count = quantity(row.get("quantity", 1))
    return None if price is None or count is None else price * count
