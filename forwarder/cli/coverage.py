"""What each account would make of many events: counts, reasons, and what would lift the match rate.

No value of an event is kept: names of fields, of events and of advertisers are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from forwarder.cli.coverage_words import REMEDIES, why_dropped
from forwarder.cli.incoming import Incoming, Read, by_name, general
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account, Item, MatchKey, Rejected, Skipped
from forwarder.event import ConversionEvent
from forwarder.routing import Routing

_ROOTS: Final = ("user", "page", "click_ids")
"""Blocks that match keys stand in: dropped as a whole, they take the keys along."""
_MOST_NAMES: Final = 200
_WITHOUT_KEY: Final = ("no_match_key", "no_click_id")
_URL: Final = "page.url"
_NAMES_TOLD: Final = 10
_LIFTS: Final = 5
Json = dict[str, object]


@dataclass(slots=True)
class AccountCoverage:
    """Events that one account would be asked to take. ``dropped``: fields that its match keys are
    made from.
    """

    account: Account
    events: int = 0
    sent: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    _of_keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._of_keys = frozenset(
            path for key in self.account.match_keys() for path in (*key.fields, *_ROOTS)
        )

    def add(self, event: ConversionEvent, result: Item | Skipped | Rejected) -> None:
        """Count one event. ``result``: what the account makes of it."""
        self.events += 1
        self.dropped.update(self._of_keys.intersection(event.dropped))
        match result:
            case Skipped(reason):
                self.skipped[reason] += 1
                if reason == "unmapped_event" and len(self.unmapped) < _MOST_NAMES:
                    self.unmapped[event.event_name] += 1
            case Rejected(rule, _):
                self.rejected[rule] += 1
            case Item(json):
                self.sent += 1
                body = orjson.loads(json)
                self.keys.update(key.path for key in self.account.match_keys() if has(body, key))

    def missing(self) -> Iterator[tuple[MatchKey, int]]:
        """Match keys that sent events lack, and in how many; the most telling first."""
        for key in self.account.match_keys():
            lacking = self.sent - self.keys[key.path]
            if lacking:
                yield key, lacking


@dataclass(slots=True)
class Coverage:
    """Counts over all events that were looked at. ``named``: the event's fields as their writers
    call them, as the first event showed.
    """

    accounts: Mapping[str, Account]
    events: int = 0
    wrong: int = 0
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    unrouted: Counter[str] = field(default_factory=Counter)
    by_account: dict[str, AccountCoverage] = field(default_factory=dict)
    named: Callable[[str], str] = str
    _route: Routing = field(init=False)

    def __post_init__(self) -> None:
        self._route = Routing(self.accounts, DESTINATIONS)
        self.by_account = {name: AccountCoverage(a) for name, a in self.accounts.items()}

    def add(self, read: Read) -> None:
        """Count one event, or what is wrong with it."""
        self.events += 1
        if read.event is None:
            self.wrong += 1
            self.errors.update({(general(error.path), error.rule) for error in read.errors})
            return
        if self.events - self.wrong == 1:
            self.named = lambda path: general(read.named(path))
        self.dropped.update(read.event.dropped)
        route = self._route(read.event)
        if route.unrouted:
            self.unrouted[read.event.advertiser] += 1
        for name in route.not_targeted:
            self.by_account[name].add(read.event, Skipped("not_targeted"))
        for name in route.accounts:
            account = self.accounts[name]
            result = account.applies(read.event) or account.prepare(read.event)
            self.by_account[name].add(read.event, result)


def has(body: object, key: MatchKey) -> bool:
    """Whether an item's JSON carries the key."""
    for part in key.path.split("."):
        body = body.get(part) if isinstance(body, Mapping) else None
    return body is not None


