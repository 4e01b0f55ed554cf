"""Which dead letters are meant: the filters of ``dlq`` and ``replay``, and if they make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

from forwarder.deadletters.letter import Letter
from forwarder.event import ConversionEvent
from forwarder.kafka.records import MAX_VALUE, cut, rfc3339
from forwarder.names import canonical
from forwarder.problems import Problem, did_you_mean

REASONS: Final = (
    "invalid_event",
    "undecodable",
    "unsupported_version",
    "oversize",
    "unrouted",
    "unknown_account",
    "rejected",
    "expired",
    "exhausted",
)
"""All that a dead letter's ``forwarder-reason`` can be."""


@dataclass(frozen=True, slots=True)
class Filters:
    """All must hold; of several values one. Times in epoch seconds, from ``since`` (included) to
    ``until`` (excluded). ``limit``: so many at most.
    """

    account: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    advertiser: tuple[str, ...] = ()
    event_name: tuple[str, ...] = ()
    event_id: tuple[str, ...] = ()
    order_id: tuple[str, ...] = ()
    failed_since: float | None = None
    failed_until: float | None = None
    event_since: float | None = None
    event_until: float | None = None
    limit: int | None = None

    def told(self) -> dict[str, object]:
        """Those that are set, as the audit keeps them."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Filters:
        """What ``told`` gave, read back from JSON."""
        known = {field.name for field in fields(cls)}
        kept = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
            if name in known
        }
        return cls(**kept)  # type: ignore[arg-type]  # written by told() above

    def words(self) -> str:
        """As one would type them again."""
        return " ".join(self._words()) or "everything"

    def _words(self) -> Iterator[str]:
        for name, value in self.told().items():
            option = f"--{name.replace('_', '-')}"
            values = value if isinstance(value, tuple) else (value,)
            for one in values:
                yield f"{option} {rfc3339(one) if isinstance(one, float) else one}"


def problems(filters: Filters, accounts: Mapping[str, str]) -> list[Problem]:
    """Filters that no dead letter can pass. ``accounts``: destination by account."""
    return [
        *_backwards(filters),
        *_unknown(filters, accounts),
        *_apart(filters, accounts),
        *_without_account(filters),
    ]


def _backwards(filters: Filters) -> Iterator[Problem]:
    for kind in ("failed", "event"):
        since = getattr(filters, f"{kind}_since")
        until = getattr(filters, f"{kind}_until")
        if since is not None and until is not None and since >= until:
            rule = f"{rfc3339(since)} is not before --{kind}-until {rfc3339(until)}"
            fix = "swap them; a day stands for the moment it begins"
            yield Problem(f"--{kind}-since", rule, fix)


def _unknown(filters: Filters, accounts: Mapping[str, str]) -> Iterator[Problem]:
    for reason in filters.reason:
        if reason not in REASONS:
            fix = did_you_mean(reason, REASONS)
            yield Problem("--reason", f"no dead letter has the reason {reason}", fix)
    used = set(accounts.values())
    for destination in filters.destination:
        if destination not in used and not filters.account:
            fix = did_you_mean(destination, used)
            yield Problem("--destination", f"no account has the destination {destination}", fix)


def _apart(filters: Filters, accounts: Mapping[str, str]) -> Iterator[Problem]:
    for account in filters.account:
        own = accounts.get(account)
        if own is not None and filters.destination and own not in filters.destination:
            rule = f"{account} has the destination {own}, so nothing can match both"
            yield Problem("--destination", rule, "leave one of them out")


def _without_account(filters: Filters) -> Iterator[Problem]:
    if filters.reason == ("unrouted",) and (filters.account or filters.destination):
        option = "--account" if filters.account else "--destination"
        rule = "an unrouted event belongs to no account, so nothing can match both"
        yield Problem(option, rule, "leave one of them out")


def unknown_accounts(filters: Filters, accounts: Iterable[str]) -> list[Problem]:
    """Accounts that the settings do not have."""
    known = set(accounts)
    return [
        Problem("--account", f"no account is called {name}", did_you_mean(name, known))
        for name in filters.account
        if name not in known
    ]


Check = Callable[[Letter], bool]
_EVENT_TEXTS: Final = ("advertiser", "event_id", "order_id")


def matcher(filters: Filters) -> Check:
    """Whether a dead letter passes; cheap checks come first, and values are read only where a
    header is missing.
    """
    checks = [*_by_bytes(filters), *_by_time(filters), *_by_event(filters)]
    if len(checks) == 1:
        return checks[0]
    return lambda letter: all(check(letter) for check in checks)


def _by_bytes(filters: Filters) -> Iterator[Check]:
    for name in ("account", "destination", "reason", "code"):
        wanted = getattr(filters, name)
        if wanted:
            yield _header_in(f"forwarder-{name}", wanted)


def _header_in(header: str, wanted: Sequence[str]) -> Check:
    values = {cut(one, MAX_VALUE) for one in wanted}
    return lambda letter: letter.headers.get(header) in values


def _by_time(filters: Filters) -> Iterator[Check]:
    since, until = filters.failed_since, filters.failed_until
    if since is not None:
        yield lambda letter: letter.failed_at >= since
    if until is not None:
        yield lambda letter: letter.failed_at < until
    if filters.event_since is not None or filters.event_until is not None:
        yield _event_time(filters)


def _event_time(filters: Filters) -> Check:
    since = float("-inf") if filters.event_since is None else filters.event_since
    until = float("inf") if filters.event_until is None else filters.event_until

    def check(letter: Letter) -> bool:
        at = letter.event_time
        return at is not None and since <= at < until

    return check


def _by_event(filters: Filters) -> Iterator[Check]:
    if filters.event_name:
        names = {canonical(name) for name in filters.event_name}
        yield lambda letter: canonical(letter.event_name) in names
    for name in _EVENT_TEXTS:
        wanted = getattr(filters, name)
        if wanted:
            yield _text_in(name, wanted)


def _text_in(name: str, wanted: Sequence[str]) -> Check:
    values = {one for text in wanted for one in (text, cut(text, MAX_VALUE).decode())}
    return lambda letter: getattr(letter, name) in values


def event_matcher(filters: Filters) -> Callable[[ConversionEvent], bool]:
    """Whether an event passes the filters that are about events."""
    names = {canonical(name) for name in filters.event_name}
    since = float("-inf") if filters.event_since is None else filters.event_since
    until = float("inf") if filters.event_until is None else filters.event_until
    texts = [(name, getattr(filters, name)) for name in _EVENT_TEXTS if getattr(filters, name)]

    def check(event: ConversionEvent) -> bool:
        return (
            since <= event.event_time < until
            and (not names or canonical(event.event_name) in names)
            and all(getattr(event, name) in wanted for name, wanted in texts)
        )

    return check
