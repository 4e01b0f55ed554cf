"""What a lane tells about itself: counts, ends of deliveries, alerts, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from forwarder.lane.delivery import Delivery

MAX_KEYS: Final = 200
MAX_SETTLED: Final = 100_000


class Settled(NamedTuple):
    """Deliveries that ended in the same way, at once."""

    deliveries: Sequence[Delivery]
    outcome: str
    reason: str
    code: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A change of state worth one log line."""

    action: Literal["breaker_opened", "breaker_closed", "throttled"]
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
    finished_ahead: int
    oldest_record_at: float | None
    expires_in: float | None
    breaker: Literal["closed", "open", "probing"]
    reason: str
    code: str
    since: float | None
    until: float | None
    not_before: float | None


@dataclass(slots=True)
class Tally:
    """What happened since the last ``take_tally``: for metrics, logs and the settlements topic.

    ``outcomes``: (outcome, reason) -> count. ``requests``: (verdict, code) -> count. ``settled``:
    the deliveries that ended. ``alerts``: in order, for log lines. Bounded: codes beyond
    ``MAX_KEYS`` are counted as ``other``, ends beyond ``MAX_SETTLED`` only in ``outcomes``.
    """

    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


class Ledger:
    """Fills the tally."""

    __slots__ = ("_room", "_tally")

    def __init__(self) -> None:
        self._tally = Tally()
        self._room = MAX_SETTLED

    def take(self) -> Tally:
        tally, self._tally = self._tally, Tally()
        self._room = MAX_SETTLED
        return tally

    def alert(self, alert: Alert) -> None:
        self._tally.alerts.append(alert)

    def request(self, verdict: str, code: str) -> None:
        counts = self._tally.requests
        key = (verdict, code)
        if key not in counts and len(counts) >= MAX_KEYS:
            key = (verdict, "other")
        counts[key] = counts.get(key, 0) + 1

    def count(self, outcome: str, reason: str, number: int = 1) -> None:
        counts = self._tally.outcomes
        counts[outcome, reason] = counts.get((outcome, reason), 0) + number

    def ended(self, delivery: Delivery, outcome: str, reason: str, code: str = "") -> None:
        self._settle((delivery,), outcome, reason, code, None)

    def delivered(
        self, deliveries: Sequence[Delivery], reason: str, code: str, request_id: str | None
    ) -> None:
        self._settle(deliveries, "delivered", reason, code, request_id)

    def _settle(
        self,
        deliveries: Sequence[Delivery],
        outcome: str,
        reason: str,
        code: str,
        request_id: str | None,
    ) -> None:
        self.count(outcome, reason, len(deliveries))
        kept = deliveries[: self._room]
        if kept:
            self._room -= len(kept)
            self._tally.settled.append(Settled(kept, outcome, reason, code, request_id))
