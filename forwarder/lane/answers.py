"""What an answer means for the deliveries of its request, and for the lane."""

from __future__ import annotations

from typing import assert_never

from forwarder.destinations.contract import Reading, Refusal, Verdict
from forwarder.http.port import HttpAnswer, HttpFailure
from forwarder.lane.breaker import FAILING, MISCONFIGURED, REJECTED, REJECTED_ALIKE
from forwarder.lane.delivery import IN_FLIGHT, WAITING, Attempt, Delivery, Group, Isolation
from forwarder.lane.isolate import ALONE, NAMED, Suspect, halves
from forwarder.lane.parts import Parts
from forwarder.lane.retry import (
    Again,
    Failed,
    GiveUp,
    Isolate,
    ToTier,
    after_later,
    after_transient,
)
from forwarder.lane.tally import Alert
from forwarder.lane.writes import Cause

TOO_LARGE = Refusal("local.request_too_large", "the vendor refuses its size")


class Answers:
    """Settles attempts. Each was taken out of ``parts.in_flight`` before, so it is settled once."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def settle(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> None:
        reading = self._read(attempt, answer, now)
        self._parts.ledger.request(reading.verdict, reading.code)
        if reading.verdict is not Verdict.THROTTLED:
            self._parts.throttle.heard(attempt.number)
        if attempt.probe:
            self._probe(attempt, reading, now)
        elif reading.verdict is Verdict.DELIVERED or _rest_delivered(attempt, reading):
            self._delivered(attempt, reading, now)
        elif self._parts.breaker.is_open or self._old(attempt):
            self._back(attempt.group)
        else:
            self._failed(attempt, reading, now)
        self.look_at_suspects(now)

    def withdrawn(self, attempt: Attempt) -> None:
        """It never left: everything is as before."""
        if attempt.probe:
            self._parts.breaker.probe_withdrawn()
            _in_place(attempt)
        else:
            self._back(attempt.group)

    def look_at_suspects(self, now: float) -> None:
        """When no other delivery is left to show whether it is the account, few refusals stand as
        they are.
        """
        doubt, breaker = self._parts.doubt, self._parts.breaker
        if not doubt.suspects or breaker.is_open or not self._parts.idle():
            return
        if len(doubt.suspects) >= ALONE:
            refusal = doubt.suspects[-1].refusal
            self._open(REJECTED, refusal.code, refusal.message, now)
            return
        for suspect in doubt.take_suspects():
            self._final(suspect, now)

    def credential_changed(self, now: float) -> None:
        """What the old credential's answers said of the account is void."""
        parts = self._parts
        for suspect in parts.doubt.take_suspects():
            parts.returned.put(Group((suspect.delivery,), now))
        parts.doubt.reset()
        parts.refused_probes.clear()
        parts.throttle.clear()
        parts.breaker.cured(now)
        parts.proven = False

    # -- reading ----------------------------------------------------------------------------
    def _read(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> Reading:
        if isinstance(answer, HttpFailure):
            return Reading(Verdict.TRANSIENT, f"local.{answer.kind}", "no usable answer came")
        return self._parts.account.read(answer, len(attempt.deliveries), now)

    def _old(self, attempt: Attempt) -> bool:
        version = self._parts.version
        return version is not None and attempt.credential_version < version

    def _back(self, group: Group, due: float = 0.0) -> None:
        self._parts.returned.put(group, due)

    # -- closed -----------------------------------------------------------------------------
    def _failed(self, attempt: Attempt, reading: Reading, now: float) -> None:
        match reading.verdict:
            case Verdict.THROTTLED:
                self._throttled(attempt, reading, now)
                self._back(attempt.group)
            case Verdict.MISCONFIGURED:
                self._back(attempt.group)
                self._open(MISCONFIGURED, reading.code, reading.message, now)
            case Verdict.TRANSIENT if reading.later:
                self._later(attempt, reading, now)
            case Verdict.TRANSIENT:
                self._transient(attempt.group, reading, now)
            case Verdict.REJECTED:
                self._rejected(attempt, reading, now)
            case Verdict.DELIVERED:  # settled before
                raise AssertionError(reading.verdict)
            case _:
                assert_never(reading.verdict)

    def _delivered(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts = self._parts
        named = _named(attempt, reading)
        for index, refusal in named.items():
            self._refused(attempt.group, attempt.deliveries[index], refusal, attempt.number, now)
        done = attempt.deliveries
        if named:
            done = tuple(d for i, d in enumerate(done) if i not in named)
        parts.window.finish(done)
        reason = "duplicate" if reading.duplicate else ""
        parts.ledger.delivered(done, reason, reading.code, reading.request_id)
        self._passed(attempt, now)

    def _passed(self, attempt: Attempt, now: float) -> None:
        """Something was delivered: the account works, or did when this request left."""
        parts = self._parts
        parts.passed += 1
        parts.passed_at = now
        parts.recent.clear()
        parts.proven = parts.proven or not self._old(attempt)
        parts.throttle.passed(attempt.number)
        if not parts.breaker.is_open:
            parts.breaker.passed(now)
        if attempt.group.isolation is not None:
            attempt.group.isolation.proven = True
        if not parts.breaker.is_open:
            for suspect in parts.doubt.delivered(attempt.number):
                self._final(suspect, now)

    def _throttled(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts = self._parts
        if self._old(attempt):
            return
        until = parts.throttle.throttled(now, reading.retry_after, attempt.number, parts.sent)
        if until is not None:
            parts.flowing_since = until
            alert = Alert("throttled", "throttled", reading.code, reading.message, until)
            parts.ledger.alert(alert)

    def _later(self, attempt: Attempt, reading: Reading, now: float) -> None:
        attempt.group.charged += 1
        for delivery in attempt.deliveries:
            delivery.group = attempt.group
            decision = after_later(delivery.retries)
            if isinstance(decision, GiveUp):
                cause = Cause(decision.reason, reading.code, reading.message)
                self._parts.writes.dead_letter(delivery, cause, now)
            else:
                cause = Cause("transient", reading.code, reading.message)
                self._parts.writes.retry(delivery, cause, now, decision.tier)

    # -- transient --------------------------------------------------------------------------
    def _transient(self, group: Group, reading: Reading, now: float) -> None:
        parts = self._parts
        self._charge(group, now)
        isolating = group.isolation is not None
        if parts.breaker.failed(now, reading.code, reading.message, isolating=isolating):
            self._back(group)
            self._opened()
            return
        first = group.deliveries[0]
        failed = Failed(
            size=len(group.deliveries),
            failures=group.failures,
            attempts=first.attempts + group.charged,
            retries=first.retries,
            first_failed_at=first.first_failed_at or group.first_failed_at or now,
            others_passed=parts.passed > group.mark,
            retry_after=reading.retry_after,
        )
        decision = after_transient(failed, parts.limits, now, parts.random)
        cause = Cause("transient", reading.code, reading.message)
        match decision:
            case Again(due):
                self._back(group, due)
            case Isolate():
                self._halves(group, now, group.isolation or Isolation(), failures=group.failures)
            case ToTier(tier):
                parts.writes.retry(first, cause, now, tier)
            case GiveUp(reason):
                parts.writes.dead_letter(first, cause._replace(reason=reason), now)
            case _:
                assert_never(decision)

    def _charge(self, group: Group, now: float) -> None:
        """Count the failure, as one that the breaker may yet take back."""
        if group.failures == 0 or group.first_failed_at is None:
            group.first_failed_at = now
            group.mark = self._parts.passed
        group.failures += 1
        if len(group.deliveries) == 1:
            group.charged += 1
        self._parts.recent.append(group)

    # -- rejected ---------------------------------------------------------------------------
    def _rejected(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts, group = self._parts, attempt.group
        size = len(group.deliveries)
        if reading.split and size > 1:
            self._halves(group, now, group.isolation)
            return
        parts.doubt.refused(attempt.number)
        named = _named(attempt, reading)
        if size == 1:
            self._refused_alone(attempt, named.get(0) or _refusal(reading), now)
        elif 0 < len(named) < size and (group.proven or parts.doubt.named < NAMED):
            self._without_named(attempt, named, now)
        else:
            self._refused_batch(group, reading, now)

    def _refused_alone(self, attempt: Attempt, refusal: Refusal, now: float) -> None:
        group = attempt.group
        self._refused(group, group.deliveries[0], refusal, attempt.number, now)
        if not group.proven:
            self._parts.doubt.alone += 1
            self._doubt_account(group, refusal.code, refusal.message, now)

    def _refused(
        self, group: Group, delivery: Delivery, refusal: Refusal, number: int, now: float
    ) -> None:
        """One delivery's own refusal: final once nothing speaks against the account."""
        if group.proven:
            self._final(Suspect(delivery, refusal, number), now)
            return
        delivery.state = WAITING
        delivery.group = group
        self._parts.doubt.suspect(delivery, refusal, number)

    def _without_named(self, attempt: Attempt, named: dict[int, Refusal], now: float) -> None:
        parts, group = self._parts, attempt.group
        for index, refusal in named.items():
            self._refused(group, group.deliveries[index], refusal, attempt.number, now)
        rest = tuple(d for i, d in enumerate(group.deliveries) if i not in named)
        parts.doubt.named += 1
        parts.doubt.batch = parts.doubt.batch or not group.proven
        self._back(Group(rest, now, isolation=group.isolation or Isolation(), pair=group.pair))

    def _refused_batch(self, group: Group, reading: Reading, now: float) -> None:
        isolation = group.isolation or Isolation()
        self._parts.doubt.batch = self._parts.doubt.batch or not isolation.proven
        self._doubt_account(group, reading.code, reading.message, now)
        if self._parts.breaker.is_open:
            group.isolation = isolation
            self._back(group)
        else:
            self._halves(group, now, isolation)

    def _doubt_account(self, group: Group, code: str, message: str, now: float) -> None:
        doubt = self._parts.doubt
        if group.proven:
            return
        doubt.refused_half(group, code)
        if doubt.looks_like_account():
            self._open(REJECTED if doubt.alone >= ALONE else REJECTED_ALIKE, code, message, now)

    def _final(self, suspect: Suspect, now: float) -> None:
        delivery, refusal = suspect.delivery, suspect.refusal
        if delivery.state in (WAITING, IN_FLIGHT):
            cause = Cause("rejected", refusal.code, refusal.message)
            self._parts.writes.dead_letter(delivery, cause, now)

    def _halves(
        self, group: Group, now: float, isolation: Isolation | None, failures: int = 0
    ) -> None:
        for half in halves(group, now, isolation):
            half.failures = max(0, failures - 1)
            half.first_failed_at = group.first_failed_at
            half.mark = self._parts.passed if failures else 0
            self._back(half)

    # -- breaker ----------------------------------------------------------------------------
    def _open(self, reason: str, code: str, message: str, now: float) -> None:
        self._parts.breaker.open(now, reason, code, message)
        self._opened()

    def _opened(self) -> None:
        """What failed since something last passed was the account's fault: no delivery pays."""
        for group in self._parts.recent:
            group.failures = max(0, group.failures - 1)
            group.charged = max(0, group.charged - 1)
            if group.failures == 0:
                group.first_failed_at = None
        self._parts.recent.clear()

    def _probe(self, attempt: Attempt, reading: Reading, now: float) -> None:
        breaker = self._parts.breaker
        single = breaker.single(now)
        if reading.verdict is Verdict.DELIVERED and not _named(attempt, reading):
            self._delivered(attempt, reading, now)
            self._close(now)
            return
        _in_place(attempt)
        if self._old(attempt):
            breaker.probe_withdrawn()
        elif reading.verdict is Verdict.THROTTLED:
            breaker.probe_withdrawn()
            self._throttled(attempt, reading, now)
        elif reading.later and breaker.reason in (FAILING, MISCONFIGURED):
            self._close(now)
            self._later(attempt, reading, now)
        elif reading.verdict is Verdict.MISCONFIGURED:
            breaker.probe_misconfigured(now, reading.code)
        elif reading.verdict is Verdict.REJECTED or _named(attempt, reading):
            self._probe_refused(attempt, reading, now, single=single)
        else:
            breaker.probe_failed(now)

    def _probe_refused(
        self, attempt: Attempt, reading: Reading, now: float, *, single: bool
    ) -> None:
        parts, delivery = self._parts, attempt.deliveries[0]
        if single:
            refusal = _named(attempt, reading).get(0) or _refusal(reading)
            self._final(Suspect(delivery, refusal, attempt.number), now)
            parts.breaker.single_refused(now)
            return
        if delivery not in parts.refused_probes:
            parts.refused_probes.append(delivery)
        parts.breaker.probe_failed(now)

    def _close(self, now: float) -> None:
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
        refused = [s.delivery for s in parts.doubt.take_suspects()]
        refused += [d for d in parts.refused_probes if d not in refused]
        parts.refused_probes.clear()
        for delivery in refused:
            parts.send_alone(delivery, now)
        parts.doubt.reset()


def _refusal(reading: Reading) -> Refusal:
    return TOO_LARGE if reading.split else Refusal(reading.code, reading.message)


def _named(attempt: Attempt, reading: Reading) -> dict[int, Refusal]:
    if not reading.named:
        return {}
    size = len(attempt.deliveries)
    return {i: refusal for i, refusal in reading.named.items() if 0 <= i < size}


def _rest_delivered(attempt: Attempt, reading: Reading) -> bool:
    """The vendor kept all but the deliveries it names, and it names some but not all."""
    return reading.rest_delivered and 0 < len(_named(attempt, reading)) < len(attempt.deliveries)


def _in_place(attempt: Attempt) -> None:
    """A probe's delivery waits again where it waited before."""
    for delivery in attempt.deliveries:
        if delivery.state == IN_FLIGHT:
            delivery.state = WAITING
