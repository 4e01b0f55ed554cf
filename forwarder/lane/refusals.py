"""What a refusal does: take out what the vendor names, halve, or suspect the account."""

from __future__ import annotations

from forwarder.destinations.contract import Reading, Refusal
from forwarder.lane.breaker import REJECTED, REJECTED_ALIKE
from forwarder.lane.delivery import IN_FLIGHT, WAITING, Attempt, Delivery, Group, Isolation
from forwarder.lane.isolate import ALONE, NAMED, Suspect, halves
from forwarder.lane.parts import Parts
from forwarder.lane.writes import Cause

TOO_LARGE = Refusal("local.request_too_large", "the vendor refuses its size")


def named(attempt: Attempt, reading: Reading) -> dict[int, Refusal]:
    """The deliveries of ``attempt`` that the vendor names."""
    if not reading.named:
        return {}
    size = len(attempt.deliveries)
    return {i: refusal for i, refusal in reading.named.items() if 0 <= i < size}


def refusal_of_one(attempt: Attempt, reading: Reading) -> Refusal:
    """Why the only delivery of ``attempt`` was refused."""
    own = named(attempt, reading).get(0)
    if own is not None:
        return own
    return TOO_LARGE if reading.split else Refusal(reading.code, reading.message)


class Refusals:
    """Settles requests that were refused while the breaker was closed."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def refused(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts, group = self._parts, attempt.group
        size = len(group.deliveries)
        if reading.split and size > 1:
            self._halves(group, now, group.isolation)
            return
        parts.doubt.refused(attempt.number)
        by_index = named(attempt, reading)
        if size == 1:
            self._alone(attempt, refusal_of_one(attempt, reading), now)
        elif 0 < len(by_index) < size and (group.proven or parts.doubt.named < NAMED):
            self._without(by_index, attempt, now)
        else:
            self._batch(group, reading, now)

    def isolate(self, group: Group, now: float) -> None:
        """Halve a group that keeps failing while others pass: one more failure halves again."""
        self._halves(group, now, group.isolation or Isolation(), failures=group.failures)

    def final(self, delivery: Delivery, refusal: Refusal, now: float) -> None:
        """The vendor will not have it."""
        if delivery.state in (WAITING, IN_FLIGHT):
            cause = Cause("rejected", refusal.code, refusal.message)
            self._parts.writes.dead_letter(delivery, cause, now)

    def judge_suspects(self, now: float) -> None:
        """When no other delivery is left to show whether it is the account, few refusals stand as
        they are.
        """
        doubt = self._parts.doubt
        if not doubt.suspects or self._parts.breaker.is_open or not self._parts.idle():
            return
        if len(doubt.suspects) >= ALONE:
            refusal = doubt.suspects[-1].refusal
            self._parts.open(REJECTED, refusal.code, refusal.message, now)
            return
        for suspect in doubt.take_suspects():
            self.final(suspect.delivery, suspect.refusal, now)

    def _alone(self, attempt: Attempt, refusal: Refusal, now: float) -> None:
        group = attempt.group
        self._one(group.deliveries[0], refusal, attempt, now)
        if not group.proven:
            self._parts.doubt.alone += 1
            self._doubt_account(group, refusal.code, refusal.message, now)

    def _one(self, delivery: Delivery, refusal: Refusal, attempt: Attempt, now: float) -> None:
        """One delivery's own refusal: final unless it may be the account's."""
        if attempt.group.proven:
            self.final(delivery, refusal, now)
            return
        delivery.state = WAITING
        delivery.group = attempt.group
        self._parts.doubt.suspects.append(Suspect(delivery, refusal, attempt.number))

    def _without(self, by_index: dict[int, Refusal], attempt: Attempt, now: float) -> None:
        parts, group = self._parts, attempt.group
        for index, refusal in by_index.items():
            self._one(group.deliveries[index], refusal, attempt, now)
        rest = tuple(d for i, d in enumerate(group.deliveries) if i not in by_index)
        parts.doubt.named += 1
        parts.doubt.batch = parts.doubt.batch or not group.proven
        isolation = group.isolation or Isolation()
        parts.returned.put(Group(rest, now, isolation=isolation, pair=group.pair))

    def _batch(self, group: Group, reading: Reading, now: float) -> None:
        parts = self._parts
        isolation = group.isolation or Isolation()
        if not isolation.proven:
            parts.doubt.batch = True
            self._doubt_account(group, reading.code, reading.message, now)
        if parts.breaker.is_open:
            group.isolation = isolation
            parts.returned.put(group)
        else:
            self._halves(group, now, isolation)

    def _doubt_account(self, group: Group, code: str, message: str, now: float) -> None:
        doubt = self._parts.doubt
        doubt.refused_half(group, code)
        if doubt.looks_like_account():
            reason = REJECTED if doubt.alone >= ALONE else REJECTED_ALIKE
            self._parts.open(reason, code, message, now)

    def _halves(
        self, group: Group, now: float, isolation: Isolation | None, failures: int = 0
    ) -> None:
        for half in halves(group, now, isolation):
            half.failures = max(0, failures - 1)
            half.first_failed_at = group.first_failed_at
            half.mark = self._parts.passed if failures else 0
            self._parts.returned.put(half)
