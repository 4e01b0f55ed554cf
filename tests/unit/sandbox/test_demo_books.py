"""The demo's books can be wrong, and then say so."""

from __future__ import annotations

from random import Random

import pytest

from forwarder.event import AdvertiserDefaults, InvalidEvent, decode
from forwarder.sandbox.demo.count import Ledger, line
from forwarder.sandbox.demo.scene import SOURCES
from forwarder.sandbox.demo.shop import Shop

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("outcomes", "arrived", "balanced"),
    [
        ({("delivered", ""): 3}, 3, True),
        ({("delivered", ""): 2, ("skipped", "no_match_key"): 1}, 2, True),
        ({("delivered", ""): 2}, 2, False),
        ({("delivered", ""): 3}, 2, False),
        ({("delivered", ""): 2, ("dead_lettered", "rejected"): 1}, 3, False),
    ],
)
def test_an_account_balances_when_all_ended_and_the_vendor_has_what_was_delivered(
    outcomes: dict[tuple[str, str], int], arrived: int, balanced: bool
) -> None:
    assert line("a", 3, outcomes, arrived).balanced is balanced


def test_the_reason_is_that_of_most_skipped_ones() -> None:
    skipped = {("skipped", "no_match_key"): 2, ("skipped", "unmapped_event"): 3}
    assert line("a", 9, {("delivered", ""): 4, **skipped}, 4).reason == "unmapped_event"
    assert line("a", 4, {("delivered", ""): 4, ("dead_lettered", "rejected"): 1}, 4).reason == ""


def test_the_shop_knows_which_of_its_records_are_valid_and_for_whom() -> None:
    shop = Shop(Random(3), SOURCES)
    books = Ledger(set(SOURCES))
    for _ in range(2000):
        published = shop.next(NOW)
        books.add(published.advertiser)
        try:
            event = decode(published.value, {"*": AdvertiserDefaults("USD", "US")}, NOW, NOW)
        except InvalidEvent:
            assert published.advertiser is None
        else:
            assert published.advertiser == event.advertiser
    assert books.records == 2000
    assert 0 < books.invalid < books.strays < 200
