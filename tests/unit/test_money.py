"""Amounts and counts (mapping section 1, ``money``)."""

from __future__ import annotations

import pytest

from forwarder.money import money, quantity

AMOUNTS = [
    (0, "0"),
    (5, "5"),
    (129.9, "129.9"),
    (1000.0, "1000.0"),
    (249.95000000000002, "249.95"),
    (1e-7, "0"),
    ("19.90", "19.90"),
    (" 19.90 ", "19.90"),
    ("1E+3", "1000"),
    ("1.5e1", "15"),
    ("12.34567", "12.3457"),
    ("0.00005", "0.0001"),
    ("0.00004", "0"),
    ("1.20000", "1.2"),
    ("1.2000", "1.2000"),
    ("10.00000", "10"),
    ("+5", "5"),
    ("007.5", "7.5"),
    (".5", "0.5"),
    ("5.", "5"),
    ("-0", "0"),
    ("-0.0", "0.0"),
    (-0.0, "0.0"),
    ("999999999999.9999", "999999999999.9999"),
    ("1e-999999", "0"),
    ("0e7", "0"),
]
NO_AMOUNTS = [
    "999999999999.99999",
    10**12,
    "1e12",
    "1e999999",
    "9" * 500,
    -1,
    -0.01,
    "-5",
    "-0.01",
    "",
    "NaN",
    "sNaN",
    "Infinity",
    "1,299.00",
    "$5",
    "1_000",
    "١٢",
    "0x10",
    ".",
    "e5",
    float("nan"),
    float("inf"),
    True,
    False,
    None,
    [],
    {},
]


@pytest.mark.parametrize(("given", "digits"), AMOUNTS, ids=str)
def test_an_amount_keeps_its_digits(given: object, digits: str) -> None:
    amount = money(given)
    assert amount is not None
    assert format(amount, "f") == digits
    assert str(amount) == digits


@pytest.mark.parametrize("given", NO_AMOUNTS, ids=lambda given: str(given)[:20])
def test_what_is_no_amount(given: object) -> None:
    assert money(given) is None
    assert quantity(given) is None


@pytest.mark.parametrize(
    ("given", "digits"),
    [(2, "2"), (2.0, "2"), ("2.00", "2"), (1.5, "1.5"), ("0", "0"), ("1e2", "100")],
    ids=str,
)
def test_a_whole_count_has_no_decimals(given: object, digits: str) -> None:
    assert str(quantity(given)) == digits
