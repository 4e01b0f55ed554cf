"""A token bucket: what budgets, probes and replays measure their pace with. Pure."""

from __future__ import annotations


class Bucket:
    """Tokens that come at ``rate`` per second, at most ``capacity`` of them at once."""

    __slots__ = ("_at", "_capacity", "_rate", "_tokens")

    def __init__(self, capacity: float, rate: float, now: float, tokens: float = 0.0) -> None:
        self._capacity = capacity
        self._rate = rate
        self._tokens = tokens
        self._at = now

    def ready_at(self) -> float:
        """When there is a token."""
        return self._at + max(0.0, 1.0 - self._tokens) / self._rate

    def available(self, now: float) -> int:
        """Whole tokens that are there; below zero when more were taken than there were."""
        self._refill(now)
        return int(self._tokens)

    def take(self, now: float, number: int = 1) -> None:
        """Take some; what is taken early (by a timer's inaccuracy, say) is owed."""
        self._refill(now)
        self._tokens -= number

    def _refill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self._rate
        self._tokens = min(self._capacity, self._tokens + gained)
        self._at = max(self._at, now)
