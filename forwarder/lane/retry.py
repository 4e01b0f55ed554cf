"""What to do with a delivery or a request that failed, as values; waiting that the vendor asks for.

``transient`` waits in the lane and is sent again. While nothing else passes it is the breaker that
judges; when others pass and this one keeps failing it is isolated, and alone it goes through the
retry topics 1m, 10m, 1h, 1h..., until attempts *and* time are used up.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from forwarder.lane.state import KeptState

TRIES: Final = 3
"""Failures in the lane, while others pass, before a request is isolated."""
LAST_TIER: Final = 2
LATER_ROUNDS: Final = 3
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 60.0
FIRST_THROTTLE: Final = 60.0
MAX_THROTTLE: Final = 900.0
MAX_RETRY_AFTER: Final = 86_400.0
MIN_RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class Again:
    """Send the same group again, not before ``due``."""

    due: float


@dataclass(frozen=True, slots=True)
class Isolate:
    """Send its halves."""


@dataclass(frozen=True, slots=True)
class ToTier:
    """Write it to retry topic number ``tier``."""

    tier: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter it with ``reason``."""

    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """``give_up``: a delivery is exhausted when both are passed. ``after`` in seconds."""

    attempts: int
    after: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that failed transiently: ``size`` deliveries, ``failures`` of this group so far.

    ``attempts``, ``retries`` and ``first_failed_at`` are those of its delivery when it was alone.
    ``others_passed``: requests were delivered since the group first failed.
    """

    size: int
    failures: int
    attempts: int
    retries: int
    first_failed_at: float
    others_passed: bool
    retry_after: float | None = None


def after_transient(
    failed: Failed, limits: Limits, now: float, random: Random
) -> Again | Isolate | ToTier | GiveUp:
    tries = TRIES if failed.retries == 0 else 1
    if failed.failures < tries or not failed.others_passed:
        return Again(now + max(backoff(failed.failures, random), _asked(failed.retry_after)))
    if failed.size > 1:
        return Isolate()
    if exhausted(failed.attempts, failed.first_failed_at, limits, now):
        return GiveUp("exhausted")
    return ToTier(tier(failed.retries))


def after_later(retries: int) -> ToTier | GiveUp:
    """The vendor may know better later: three rounds, then its refusal stands."""
    return GiveUp("rejected") if retries >= LATER_ROUNDS else ToTier(tier(retries))


def tier(retries: int) -> int:
    return min(retries, LAST_TIER)


def exhausted(attempts: int, first_failed_at: float, limits: Limits, now: float) -> bool:
    return attempts >= limits.attempts and now - first_failed_at >= limits.after


def backoff(failures: int, random: Random) -> float:
    """Seconds: 1, 2, 4... to at most a minute, between half of it and all of it."""
    full = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 10))
    return full * (0.5 + random.random() / 2)


def _asked(retry_after: float | None) -> float:
    return 0.0 if retry_after is None else min(max(retry_after, 0.0), MAX_THROTTLE)


def _believed(retry_after: float) -> float:
    return min(max(retry_after, MIN_RETRY_AFTER), MAX_RETRY_AFTER)


class Throttle:
    """When the vendor lets this account send again. Times in epoch seconds."""

    __slots__ = ("_numbers", "_wait", "in_a_row", "not_before", "resuming")

    def __init__(self, kept: KeptState, now: float) -> None:
        """``kept``: a former owner's, whose clock may have been another one."""
        self.in_a_row = kept.throttles
        self.resuming = kept.not_before is not None
        self._wait = min(kept.wait, MAX_RETRY_AFTER)
        self._numbers = 0
        self.not_before: float | None = None
        if kept.not_before is not None:
            self.not_before = min(kept.not_before, now + self._wait)

    def kept(self) -> KeptState:
        """What the next owner must know."""
        return KeptState(not_before=self.not_before, wait=self._wait, throttles=self.in_a_row)

    def throttled(
        self, now: float, retry_after: float | None, number: int, newest: int
    ) -> float | None:
        """Answer ``number`` said so. The new not-before; ``None``: it was sent before the last one
        came, and asks for no longer wait. ``newest``: number of the last request that was sent.
        """
        if number <= self._numbers:
            if retry_after is None or self.not_before is None:
                return None
            longer = now + _believed(retry_after) > self.not_before
            return self._hold(now, _believed(retry_after)) if longer else None
        self._numbers = newest
        self.in_a_row += 1
        doubled = min(MAX_THROTTLE, FIRST_THROTTLE * 2.0 ** min(self.in_a_row - 1, 10))
        wait = doubled if retry_after is None else retry_after
        self.resuming = True
        return self._hold(now, _believed(wait))

    def asked(self, now: float, retry_after: float, newest: int) -> None:
        """An answer that failed for another reason says when to come again."""
        wait = _believed(retry_after)
        if now + wait > (self.not_before or 0.0):
            self._hold(now, wait)
        self._numbers = newest
        self.resuming = True

    def _hold(self, now: float, wait: float) -> float:
        self._wait = wait
        self.not_before = now + wait
        return self.not_before

    def heard(self, number: int) -> None:
        """Request ``number`` was answered otherwise."""
        if number > self._numbers:
            self.resuming = False

    def passed(self, number: int) -> None:
        """Request ``number`` was delivered."""
        if number > self._numbers:
            self.clear()

    def clear(self) -> None:
        self.not_before = None
        self.in_a_row = 0
        self.resuming = False

    def blocked(self, now: float) -> bool:
        return self.not_before is not None and now < self.not_before
