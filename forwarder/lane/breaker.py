"""The breaker of a lane: stops an account whose requests fail, and finds out when they pass again.

    closed ──5 failed in a row, half of >= 20 in 60 s, misconfigured, refusals──► open
    open ──pause over──► probing ──delivered──► closed
                            └──anything else──► open, pause doubled (5 s .. 5 min)

Opened by rejections alone it goes to *single mode* after an hour: one delivery a request, each
judged by its own answer, until one is delivered.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from forwarder.lane.state import KeptState
from forwarder.lane.tally import Alert

IN_A_ROW: Final = 5
RATE_SECONDS: Final = 60
RATE_LEAST: Final = 20
FIRST_PAUSE: Final = 5.0
MAX_PAUSE: Final = 300.0
SINGLE_AFTER: Final = 3600.0

FAILING: Final = "transient"
MISCONFIGURED: Final = "misconfigured"
REJECTED: Final = "rejected"
REJECTED_ALIKE: Final = "rejected_alike"


class FailureRate:
    """Requests and failures of the last minute, by second."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()

    def add(self, now: float, failed: int) -> None:
        second = int(now)
        seconds = self._seconds
        if not seconds or seconds[-1][0] < second:
            seconds.append([second, 0, 0])
        seconds[-1][1] += 1
        seconds[-1][2] += failed
        while seconds[0][0] <= second - RATE_SECONDS:
            seconds.popleft()

    def too_high(self) -> bool:
        total = sum(entry[1] for entry in self._seconds)
        failed = sum(entry[2] for entry in self._seconds)
        return total >= RATE_LEAST and 2 * failed >= total

    def clear(self) -> None:
        self._seconds.clear()


class Breaker:
    """See the module. Times in epoch seconds. ``alert`` is told once for each opening and closing,
    whoever owns the lane then. ``probing``: a probe is in flight.
    """

    __slots__ = (
        "_alert",
        "_in_a_row",
        "_only_rejected",
        "_pause",
        "_rate",
        "_turned",
        "code",
        "is_open",
        "probes",
        "probing",
        "reason",
        "since",
        "until",
    )

    def __init__(self, kept: KeptState, now: float, alert: Callable[[Alert], None]) -> None:
        self._alert = alert
        self._in_a_row = 0
        self._rate = FailureRate()
        self.probes = 0
        self.probing = False
        self.is_open = kept.breaker != "closed"
        self.reason = kept.reason
        self.code = kept.code
        self.since = min(now if kept.since is None else kept.since, now)
        self.until = min(now if kept.until is None else kept.until, now + MAX_PAUSE)
        self._pause = min(max(kept.pause, FIRST_PAUSE), MAX_PAUSE)
        self._only_rejected = kept.only_rejected
        self._turned = False
        """Whether it was opened for another reason than refusals, but they are all that is left."""

    @property
    def state(self) -> Literal["closed", "open", "probing"]:
        if not self.is_open:
            return "closed"
        return "probing" if self.probing else "open"

    # -- while closed -----------------------------------------------------------------------
    def passed(self, now: float) -> None:
        """A request was delivered."""
        self._in_a_row = 0
        self._rate.add(now, 0)

    def failed(self, now: float, code: str, message: str, *, isolating: bool) -> bool:
        """A request failed transiently; whether that opened the breaker. Those of an isolation are
        expected to fail, so they count in a row only.
        """
        self._in_a_row += 1
        if not isolating:
            self._rate.add(now, 1)
        if self._in_a_row >= IN_A_ROW or self._rate.too_high():
            self.open(now, FAILING, code, message)
        return self.is_open

    def open(self, now: float, reason: str, code: str, message: str) -> None:
        self.is_open = True
        self.reason, self.code = reason, code
        self.since = now
        self._pause = FIRST_PAUSE
        self.until = now + FIRST_PAUSE
        self._only_rejected = reason in (REJECTED, REJECTED_ALIKE)
        self._turned = False
        self._alert(Alert("breaker_opened", reason, code, message, self.until))

    # -- while open -------------------------------------------------------------------------
    def probe_at(self) -> float:
        """When the next probe may leave."""
        return math.inf if self.probing else self.until

    def single(self, now: float) -> bool:
        """Whether it is in single mode."""
        return self.is_open and self._only_rejected and now - self.since >= SINGLE_AFTER

    def probe_sent(self) -> None:
        self.probing = True
        self.probes += 1

    def probe_withdrawn(self) -> None:
        """The probe said nothing: it never left, or came too early for the vendor."""
        self.probing = False

    def probe_failed(self, now: float) -> None:
        self.probing = False
        self._pause = min(2 * self._pause, MAX_PAUSE)
        self.until = now + self._pause

    def probe_misconfigured(self, now: float, code: str) -> None:
        """The credential or the settings are at fault, whatever opened it."""
        self.reason, self.code = MISCONFIGURED, code
        self._only_rejected = self._turned = False
        self.probe_failed(now)

    def probe_refused(self, now: float, code: str) -> None:
        """Its delivery was judged and refused: what opened it has passed, if it was something else,
        and the hour of refusals alone begins.
        """
        if not self._only_rejected:
            self.reason, self.code, self.since = REJECTED, code, now
            self._only_rejected = self._turned = True
        self.probe_failed(now)

    def probe_transient(self, now: float, code: str) -> None:
        """No refusal: what opened it has not passed after all."""
        if self._turned:
            self.reason, self.code = FAILING, code
            self._only_rejected = self._turned = False
        self.probe_failed(now)

    def single_refused(self, now: float) -> None:
        """A delivery was refused in single mode: on to the next one."""
        self.probing = False
        self._pause = FIRST_PAUSE
        self.until = now

    def cured(self, now: float) -> None:
        """The credential changed. Probes at once, unless that is no remedy for its reason."""
        if self.is_open and self.reason != FAILING:
            self._pause = FIRST_PAUSE
            self.until = now

    def close(self) -> None:
        self._alert(Alert("breaker_closed", self.reason, self.code, "", None))
        self.is_open = False
        self.probing = False
        self.reason = self.code = ""
        self._in_a_row = 0
        self._rate.clear()

    def kept(self, kept: KeptState) -> KeptState:
        """What the next owner must know, beside what is ``kept`` already."""
        if not self.is_open:
            return kept
        return replace(
            kept,
            breaker="open",
            reason=self.reason,
            code=self.code,
            since=self.since,
            until=self.until,
            pause=self._pause,
            only_rejected=self._only_rejected,
        )
