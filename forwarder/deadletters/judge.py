"""Whether a record may be sent again, and to whom. Pure; the ledger tells what was sent before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from forwarder.deadletters.explain import Today
from forwarder.deadletters.ledger import Entry, Ledger
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.marks import Marks, Place, place
from forwarder.deadletters.query import Filters, event_matcher, matcher
from forwarder.destinations.contract import Account, Traits
from forwarder.event import ConversionEvent, InvalidEvent
from forwarder.kafka.port import Outgoing, Record
from forwarder.kafka.records import (
    MalformedHeaders,
    Progress,
    coordinates,
    read_progress,
    requeued,
)

UNREAD: Final = frozenset({"invalid_event", "undecodable", "unsupported_version", "oversize"})
"""Reasons of dead letters whose event could not be read when they were written."""


class Kind(StrEnum):
    """What becomes of a record at an account; the values name the counts that a user sees."""

    TO_SEND = "to_send"
    SENT = "sent"
    REPLAYED_BEFORE = "replayed_before"
    REPEATED = "repeated"
    EXPIRED = "expired"
    DUPLICATE = "duplicates_refused"
    CAPPED = "max_replays_reached"
    INVALID = "still_invalid"
    UNROUTED = "still_unrouted"
    SKIPPED = "skipped"
    UNKNOWN_ACCOUNT = "unknown_account"
    PAUSED = "paused"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Rules:
    """What of a run's options decides about records. ``again``: send what earlier runs have sent;
    ``allow_duplicates``: send what the vendor may count twice.
    """

    filters: Filters = field(default_factory=Filters)
    max_replays: int = 3
    again: bool = False
    allow_duplicates: bool = False


class Candidate(NamedTuple):
    """A delivery that may be sent. ``progress``: as its queue record will tell it."""

    account: str
    entry: Entry
    record: Record
    progress: Progress

    @property
    def size(self) -> int:
        return len(self.record.value or b"") + len(self.record.key or b"")

    def outgoing(self) -> Outgoing:
        """Its queue record. Its time is that of joining the queue: an older one would count as
        waiting since then, and make an untouched queue look as if its offsets had been lost.
        """
        return requeued(self.record, self.progress)._replace(timestamp=None)


class Judgement(NamedTuple):
    kind: Kind
    account: str = ""
    candidate: Candidate | None = None


class Judge(Protocol):
    """``judge``: nothing for a record that no filter means. ``take``: this candidate will be sent,
    so it is not offered again.
    """

    def judge(self, record: Record, now: float) -> Sequence[Judgement]: ...
    def take(self, candidate: Candidate) -> None: ...


class _Memory:
    """What was sent before, by other runs and by this one."""

    def __init__(self, ledger: Ledger, *, again: bool) -> None:
        self._ledger = ledger
        self._again = again
        self._taken = Marks()
        self._origins = Marks()

    def known(self, account: str, at: Place, origin: str) -> Kind | None:
        if self._ledger.own.has(account, at) or self._taken.has(account, at):
            return Kind.SENT
        if not self._again and self._ledger.sent.has(account, at):
            return Kind.REPLAYED_BEFORE
        first = place(origin)
        if first is None:
            return None
        twice = self._ledger.own_origins.has(account, first) or self._origins.has(account, first)
        return Kind.REPEATED if twice else None

    def times(self, account: str, origin: str) -> int:
        return self._ledger.times(account, origin)

    def take(self, candidate: Candidate) -> None:
        self._taken.add(candidate.account, candidate.entry.at)
        origin = place(candidate.entry.origin)
        if origin is not None:
            self._origins.add(candidate.account, origin)


class _Timely:
    """Whether an event is young enough: for the account, and for the vendor to drop a repeat.

    ``traits``: by account.
    """

    def __init__(self, traits: Mapping[str, Traits], rules: Rules) -> None:
        self._traits = traits
        self._allow_duplicates = rules.allow_duplicates

    def problem(self, account: Account, event_time: float, now: float) -> Kind | None:
        age = now - event_time
        if age > account.settings.max_event_age:
            return Kind.EXPIRED
        window = self._traits[account.name].dedup_window
        if window is not None and age > window and not self._allow_duplicates:
            return Kind.DUPLICATE
        return Kind.PAUSED if account.settings.state == "paused" else None


class LetterJudge:
    """Judges dead letters. Only the account that failed gets one; the record of an event that was
    invalid or for nobody is read and routed afresh.
    """

    def __init__(
        self,
        today: Today,
        traits: Mapping[str, Traits],
        rules: Rules,
        ledger: Ledger,
        run_id: str,
    ) -> None:
        self._today = today
        self._rules = rules
        self._matches = matcher(rules.filters)
        self._memory = _Memory(ledger, again=rules.again)
        self._timely = _Timely(traits, rules)
        self._run_id = run_id

    def take(self, candidate: Candidate) -> None:
        self._memory.take(candidate)

    def judge(self, record: Record, now: float) -> Sequence[Judgement]:
        letter = Letter(record)
        if not self._matches(letter):
            return ()
        try:
            progress = read_progress(record)
        except MalformedHeaders:
            return (Judgement(Kind.MALFORMED),)
        if letter.account:
            return (self._for_one(letter, progress, now),)
        return self._afresh(letter, progress, now)

    def _for_one(self, letter: Letter, progress: Progress, now: float) -> Judgement:
        account = self._today.accounts.get(letter.account)
        if account is None:
            return Judgement(Kind.UNKNOWN_ACCOUNT, letter.account)
        entry = Entry(_place(letter.record), account.name, progress.origin, shared=False)
        known = self._memory.known(account.name, entry.at, progress.origin)
        if known is not None:
            return Judgement(known, account.name)
        at = self._event_time(letter, now)
        if at is None:
            return Judgement(Kind.INVALID, account.name)
        return self._judged(letter, account, entry, progress, at, now)

    def _event_time(self, letter: Letter, now: float) -> float | None:
        """``None``: it is no event, today either."""
        if letter.record.value is None:
            return None
        if letter.event_time is not None and letter.reason not in UNREAD:
            return letter.event_time
        try:
            _, event = self._today.of_letter(letter, now)
        except InvalidEvent:
            return None
        return event.event_time

    def _afresh(self, letter: Letter, progress: Progress, now: float) -> Sequence[Judgement]:
        try:
            record, event = self._today.of_letter(letter, now)
        except InvalidEvent:
            return (Judgement(Kind.INVALID),)
        letter = Letter(record)
        names = self._today.takers(event)
        if not names:
            return (Judgement(Kind.UNROUTED),)
        return [
            self._routed(letter, self._today.accounts[name], event, progress, now) for name in names
        ]

    def _routed(
        self,
        letter: Letter,
        account: Account,
        event: ConversionEvent,
        progress: Progress,
        now: float,
    ) -> Judgement:
        entry = Entry(_place(letter.record), account.name, progress.origin, shared=True)
        known = self._memory.known(account.name, entry.at, progress.origin)
        if known is not None:
            return Judgement(known, account.name)
        if account.applies(event) is not None:
            return Judgement(Kind.SKIPPED, account.name)
        return self._judged(letter, account, entry, progress, event.event_time, now)

    def _judged(
        self,
        letter: Letter,
        account: Account,
        entry: Entry,
        progress: Progress,
        event_time: float,
        now: float,
    ) -> Judgement:
        problem = self._timely.problem(account, event_time, now)
        # The letter tells how often it was sent before it was written, the ledger what came later.
        rounds = max(progress.replays, self._memory.times(account.name, progress.origin))
        if problem is None and rounds >= self._rules.max_replays:
            problem = Kind.CAPPED
        if problem is not None:
            return Judgement(problem, account.name)
        again = sent_again(progress, self._run_id)
        candidate = Candidate(account.name, entry, letter.record, again)
        return Judgement(Kind.TO_SEND, account.name, candidate)


class EventJudge:
    """Judges records of the events topic for one account. ``queued``: origins that its queue has
    seen already, for a vendor that does not drop repeats.
    """

    def __init__(
        self,
        today: Today,
        traits: Mapping[str, Traits],
        rules: Rules,
        ledger: Ledger,
        run_id: str,
        *,
        account: Account,
        queued: Marks,
    ) -> None:
        self._today = today
        self._account = account
        self._matches = event_matcher(rules.filters)
        self._memory = _Memory(ledger, again=rules.again)
        self._timely = _Timely(traits, rules)
        self._queued = queued
        self._rules = rules
        self._run_id = run_id

    def take(self, candidate: Candidate) -> None:
        self._memory.take(candidate)

    def judge(self, record: Record, now: float) -> Sequence[Judgement]:
        try:
            record, event = self._today.of_topic(record, now)
        except InvalidEvent:
            return ()
        name = self._account.name
        if not self._matches(event) or name not in self._today.takers(event):
            return ()
        if self._account.applies(event) is not None:
            return (Judgement(Kind.SKIPPED, name),)
        return (self._judged(record, event, now),)

    def _judged(self, record: Record, event: ConversionEvent, now: float) -> Judgement:
        name, at, origin = self._account.name, _place(record), coordinates(record)
        problem = self._memory.known(name, at, origin)
        problem = problem or self._timely.problem(self._account, event.event_time, now)
        if problem is None and not self._rules.allow_duplicates and self._queued.has(name, at):
            problem = Kind.DUPLICATE
        rounds = self._memory.times(name, origin)
        if problem is None and rounds >= self._rules.max_replays:
            problem = Kind.CAPPED
        if problem is not None:
            return Judgement(problem, name)
        entry = Entry(at, name, origin, shared=True)
        progress = sent_again(Progress(origin, replays=rounds), self._run_id)
        return Judgement(Kind.TO_SEND, name, Candidate(name, entry, record, progress))


def sent_again(progress: Progress, run_id: str) -> Progress:
    """A fresh start: attempts and rounds count anew, the replay is counted."""
    return replace(
        progress, attempts=0, retries=0, replays=progress.replays + 1, run=run_id, account=None
    )


def _place(record: Record) -> Place:
    return Place(record.topic, record.partition, record.offset)
