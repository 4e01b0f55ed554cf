"""What an answer means for the deliveries of its request, and for the lane."""

from __future__ import annotations

from typing import assert_never

from forwarder.destinations.answers import unechoed
from forwarder.destinations.contract import Reading, Verdict
from forwarder.http.port import HttpAnswer, HttpFailure
from forwarder.lane.breaker import MISCONFIGURED
from forwarder.lane.delivery import Attempt, Group
from forwarder.lane.parts import Parts
from forwarder.lane.probes import Probes, back_in_place
from forwarder.lane.refusals import Refusals, named
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


class Answers:
    """Settles attempts. Each was taken out of ``parts.in_flight`` before, so it is settled once."""

    __slots__ = ("_parts", "_probes", "_refusals")

    def __init__(self, parts: Parts, probes: Probes, refusals: Refusals) -> None:
        self._parts = parts
        self._probes = probes
        self._refusals = refusals

    def settle(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> None:
        reading = self._read(attempt, answer, now)
        self._parts.ledger.request(reading.verdict, reading.code)
        if reading.verdict is not Verdict.THROTTLED:
            self._parts.throttle.heard(attempt.number)
        if reading.verdict is Verdict.TRANSIENT and reading.retry_after is not None:
            self._come_again(attempt, reading.retry_after, now)
        if _delivers(attempt, reading):
            self._delivered(attempt, reading, now)
        elif attempt.probe:
            self._probe_failed(attempt, reading, now)
        elif self._parts.breaker.is_open or self._parts.old(attempt):
            self._parts.returned.put(attempt.group)
        else:
            self._failed(attempt, reading, now)
        self._refusals.judge_suspects(now)

    def withdrawn(self, attempt: Attempt) -> None:
        """It never left: everything is as before."""
        if attempt.probe:
            self._probes.withdrawn(attempt)
        else:
            self._parts.returned.put(attempt.group)

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

    def _read(self, attempt: Attempt, answer: HttpAnswer | HttpFailure, now: float) -> Reading:
        if isinstance(answer, HttpFailure):
            return Reading(Verdict.TRANSIENT, f"local.{answer.kind}", "no usable answer came")
        reading = self._parts.account.read(answer, len(attempt.deliveries), now)
        return unechoed(reading, attempt.request, attempt.credential)

    # -- delivered --------------------------------------------------------------------------
    def _delivered(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts = self._parts
        done = attempt.deliveries
        by_index = named(attempt, reading)
        if by_index:
            done = tuple(d for i, d in enumerate(done) if i not in by_index)
        parts.window.finish(done)
        reason = "duplicate" if reading.duplicate else ""
        parts.ledger.delivered(done, reason, reading.code, reading.request_id)
        self._passed(attempt, now)
        for index, refusal in by_index.items():
            if parts.breaker.is_open:
                parts.returned.put(Group((attempt.deliveries[index],), now))
            else:
                self._refusals.final(attempt.deliveries[index], refusal, now)

    def _passed(self, attempt: Attempt, now: float) -> None:
        """Something was delivered: the account works, or did when this request left. Only a probe
        closes the breaker, since an older request says nothing of now.
        """
        parts = self._parts
        parts.passed += 1
        parts.passed_at = now
        parts.recent.clear()
        parts.proven = parts.proven or not parts.old(attempt)
        parts.throttle.passed(attempt.number)
        if attempt.group.isolation is not None:
            attempt.group.isolation.proven = True
        if attempt.probe:
            self._probes.close(now)
        elif not parts.breaker.is_open:
            parts.breaker.passed(now)
            for suspect in parts.doubt.delivered(attempt.number):
                self._refusals.final(suspect.delivery, suspect.refusal, now)

    # -- not delivered ----------------------------------------------------------------------
    def _probe_failed(self, attempt: Attempt, reading: Reading, now: float) -> None:
        back_in_place(attempt)
        if reading.verdict is Verdict.THROTTLED:
            self._parts.breaker.probe_withdrawn()
            self._throttled(attempt, reading, now)
        elif self._probes.works(reading):
            self._probes.close(now)
            self._later(attempt, reading, now)
        else:
            self._probes.failed(attempt, reading, now)

    def _failed(self, attempt: Attempt, reading: Reading, now: float) -> None:
        match reading.verdict:
            case Verdict.THROTTLED:
                self._throttled(attempt, reading, now)
                self._parts.returned.put(attempt.group)
            case Verdict.MISCONFIGURED:
                self._parts.returned.put(attempt.group)
                self._parts.open(MISCONFIGURED, reading.code, reading.message, now)
            case Verdict.TRANSIENT if reading.later:
                self._later(attempt, reading, now)
            case Verdict.TRANSIENT:
                self._transient(attempt.group, reading, now)
            case Verdict.REJECTED | Verdict.DELIVERED:  # delivered, but for every one of them
                self._refusals.refused(attempt, reading, now)
            case _:
                assert_never(reading.verdict)

    def _throttled(self, attempt: Attempt, reading: Reading, now: float) -> None:
        parts = self._parts
        if parts.old(attempt):
            return
        until = parts.throttle.throttled(now, reading.retry_after, attempt.number, parts.sent)
        if until is not None:
            parts.flowing_since = until
            alert = Alert("throttled", "throttled", reading.code, reading.message, until)
            parts.ledger.alert(alert)

    def _come_again(self, attempt: Attempt, retry_after: float, now: float) -> None:
        """The vendor means the account, whichever request it told so."""
        parts = self._parts
        if not parts.old(attempt):
            parts.throttle.asked(now, retry_after, parts.sent)
            parts.flowing_since = max(parts.flowing_since, parts.throttle.not_before or now)

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
        parts.charge(group, now)
        isolating = group.isolation is not None
        if parts.breaker.failed(now, reading.code, reading.message, isolating=isolating):
            parts.refund()
            parts.returned.put(group)
            return
        first = group.deliveries[0]
        cause = Cause("transient", reading.code, reading.message)
        decision = after_transient(
            self._failure(group, reading, now), parts.limits, now, parts.random
        )
        match decision:
            case Again(due):
                parts.returned.put(group, due)
            case Isolate():
                self._refusals.isolate(group, now)
            case ToTier(tier):
                parts.writes.retry(first, cause, now, tier)
            case GiveUp(reason):
                parts.writes.dead_letter(first, cause._replace(reason=reason), now)
            case _:
                assert_never(decision)

    def _failure(self, group: Group, reading: Reading, now: float) -> Failed:
        first = group.deliveries[0]
        return Failed(
            size=len(group.deliveries),
            failures=group.failures,
            attempts=first.attempts + group.charged,
            retries=first.retries,
            first_failed_at=first.first_failed_at or group.first_failed_at or now,
            others_passed=self._parts.passed > group.mark,
            retry_after=reading.retry_after,
        )


def _delivers(attempt: Attempt, reading: Reading) -> bool:
    """Whether the vendor kept the request's deliveries, but for those it names."""
    kept = reading.verdict is Verdict.DELIVERED or (reading.rest_delivered and reading.named)
    return bool(kept) and len(named(attempt, reading)) < len(attempt.deliveries)
