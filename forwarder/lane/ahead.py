"""Items that the router makes for the lanes of its own process.

The router has the event in hand: where the lane of an account lives in the same process, it makes
the item at once, and the lane, when it comes to the record, need not read the event again. An item
depends on nothing but the record's bytes and the account's settings, and is kept by those bytes, so
it is the one that the lane would have made. What is not on the shelf the lane makes itself.

A full shelf takes nothing more: for a lane that is slower than the router (its vendor's limit, an
open breaker) nothing is made twice.
"""

from __future__ import annotations

from typing import Final

from forwarder.destinations.contract import Account, Item, Skipped
from forwarder.event import ConversionEvent

FORGOTTEN: Final = 60.0
"""Seconds without a take after which what fills a shelf is out of date: the lane passed it over."""


Ready = tuple[Item, str, float]
"""An item, and what its delivery notes of the event: its id and its time."""


class Shelf:
    """The items of one lane, by the bytes of their records. ``bytes``: of both."""

    __slots__ = ("_ready", "bytes", "is_open", "taken_at")

    def __init__(self, now: float) -> None:
        self.is_open = True
        self._ready: dict[bytes, Ready] = {}
        self.bytes = 0
        self.taken_at = now

    def put(self, value: bytes, ready: Ready) -> None:
        if value not in self._ready:
            self._ready[value] = ready
            self.bytes += len(value) + len(ready[0].json)

    def take(self, value: bytes | None, now: float) -> Ready | None:
        """The item of the record that holds ``value``; it is gone from here then."""
        self.is_open = True
        if value is None:
            return None
        ready = self._ready.pop(value, None)
        if ready is not None:
            self.bytes -= len(value) + len(ready[0].json)
            self.taken_at = now
        return ready

    def close(self, now: float) -> None:
        """Empty it, and put nothing here until somebody asks again."""
        self.clear(now)
        self.is_open = False

    def clear(self, now: float) -> None:
        self._ready.clear()
        self.bytes = 0
        self.taken_at = now


class Ahead:
    """The shelves of all lanes of this process. ``total``: bytes that they share evenly."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shelves: dict[str, Shelf] = {}

    def open(self, account: str, now: float) -> Shelf:
        """An empty shelf for the lane that opens here."""
        shelf = self._shelves[account] = Shelf(now)
        return shelf

    def close(self, account: str) -> None:
        """Its lane is not here any more."""
        self._shelves.pop(account, None)

    def judge(
        self, account: Account, event: ConversionEvent, value: bytes | None, now: float
    ) -> Skipped | None:
        """``account.applies(event)``, and the item on the shelf where that is of use."""
        shelf = self._shelves.get(account.name)
        if shelf is None or not shelf.is_open or value is None or not self._room(shelf, now):
            return account.applies(event)
        made = account.prepare(event)
        if type(made) is Item:
            shelf.put(value, (made, event.event_id, event.event_time))
            return None
        return made if isinstance(made, Skipped) else None  # the lane says why it is rejected

    def _room(self, shelf: Shelf, now: float) -> bool:
        if shelf.bytes < self._total // len(self._shelves):
            return True
        if now - shelf.taken_at < FORGOTTEN:
            return False
        shelf.clear(now)
        return True
