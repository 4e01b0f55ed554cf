"""Events of every kind, and what must become of each at every account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account, Item, Rejected
from forwarder.event import ConversionEvent, InvalidEvent, decode
from forwarder.kafka.port import Headers, Outgoing
from forwarder.routing import Routing
from forwarder.settings import Settings, advertiser_defaults, bind_accounts
from tests.support.simulated.plan import NEW
from tests.support.simulated.vendors import BAD, QUIET, UNKNOWN_CLICK

DAY: Final = 86_400.0
FAR: Final = 600.0
"""Seconds from an age limit that no skewed clock and no drain reaches."""

LONG: Final = "long"
"""Events that some topics are too small for; their ids begin so."""
KINDS: Final[Mapping[str, int]] = {
    "plain": 60,
    "bad": 5,
    "click": 2,
    "no_click": 4,
    "custom": 3,
    "targeted": 4,
    "unpriced": 3,
    "two_days_old": 3,
    "two_months_old": 2,
    "nearly_too_old": 3,
    "unrouted": 3,
    "broken": 2,
    "versioned": 1,
    "empty": 1,
    "oversize": 1,
    LONG: 3,
}
"""What events there are, and how often."""
HUGE: Final = b" " * (1 << 20)
HEADERS: Final[Sequence[Headers]] = (
    (),
    (),
    (("traceparent", b"00-1"),),
    (("forwarder-origin", b"x/0/0"), ("forwarder-attempts", b"7"), ("forwarder-account", b"ttd")),
)
"""Those of producers; names that begin as ours mean nothing on the events topic."""
STRAYS: Final[Mapping[str, tuple[Mapping[str, bytes], str]]] = {
    "garbled": ({"forwarder-origin": b"x/0/0", "forwarder-attempts": b"many"}, "invalid_event"),
    "homeless": (
        {"forwarder-origin": b"x/0/0", "forwarder-attempts": b"1", "forwarder-account": b"gone"},
        "unknown_account",
    ),
}
"""Records of a retry topic that nobody should have written: headers, and why they die."""


class Made(NamedTuple):
    """A record, and what must become of it (see ``ledger.Published``)."""

    event_id: str
    record: Outgoing
    expected: Mapping[str, str]
    dies: str | None


class Maker:
    """Draws events for one settings file."""

    def __init__(self, settings: Settings, random: Random) -> None:
        self._random = random
        self._accounts = bind_accounts(settings)
        self._route = Routing(self._accounts, DESTINATIONS)
        self._decode: Callable[..., ConversionEvent] = partial(
            decode, advertisers=advertiser_defaults(settings)
        )
        self._number = 0

    def make(self, now: float, kind: str | None = None) -> Made:
        """One event. ``now``: epoch seconds."""
        if kind is None:
            kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        self._number += 1
        prefix = kind if kind in (BAD, UNKNOWN_CLICK, LONG) else "e"
        event_id = f"{prefix}-{self._number}"
        value = self._value(kind, event_id, now)
        key = event_id.encode() if self._random.random() < 0.8 else None
        record = Outgoing(key, value, self._random.choice(HEADERS))
        return Made(event_id, record, *self._fate(value, event_id, now))

    def _value(self, kind: str, event_id: str, now: float) -> bytes | None:
        if kind == "empty":
            return None
        if kind == "oversize":
            return HUGE + orjson.dumps(self._event(kind, event_id, now))
        if kind == "broken":
            return self._random.choice((b"{nonsense", b'{"event_id": "x"}', b"[]"))
        return orjson.dumps(self._event(kind, event_id, now))

    def _event(self, kind: str, event_id: str, now: float) -> dict[str, Any]:
        event: dict[str, Any] = {
            "event_id": event_id,
            "event_name": "purchase",
            "event_time": now - self._random.uniform(0, 30),
            "advertiser": "acme",
            "user": {"external_id": f"u{self._number}", "ip_address": "203.0.113.7"},
            "click_ids": {"thrad_click_id": f"c{self._number}"},
            "page": {"url": "https://shop.example/thanks"},
            "value": "19.90",
            "currency": "USD",
        }
        event |= self._changes(kind, now)
        return {name: value for name, value in event.items() if value is not None}

    def _changes(self, kind: str, now: float) -> Mapping[str, Any]:
        """What makes an event of this kind out of a plain one. ``None``: not there."""
        nearly = now - DAY + self._random.uniform(1, FAR)
        targets = self._random.choice(([], ["tradedesk"], ["tiktok", "x"]))
        changes: Mapping[str, Mapping[str, Any]] = {
            "no_click": {"click_ids": None},
            "custom": {"event_name": "something_of_ours"},
            "targeted": {"destinations": targets},
            "unpriced": {"value": None},
            "two_days_old": {"event_time": now - 2 * DAY},
            "two_months_old": {"event_time": now - 60 * DAY},
            "nearly_too_old": {"event_time": nearly},
            "unrouted": {"advertiser": "nobody"},
            "versioned": {"schema_version": "2"},
            LONG: {"description": "long " * 600},
        }
        return changes.get(kind, {})

    def _fate(
        self, value: bytes | None, event_id: str, now: float
    ) -> tuple[Mapping[str, str], str | None]:
        try:
            event = self._decode(value, now=now, appended_at=now)
        except InvalidEvent as invalid:
            return {}, invalid.reason
        route = self._route(event)
        if route.unrouted:
            return {}, "unrouted"
        expected = dict.fromkeys(route.not_targeted, "skip")
        for name in route.accounts:
            expected[name] = self._at(self._accounts[name], event, event_id, now)
        return expected, None

    def _at(self, account: Account, event: ConversionEvent, event_id: str, now: float) -> str:
        prepared = account.prepare(event)
        if not isinstance(prepared, Item | Rejected):
            return "skip"
        if account.name == NEW:
            return "maybe"
        if account.settings.state == "paused":
            return "wait"
        left = event.event_time + account.settings.max_event_age - now
        if left < -FAR or isinstance(prepared, Rejected):
            return "die"
        if left < FAR + 1:
            return "late"
        refused = event_id.startswith(BAD) and account.name != QUIET
        return "refused" if refused else "deliver"
