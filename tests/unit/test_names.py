"""Spellings that mean one event (mapping section 3)."""

from __future__ import annotations

import pytest

from forwarder.names import STANDARD, canonical, is_standard


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("AddToCart", "add_to_cart"),
        ("add_to_cart", "add_to_cart"),
        ("Add To Cart", "add_to_cart"),
        ("ADD-TO-CART", "add_to_cart"),
        ("Product Added", "add_to_cart"),
        ("Order Completed", "purchase"),
        ("CompletePayment", "purchase"),
        ("InitiateCheckout", "begin_checkout"),
        ("ViewContent", "view_item"),
        ("first_open", "app_install"),
        ("Lead", "generate_lead"),
        ("SubmitForm", "generate_lead"),
        ("PlaceAnOrder", "place_an_order"),
        ("Refund", "refund"),
    ],
)
def test_an_alias_is_read_as_its_standard_name(spelling: str, name: str) -> None:
    assert canonical(spelling) == name
    assert is_standard(spelling)


@pytest.mark.parametrize("name", STANDARD)
def test_a_standard_name_is_its_own(name: str) -> None:
    assert canonical(name) == name


def test_a_custom_name_is_compared_by_letters_and_digits() -> None:
    assert canonical("Quiz Finished 2") == canonical("quiz_finished-2") == "quizfinished2"
    assert canonical("Übung") == "übung"
    assert canonical("!!!") == ""
    assert not is_standard("quiz_finished")
