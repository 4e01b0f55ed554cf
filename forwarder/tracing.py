"""What became of an event at each account, concluded from what stands in Kafka. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from forwarder.deadletters.explain import Today
from forwarder.deadletters.letter import Letter
from forwarder.destinations.contract import Rejected, Skipped
from forwarder.event import ConversionEvent
from forwarder.ops.words import span

State = Literal[
    "delivered", "skipped", "waiting", "retrying", "dead_lettered", "replayed", "unknown"
]


class Queued(NamedTuple):
    """In an account's queue. ``done``: below what its senders have committed."""

    at: float
    done: bool
    replays: int


class Retrying(NamedTuple):
    """In a retry topic. ``done``: read by a router again."""

    at: float
    due: float
    done: bool
    code: str


class Settled(NamedTuple):
    """One record of the settlements topic. ``at``: as it tells it, RFC 3339."""

    at: str
    outcome: str
    reason: str
    code: str
    request_id: str


class Replayed(NamedTuple):
    """An entry of the ledger: noted to be sent again. ``at``: RFC 3339."""

    run: str
    at: str


@dataclass(slots=True)
class Evidence:
    """All that was found about one record at one account."""

    queued: list[Queued] = field(default_factory=list)
    retrying: list[Retrying] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    replayed: list[Replayed] = field(default_factory=list)


@dataclass(slots=True)
class Occurrence:
    """One record of the event. ``origin``: where it was published; ``at``: when, if that record is
    still there; ``routed``: a router has read it. ``event``: ``None`` if it is invalid or gone.
    ``accounts``: evidence by account; ``""``: about the record as a whole.
    """

    origin: str
    event_id: str = ""
    at: float | None = None
    routed: bool = True
    event: ConversionEvent | None = None
    accounts: dict[str, Evidence] = field(default_factory=dict)

    def about(self, account: str) -> Evidence:
        return self.accounts.setdefault(account, Evidence())


class Fate(NamedTuple):
    """``proven``: a vendor's answer or a dead letter says so, not only that nothing speaks against
    it. ``at``: epoch seconds or RFC 3339 as found. ``why``: in words.
    """

    account: str
    state: State
    proven: bool
    why: str = ""
    at: float | str | None = None
    reason: str = ""
    code: str = ""
    request_id: str = ""
    replayed: Sequence[Replayed] = ()


def fates(occurrence: Occurrence, today: Today, now: float) -> Iterator[Fate]:
    """One for each account that the event is or was for; for a record of no account one without."""
    whole = occurrence.accounts.get("")
    found = [name for name in occurrence.accounts if name]
    wanted = _wanted(occurrence, today)
    if whole is not None and whole.letters:
        later = [one for name in found for one in occurrence.accounts[name].replayed]
        yield _dead("", whole, later)
    for name in dict.fromkeys([*wanted, *found]):
        evidence = occurrence.accounts.get(name, Evidence())
        fate = _concluded(name, evidence, occurrence, today, now)
        fate = fate or _unseen(name, occurrence, today, wanted.get(name))
        if whole is None or not whole.letters or fate.state not in ("unknown", "skipped"):
            yield fate._replace(replayed=tuple(evidence.replayed))
    if not (found or wanted or (whole and whole.letters)):
        yield _nobodys(occurrence)


def _wanted(occurrence: Occurrence, today: Today) -> dict[str, str]:
    """Accounts that take the event's advertiser today; to each why it is skipped, if it is."""
    if occurrence.event is None:
        return {}
    route = today.routing(occurrence.event)
    found = dict.fromkeys(route.accounts, "")
    for name in route.accounts:
        match today.accounts[name].applies(occurrence.event):
            case Skipped(reason):
                found[name] = reason
    return found | dict.fromkeys(route.not_targeted, "not_targeted")


def _concluded(
    name: str, evidence: Evidence, occurrence: Occurrence, today: Today, now: float
) -> Fate | None:
    """The latest that is known; ``None``: nothing was found at this account."""
    waiting = [one for one in evidence.queued if not one.done]
    if waiting:
        return Fate(name, "waiting", True, "in its queue", waiting[-1].at)
    pending = [one for one in evidence.retrying if not one.done]
    if pending:
        last = pending[-1]
        why = f"again in {span(last.due - now)}"
        return Fate(name, "retrying", True, why, last.at, "transient", last.code)
    if evidence.letters and _is_last(evidence):
        return _dead(name, evidence, evidence.replayed)
    if evidence.settled:
        return _settled(name, evidence.settled[-1])
    if evidence.queued:
        return _finished(name, evidence.queued[-1], occurrence, today)
    return None


def _is_last(evidence: Evidence) -> bool:
    """Whether the last dead letter is about the last time that the record was queued."""
    rounds = max((one.replays for one in evidence.queued), default=0)
    return max(letter.replays for letter in evidence.letters) >= rounds


def _dead(name: str, evidence: Evidence, replayed: Sequence[Replayed]) -> Fate:
    letter = max(evidence.letters, key=lambda one: (one.replays, one.failed_at))
    state: State = "dead_lettered"
    why = letter.text("message")
    if len(replayed) > letter.replays:
        state, why = "replayed", "sent again" if not name else "sent again, its queue is deleted"
    at, reason, code = letter.failed_at, letter.reason, letter.code
    return Fate(name, state, True, why, at, reason, code, replayed=tuple(replayed))


def _settled(name: str, last: Settled) -> Fate:
    states: Mapping[str, State] = {
        "delivered": "delivered",
        "skipped": "skipped",
        "dead_lettered": "dead_lettered",
    }
    state = states.get(last.outcome, "unknown")
    return Fate(name, state, True, "", last.at, last.reason, last.code, last.request_id)


def _finished(name: str, last: Queued, occurrence: Occurrence, today: Today) -> Fate:
    account = today.accounts.get(name)
    if occurrence.event is not None and account is not None:
        match account.prepare(occurrence.event):
            case Skipped(reason):
                why = "finished, no dead letter; today's settings skip it"
                return Fate(name, "skipped", False, why, last.at, reason)
            case Rejected(rule):
                why = "finished; today's settings refuse it, and no dead letter of it is left"
                return Fate(name, "unknown", False, why, last.at, "rejected", f"local.{rule}")
    return Fate(name, "delivered", False, "finished, no dead letter", last.at)


def _unseen(name: str, occurrence: Occurrence, today: Today, skipped: str | None) -> Fate:
    """Nothing of it was found at the account."""
    if not occurrence.routed:
        return Fate(name, "waiting", True, "for a router", occurrence.at)
    if skipped:
        return Fate(name, "skipped", False, "today's settings say so", None, skipped)
    if name not in today.accounts:
        return Fate(name, "unknown", False, "the settings have no such account")
    return Fate(name, "unknown", False, "not in its queue: were the settings others then?")


def _nobodys(occurrence: Occurrence) -> Fate:
    if not occurrence.routed:
        return Fate("", "waiting", True, "for a router", occurrence.at)
    if occurrence.event is None:
        return Fate("", "unknown", False, "no valid event, and no dead letter of it is left")
    return Fate("", "unknown", False, "no account lists its advertiser", None, "unrouted")
