"""What waits takes no more memory than it is counted as, and what has ended takes none."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Item
from forwarder.lane.ahead import Shelf
from forwarder.lane.lane import Delivery
from forwarder.lane.window import OVERHEAD
from tests.unit.destinations import build
from tests.unit.lane.fakes import DELIVERED, START, account, credential, lane, record


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def deliveries() -> int:
    return sum(isinstance(thing, Delivery) for thing in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
def test_what_was_delivered_is_freed_without_the_collector() -> None:
    before = deliveries()
    one = lane(account(events=50))
    one.add([record(n) for n in range(100)], START)
    while attempt := one.take(START + 1, credential()):
        one.answered(attempt, DELIVERED, START + 2)
        one.take_tally()
    del attempt
    assert deliveries() == before


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_shelf_takes_little_more_than_it_is_counted_as(destination: str) -> None:
    mine, number = build.account(destination), 500
    shelf = Shelf(START)
    event = build.event(build.BASES[destination])
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for n in range(number):
        item = mine.prepare(event)
        assert isinstance(item, Item)
        shelf.put(f"{n:0300}".encode(), (item, f"e{n}", START))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < shelf.bytes + number * OVERHEAD
