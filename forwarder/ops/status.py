"""What one replica knows about itself: the shape of ``/status``, of the page, and of the gauges.

Seconds everywhere; ``*_at`` are epoch seconds; ``None`` means not known here or no such thing.
Nothing in it comes from an event: names of the settings, counts, times, codes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import orjson

MINUTES: Final = 60
LAST_VERDICTS: Final = 5


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """What the answer to a request meant. ``code``: the vendor's."""

    at: float
    verdict: str
    code: str


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """The lane of an account whose queue this replica owns.

    ``expires_in``: until the oldest waiting delivery is too old; ``next_request_in``: until the
    lane may send, ``None`` when nothing waits or only a new credential helps; ``not_before_at``:
    until when the vendor asked to wait.
    """

    breaker: Literal["closed", "open", "probing"]
    reason: str
    code: str
    since_at: float | None
    until_at: float | None
    not_before_at: float | None
    waiting: int
    waiting_bytes: int
    in_flight: int
    oldest_seconds: float | None
    expires_in: float | None
    next_request_in: float | None
    last_verdicts: tuple[LastVerdict, ...]


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account of the settings. ``lane`` is ``None`` when another replica owns its queue, or
    nobody does. ``requests_per_minute``: the last hour, oldest first, this replica only.
    """

    name: str
    destination: str
    state: Literal["active", "paused", "draining"]
    lane: LaneStatus | None
    budget_used: float | None
    requests_per_minute: tuple[int, ...]
    credential_loaded_at: float | None
    test_code: bool = False


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """A partition of the events topic that this replica routes."""

    partition: int
    lag: int


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """The router of this replica; ``RouterStatus((), None)`` before its first assignment.
    ``stalled``: topics that do not acknowledge what it writes.
    """

    partitions: tuple[PartitionStatus, ...]
    commit_age: float | None
    stalled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryStatus:
    """One retry topic (``tier``: ``1m``, ``10m``, ``1h``). ``overdue``: how long its first record
    is past due, 0 when it is not.
    """

    tier: str
    waiting: int
    overdue: float


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Dead letters that this replica wrote in the last hour. No ``account``: the whole record."""

    account: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Status:
    """One replica at one moment. ``router`` and ``retries`` are empty in role ``sender``.

    ``budgets``: name to the part of its window that is used; ``commit_age``: by role, since the
    last acknowledged commit; ``loop_lag``: longest delay of the event loop lately.
    """

    version: str
    config_hash: str
    at: float
    started_at: float
    draining: bool
    ready: bool
    kafka_reachable: bool
    accounts: tuple[AccountStatus, ...]
    router: RouterStatus | None
    retries: tuple[RetryStatus, ...]
    dead_letters: tuple[DeadLetters, ...]
    budgets: Mapping[str, float]
    commit_age: Mapping[str, float]
    loop_lag: float


def to_json(status: Status) -> bytes:
    return orjson.dumps(status, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


class Sparkline:
    """Counts of each of the last ``MINUTES`` minutes, of a clock in seconds."""

    __slots__ = ("_counts", "_minute")

    def __init__(self, now: float) -> None:
        self._minute = int(now // 60)
        self._counts: deque[int] = deque([0] * MINUTES, maxlen=MINUTES)

    def add(self, now: float, n: int) -> None:
        self._turn(now)
        self._counts[-1] += n

    def points(self, now: float) -> tuple[int, ...]:
        """Oldest first; the last one is the minute that is not over yet."""
        self._turn(now)
        return tuple(self._counts)

    def _turn(self, now: float) -> None:
        minute = int(now // 60)
        if minute > self._minute:  # a clock that is set back adds to the minute at hand
            self._counts.extend([0] * min(minute - self._minute, MINUTES))
            self._minute = minute


class LastHour:
    """Dead letters of the last hour, by account and reason."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Sparkline] = {}

    def add(self, now: float, account: str, reason: str, n: int) -> None:
        key = (account, reason)
        if key not in self._counts:
            self._counts[key] = Sparkline(now)
        self._counts[key].add(now, n)

    def counts(self, now: float) -> tuple[DeadLetters, ...]:
        """Those above zero, most first."""
        found = [(*key, sum(line.points(now))) for key, line in self._counts.items()]
        kept = [DeadLetters(*row) for row in found if row[2]]
        return tuple(sorted(kept, key=lambda row: (-row.count, row.account, row.reason)))


class Verdicts:
    """The last few verdicts of an account."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: deque[LastVerdict] = deque(maxlen=LAST_VERDICTS)

    def add(self, now: float, verdict: str, code: str) -> None:
        self._last.append(LastVerdict(now, verdict, code))

    def latest(self) -> tuple[LastVerdict, ...]:
        """Newest first."""
        return tuple(reversed(self._last))
