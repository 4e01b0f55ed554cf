"""What the sandbox has seen: counts for each account, and the events it took."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from forwarder.sandbox.contract import AccountKey, Call, Entry, Limit
from forwarder.sandbox.window import SlidingWindow

KINDS = 200
"""Different violations that are told apart for one account; more are counted as ``others``."""
REMEMBERED = 5_000_000
"""Events of one account that duplicates are recognised among."""


class Book:
    """One account, as its vendor counts it."""

    def __init__(
        self, destination: str, account: AccountKey, limit: Limit, dedup: set[int]
    ) -> None:
        self.destination = destination
        self.account = account
        self.window = SlidingWindow(limit)
        self.requests = 0
        self.events = 0
        self.duplicates = 0
        self.unverified = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.refusals: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self._event_ids: set[int] = set()  # hashes: an id of 128 characters takes 8 bytes
        self._dedup = dedup

    def blame(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            known = kind in self.violations or len(self.violations) < KINDS
            self.violations[kind if known else "others"] += 1

    def take(self, entries: Sequence[Entry]) -> list[bool]:
        """Count the events of one request; for each, whether it is a duplicate."""
        self.events += len(entries)
        duplicates = [self._repeats(entry.dedup) for entry in entries]
        self.duplicates += sum(duplicates)
        if len(self._event_ids) < REMEMBERED:
            self._event_ids.update(hash(entry.event_id) for entry in entries)
        return duplicates

    def _repeats(self, keys: tuple[Hashable, ...]) -> bool:
        hashes = {hash(key) for key in keys}
        seen = not self._dedup.isdisjoint(hashes)
        if len(self._dedup) < REMEMBERED:
            self._dedup |= hashes
        return seen

    @property
    def unique(self) -> int:
        """Distinct events taken."""
        return len(self._event_ids)

    def report(self) -> dict[str, object]:
        limit = self.window.limit
        return {
            "destination": self.destination,
            "vendor_id": self.account.vendor_id,
            "requests": self.requests,
            "events": self.events,
            "unique_event_ids": self.unique,
            "duplicates": self.duplicates,
            "refusals": dict(self.refusals),
            "worst_window": {
                "requests": self.window.worst,
                "limit": limit.requests,
                "per": limit.per,
            },
            "most_in_flight": self.most_in_flight,
            "unverified": self.unverified,
            "violations": dict(self.violations),
        }


class Totals(NamedTuple):
    """Distinct events taken, and requests refused."""

    unique: int
    refused: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A request that was taken, and which of its events were."""

    number: int
    at: float
    destination: str
    account: str
    body: bytes
    idempotency_key: str | None
    entries: Sequence[Entry]
    duplicates: Sequence[bool]

    def lines(self) -> Iterator[bytes]:
        """One JSON line for each event. The first of a request carries its ``body``, byte for
        byte: in each of a thousand it would be repeated a thousand times.
        """
        items = _items(self.body)
        for order, (entry, duplicate) in enumerate(zip(self.entries, self.duplicates, strict=True)):
            line: dict[str, object] = {
                "destination": self.destination,
                "account": self.account,
                "event_id": entry.event_id,
                "received_at": self.at,
                "duplicate": duplicate,
                "request": self.number,
                "index": entry.position,
                "item": items[entry.position],
            }
            if self.idempotency_key is not None:
                line["idempotency_key"] = self.idempotency_key
            if order == 0:
                line["body"] = self.body.decode()
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _items(body: bytes) -> Sequence[object]:
    parsed = orjson.loads(body)
    data = parsed.get("data") if isinstance(parsed, dict) else None
    return data if isinstance(data, list) else [parsed]


class Ledger:
    """All accounts, and the last ``keep`` events that were taken, at most ``keep_bytes`` of them.

    ``epoch``: what to add to the clock's time for seconds since 1970.
    """

    def __init__(self, keep: int, keep_bytes: int, epoch: float) -> None:
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._epoch = epoch
        self.clear()

    def clear(self) -> None:
        self._books: dict[tuple[str, str], Book] = {}
        self._dedup: dict[tuple[str, str], set[int]] = {}
        self._receipts: deque[Receipt] = deque()
        self._kept = 0
        self._kept_bytes = 0
        self.dropped = 0

    def book(self, destination: str, account: AccountKey, limit: Limit) -> Book:
        """The account's book, opened at its first request."""
        key = (destination, account.identity)
        if (book := self._books.get(key)) is None:
            # a new key is a new budget, but the vendor knows the account's events all the same
            dedup = self._dedup.setdefault((destination, account.label), set())
            book = self._books[key] = Book(destination, account, limit, dedup)
        return book

    def take(
        self, number: int, now: float, book: Book, call: Call, entries: Sequence[Entry]
    ) -> int:
        """Log the events of a request; how many of them are duplicates."""
        duplicates = book.take(entries)
        key = call.headers.get("idempotency-key")
        at = self._epoch + now
        name = (book.destination, book.account.label)
        self._receipts.append(Receipt(number, at, *name, call.body, key, entries, duplicates))
        self._kept += len(entries)
        self._kept_bytes += len(call.body)
        self._drop()
        return sum(duplicates)

    def _drop(self) -> None:
        while self._kept > self._keep or self._kept_bytes > self._keep_bytes:
            oldest = self._receipts.popleft()
            self._kept -= len(oldest.entries)
            self._kept_bytes -= len(oldest.body)
            self.dropped += len(oldest.entries)

    def received(self, destination: str | None) -> Iterator[bytes]:
        """JSON lines of what was taken, oldest first. A copy: what comes later is not in it."""
        for receipt in list(self._receipts):
            if destination in (None, receipt.destination):
                yield from receipt.lines()

    def totals(self) -> Mapping[str, Totals]:
        """By account, under the name that the sandbox knows it by."""
        return {
            book.account.label: Totals(book.unique, sum(book.refusals.values()))
            for book in self._books.values()
        }

    def report(self) -> Mapping[str, object]:
        accounts: dict[str, object] = {}
        for book in self._books.values():
            label = book.account.label
            taken = f"{label} ({book.destination} {book.account.identity})"
            accounts[label if label not in accounts else taken] = book.report()
        return {"accounts": accounts, "received_kept": self._kept, "received_dropped": self.dropped}
