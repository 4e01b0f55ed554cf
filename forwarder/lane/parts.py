"""The parts that one lane is made of, as its halves share them: ``sending.py`` chooses what is sent
next, ``answers.py`` settles what came back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from forwarder.destinations.contract import Account
from forwarder.lane.breaker import FAILING, MISCONFIGURED, Breaker
from forwarder.lane.bucket import Bucket
from forwarder.lane.delivery import WAITING, Attempt, Delivery, Group, Isolation
from forwarder.lane.isolate import Doubt, Returned
from forwarder.lane.prepare import Preparer
from forwarder.lane.retry import Limits, Throttle
from forwarder.lane.tally import Ledger
from forwarder.lane.window import Window
from forwarder.lane.writes import Writes

LONG: Final = 30.0
"""Seconds of the vendor's wish to wait, from which on the account is at rest."""


@dataclass(slots=True)
class Parts:
    """``sent``: number of the newest attempt. ``passed``: requests delivered. ``proven``: one was
    delivered with the credential in use. ``flowing_since``: what waits is held back by nothing but
    its own failures since then. ``recent``: groups that failed since something last passed, once
    for each failure. ``refused_probes``: deliveries that a probe found refused.
    ``in_flight``: attempts by number.
    """

    account: Account
    limits: Limits
    random: Random
    window: Window
    writes: Writes
    ledger: Ledger
    preparer: Preparer
    breaker: Breaker
    throttle: Throttle
    allowance: Bucket
    returned: Returned = field(default_factory=Returned)
    doubt: Doubt = field(default_factory=Doubt)
    in_flight: dict[int, Attempt] = field(default_factory=dict)
    refused_probes: list[Delivery] = field(default_factory=list)
    recent: list[Group] = field(default_factory=list)
    version: int | None = None
    sent: int = 0
    passed: int = 0
    passed_at: float = 0.0
    proven: bool = False
    flowing_since: float = 0.0

    def blocked(self, now: float) -> bool:
        """Nothing is sent for now, whatever waits."""
        paused = self.account.settings.state == "paused"
        return paused or self.breaker.is_open or self.throttle.blocked(now)

    def rests(self, now: float) -> bool:
        """Blocked for long, and no other delivery than the first few would tell more of it: then
        what waits may as well wait in Kafka.
        """
        if self.breaker.is_open:
            return self.breaker.reason in (FAILING, MISCONFIGURED)
        paused = self.account.settings.state == "paused"
        return paused or (self.throttle.not_before or 0.0) > now + LONG

    def waiting(self) -> int:
        """Deliveries that are neither in flight nor being written."""
        return len(self.window) - len(self.writes) - self.flying()

    def flying(self) -> int:
        """Deliveries in flight."""
        return sum(len(a.deliveries) for a in self.in_flight.values())

    def idle(self) -> bool:
        """Nothing waits to be sent and nothing is in flight."""
        return not (self.in_flight or self.returned or self.window.first_waiting())

    def old(self, attempt: Attempt) -> bool:
        """Whether it was sent with a credential that has been replaced."""
        return self.version is not None and attempt.credential.version < self.version

    def open(self, reason: str, code: str, message: str, now: float) -> None:
        """Open the breaker."""
        self.breaker.open(now, reason, code, message)
        self.refund()

    def charge(self, group: Group, now: float) -> None:
        """Count a transient failure of ``group``, as one that the breaker may yet take back."""
        if group.failures == 0 or group.first_failed_at is None:
            group.first_failed_at = now
            group.mark = self.passed
        group.failures += 1
        if len(group.deliveries) == 1:
            group.charged += 1
        self.recent.append(group)

    def refund(self) -> None:
        """What failed since something last passed was the account's fault: no delivery pays."""
        for group in self.recent:
            group.failures = max(0, group.failures - 1)
            group.charged = max(0, group.charged - 1)
            if group.failures == 0:
                group.first_failed_at = None
        self.recent.clear()

    def send_alone(self, delivery: Delivery, now: float) -> None:
        """Move it, wherever it waits, to a group of its own that the account is not doubted for."""
        if delivery.state == WAITING:
            self.returned.put(Group((delivery,), now, isolation=Isolation(proven=True)))