# -- what there is to say -------------------------------------------------------------------------
def told(coverage: Coverage, reading: Incoming) -> Json:
    """All of it as JSON."""
    return {
        "events": coverage.events,
        "invalid": coverage.wrong,
        "errors": [
            {"path": path, "rule": rule, "events": count}
            for (path, rule), count in coverage.errors.most_common()
        ],
        "no_event": dict(reading.nothing),
        "unrouted": dict(coverage.unrouted.most_common()),
        "dropped": _dropped(coverage.dropped, coverage.named),
        "unmapped_fields": [
            {"field": note.path, "note": note.text, "events": count}
            for note, count in reading.notes.most_common()
        ],
        "accounts": [
            _account(name, one, coverage.named) for name, one in coverage.by_account.items()
        ],
    }


def _account(name: str, one: AccountCoverage, named: Callable[[str], str]) -> Json:
    return {
        "account": name,
        "destination": one.account.settings.destination,
        "state": one.account.settings.state,
        "events": one.events,
        "request": one.sent,
        "skipped": [
            {"reason": reason, "events": count, "remedy": remedy(one, reason, named)}
            for reason, count in one.skipped.most_common()
        ],
        "rejected": [
            {"reason": rule, "events": count, "remedy": remedy(one, rule, named)}
            for rule, count in one.rejected.most_common()
        ],
        "unmapped_events": dict(one.unmapped.most_common()),
        "match_keys": [
            {
                "key": key.path,
                "fields": sources(key, named),
                "events": one.keys[key.path],
                "share": round(share(one.keys[key.path], one.sent), 4),
            }
            for key in one.account.match_keys()
        ],
        "dropped": _dropped(one.dropped, named),
        "lift": [{"say": text, "events": count} for text, count in lifts(one, named)],
    }


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _dropped(counts: Counter[str], named: Callable[[str], str]) -> list[Json]:
    return [
        {"field": named(path), "events": count, "why": why_dropped(path)}
        for path, count in counts.most_common()
    ]


def sources(key: MatchKey, named: Callable[[str], str]) -> list[str]:
    """The fields that a key is made from, as their writers call them. What only the schema has a
    name for is left out, unless that is what they write.
    """
    theirs = [named(path) for path in key.fields]
    if named("event_id") == "event_id" and named("user.email") == "user.email":
        return theirs
    return list(dict.fromkeys(n for n, own in zip(theirs, key.fields, strict=True) if n != own))


def spoken(key: MatchKey, named: Callable[[str], str]) -> list[str]:
    """The same in words: of a URL it is the query that holds a key."""
    url = named(_URL)
    return [f"{name} with it" if name == url else name for name in sources(key, named)]


def remedy(one: AccountCoverage, reason: str, named: Callable[[str], str]) -> str:
    """What can be done about events that end with ``reason``."""
    if reason in _WITHOUT_KEY:
        fields = [name for key in one.account.match_keys() for name in spoken(key, named)]
        return f"send any of {', '.join(dict.fromkeys(fields))}"
    text = by_name(REMEDIES.get(reason, ""), named)
    if reason != "unmapped_event":
        return text
    names = [f"{name} {count}" for name, count in one.unmapped.most_common(_NAMES_TOLD)]
    more = ", ..." if len(one.unmapped) > _NAMES_TOLD else ""
    return f"{', '.join(names)}{more}: {text}"


def lifts(one: AccountCoverage, named: Callable[[str], str]) -> list[tuple[str, int]]:
    """What would let the vendor find more people, and for how many events: what brings events in
    that are not sent for want of a key, then keys that sent events lack.
    """
    held = [
        (f"{remedy(one, reason, named)} to send these", one.skipped[reason])
        for reason in _WITHOUT_KEY
        if one.skipped[reason]
    ]
    lacking = [
        (_lift(one, key, named), count) for key, count in one.missing() if sources(key, named)
    ]
    return [*held, *lacking][:_LIFTS]


def _lift(one: AccountCoverage, key: MatchKey, named: Callable[[str], str]) -> str:
    text = f"send {' or '.join(spoken(key, named))}"
    spoilt = [(path, one.dropped[path]) for path in key.fields if one.dropped[path]]
    return "; ".join([text, *(f"{count} given, but {why_dropped(path)}" for path, count in spoilt)])
