"""One account's lane: a synchronous core. Records, answers and ``now`` in; requests, writes and a
wake-up time out. It performs nothing; ``sender.py`` does what it decides.

STUB of the names that the sender builds on. All times are epoch seconds (``now``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from forwarder.credentials import Credential
from forwarder.destinations.contract import Account, Traits
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpFailure, HttpRequest
from forwarder.kafka.port import Record

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What of the settings file a lane needs beside its account's own."""

    give_up_attempts: int
    give_up_after: float
    rates: tuple[float, ...]
    """Requests per second of each budget: how much a quarter of the budget is."""


class WriteKind(StrEnum):
    DEAD_LETTER = "dead_letter"
    RETRY = "retry"


@dataclass(eq=False, slots=True)
class Delivery:
    """One (event, account) pair in the window: its record, and what earlier rounds left in its
    headers. ``failed_at``: first failure, epoch seconds.
    """

    record: Record
    origin: str
    attempts: int
    replays: int
    retries: int
    first_failed_at: float | None
    run: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A delivery that must leave the lane by a record, and is finished once that is acknowledged.

    ``reason``, ``code``, ``message`` become headers. ``RETRY`` goes to the retry topic number
    ``tier`` (0: 1m, 1: 10m, 2: 1h). ``attempts`` and ``retries`` are the values to write.
    """

    kind: WriteKind
    delivery: Delivery
    reason: str
    code: str
    message: str
    tier: int
    attempts: int
    retries: int
    first_failed_at: float
    failed_at: float


@dataclass(eq=False, slots=True)
class Attempt:
    """One request that the lane wants sent, and the deliveries in it."""

    request: HttpRequest
    deliveries: tuple[Delivery, ...]
    credential_version: int
    probe: bool


@dataclass(slots=True)
class Tally:
    """What happened since the last ``take_tally``: for metrics, logs and the settlements topic.

    ``outcomes``: (outcome, reason) -> count. ``requests``: (verdict, code) -> count. ``delivered``:
    the deliveries that ended so. ``opened``/``closed``: breaker changes, in order, for log lines.
    """

    outcomes: dict[tuple[str, str], int]
    requests: dict[tuple[str, str], int]
    dropped_fields: dict[str, int]
    settled: list[Settled]
    alerts: list[Alert]


@dataclass(frozen=True, slots=True)
class Settled:
    """A delivery that ended. ``event`` only where it was decoded."""

    delivery: Delivery
    event_id: str | None
    outcome: str
    reason: str
    code: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A change of state worth one log line: ``breaker_opened`` ``breaker_closed`` ``throttled``."""

    action: str
    reason: str
    code: str
    message: str
    until: float | None


@dataclass(frozen=True, slots=True)
class LaneView:
    """The lane as status page, metrics and ``status`` show it."""

    waiting: int
    waiting_bytes: int
    in_flight: int
    oldest_record_at: float | None
    expires_in: float | None
    breaker: str  # closed, open, probing
    reason: str
    code: str
    since: float | None
    until: float | None
    not_before: float | None


class Lane:
    """See the module. Life: made at assignment, fed by ``add``, ended by ``drain``; never reused
    for a later assignment of the same queue.
    """

    def __init__(
        self,
        account: Account,
        traits: Traits,
        settings: LaneSettings,
        decode: Callable[[bytes], ConversionEvent],
        now: float,
        *,
        metadata: str = "",
        random: Random,
    ) -> None:
        """``metadata``: of the last commit (a former owner's state); ``decode``: trusted decode of
        a queue record's value, may raise ``InvalidEvent``.
        """
        raise NotImplementedError

    # -- records in -------------------------------------------------------------------------
    def add(self, records: Sequence[Record], now: float) -> None:
        """Take records of the queue, in offset order, into the window."""

    def remember(self, origins: Mapping[str, float]) -> None:
        """Origins that a former owner read in the last minutes, with the time of each (no dedup at
        the vendor).
        """

    def room(self, allowance: int) -> bool:
        """Whether more records should be read, while the window may hold ``allowance`` bytes."""
        raise NotImplementedError

    # -- requests out -----------------------------------------------------------------------
    def wake_at(self, now: float) -> float:
        """When ``take`` may next yield a request: at most ``now`` means at once, ``inf`` means not
        before new records, an answer, or a new credential. Says what is known; ``take`` decides.
        """
        raise NotImplementedError

    def take(self, now: float, credential: Credential) -> Attempt | None:
        """Fill one request from the window, now that a slot and tokens are held. ``None``: nothing
        to send after all (skipped, expired, rejected, breaker): the tokens are kept for later.
        """
        raise NotImplementedError

    def answered(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> None:
        """The end of an attempt: settle its deliveries by the verdict."""

    def withdrawn(self, attempt: Attempt, now: float) -> None:
        """The attempt was never written to the network (no lease): its deliveries wait again,
        nothing is charged.
        """

    def credential_changed(self, version: int, now: float) -> None:
        """A new credential: a breaker that it may cure probes at once."""

    def tick(self, now: float) -> None:
        """Housekeeping, at least once a minute: expire what is due, move what holds the watermark."""

    # -- records out ------------------------------------------------------------------------
    def take_writes(self) -> Sequence[Write]:
        """Deliveries that must be written elsewhere. Each is handed out once, and is finished by
        ``written``; until then it holds the watermark.
        """
        raise NotImplementedError

    def written(self, writes: Sequence[Write], now: float) -> None:
        """The brokers acknowledged these writes."""

    def unwritten(self, writes: Sequence[Write]) -> None:
        """The write failed: hand them out again."""

    # -- commit and end ---------------------------------------------------------------------
    def commit_point(self) -> tuple[int | None, str]:
        """Offset to commit (``None``: nothing read yet) and its metadata, 512 bytes at most."""
        raise NotImplementedError

    def drain(self, now: float) -> Sequence[Write]:
        """No request is in flight any more and none will follow: what is unfinished below the
        highest finished offset goes to the first retry topic; the rest stays in the queue.
        """
        raise NotImplementedError

    def view(self, now: float) -> LaneView:
        raise NotImplementedError

    def take_tally(self) -> Tally:
        raise NotImplementedError
