"""Asking whether an account whose breaker is open works again, with single deliveries."""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Final

from forwarder.destinations.contract import Reading, Verdict
from forwarder.lane.breaker import FAILING, MISCONFIGURED
from forwarder.lane.delivery import IN_FLIGHT, WAITING, Attempt, Delivery, Group
from forwarder.lane.parts import Parts
from forwarder.lane.refusals import Refusals, named, refusal_of_one

PROBED: Final = 5_000
"""Probes come from so many deliveries: that bounds what a stop then moves to a retry topic."""
TRIED: Final = 500
"""Deliveries that are prepared in search of one that can be sent."""


class Probes:
    """Chooses probes and draws conclusions. A probed delivery keeps its place until it ends."""

    __slots__ = ("_parts", "_refusals")

    def __init__(self, parts: Parts, refusals: Refusals) -> None:
        self._parts = parts
        self._refusals = refusals

    # -- what to send -----------------------------------------------------------------------
    def due_at(self, now: float) -> float:
        parts = self._parts
        if not parts.waiting():
            return inf
        at = parts.breaker.probe_at()
        return max(at, parts.allowance.ready_at()) if parts.breaker.single(now) else at

    def choose(self, now: float) -> Group | None:
        """One delivery: from head, middle and end in turn; in single mode from the head."""
        parts = self._parts
        single = parts.breaker.single(now)
        delivery = self._candidate(now, 0 if single else parts.breaker.probes % 3)
        if delivery is None:
            if not self._end_unsendable(now):
                parts.breaker.probe_failed(now)
            return None
        if single:
            parts.allowance.take(now)
        return Group((delivery,), now)

    def _candidate(self, now: float, turn: int) -> Delivery | None:
        """Rather one that was not refused yet: it tells more."""
        parts = self._parts
        waiting = self._waiting(PROBED)
        refused = {s.delivery.offset for s in parts.doubt.suspects}
        if not parts.breaker.single(now):
            refused |= {d.offset for d in parts.refused_probes}
        for found in ([d for d in waiting if d.offset not in refused], waiting):
            start = (0, len(found) // 2, max(0, len(found) - 1))[turn]
            for delivery in (found[start:] + found[:start])[:TRIED]:
                if parts.preparer.probe_item(delivery, now) is not None:
                    return delivery
        return None

    def _end_unsendable(self, now: float) -> bool:
        """Nothing that waits can be sent, whatever the account does, and it must not keep from
        being read what can: end it as it would end without the breaker. Whether there was any.
        """
        waiting = self._waiting(PROBED)[:TRIED]
        return None in [self._parts.preparer.item(d, now) for d in waiting]

    def _waiting(self, most: int) -> list[Delivery]:
        unfinished = islice(self._parts.window.unfinished(), most)
        return [d for d in unfinished if d.state == WAITING]

    # -- what it says -----------------------------------------------------------------------
    def withdrawn(self, attempt: Attempt) -> None:
        self._parts.breaker.probe_withdrawn()
        back_in_place(attempt)

    def failed(self, attempt: Attempt, reading: Reading, now: float) -> None:
        """Its answer, which is neither a delivery nor the vendor's wish to wait."""
        parts, breaker = self._parts, self._parts.breaker
        if parts.old(attempt):
            breaker.probe_withdrawn()
        elif reading.verdict is Verdict.MISCONFIGURED:
            breaker.probe_misconfigured(now, reading.code)
        elif reading.verdict is Verdict.REJECTED or named(attempt, reading):
            self._refused(attempt, reading, now)
        else:
            breaker.probe_transient(now, reading.code)

    def works(self, reading: Reading) -> bool:
        """The vendor judged the delivery alone, which it would not have done for this account."""
        return reading.later and self._parts.breaker.reason in (FAILING, MISCONFIGURED)

    def close(self, now: float) -> None:
        """A probe was delivered. What was refused before is sent once more, alone, and judged by
        that answer: it may have been the account's fault, which has passed.
        """
        parts = self._parts
        parts.breaker.close()
        parts.flowing_since = now
        for group in parts.returned:
            group.due = 0.0
            if group.isolation is not None:
                group.isolation.proven = True
        suspects = [s.delivery for s in parts.doubt.take_suspects()]
        for delivery in dict.fromkeys(suspects + parts.refused_probes):
            parts.send_alone(delivery, now)
        parts.refused_probes.clear()
        parts.doubt.reset()

    def _refused(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts, delivery = self._parts, attempt.deliveries[0]
        if parts.breaker.single(now):
            self._refusals.final(delivery, refusal_of_one(attempt, reading), now)
            parts.breaker.single_refused(now)
            return
        if delivery not in parts.refused_probes:
            parts.refused_probes.append(delivery)
        parts.breaker.probe_refused(now, reading.code)


def back_in_place(attempt: Attempt) -> None:
    """A probe's delivery waits again where it waited before."""
    for delivery in attempt.deliveries:
        if delivery.state == IN_FLIGHT:
            delivery.state = WAITING
