"""The breaker under any order of events."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forwarder.lane import breaker as rules
from forwarder.lane.breaker import Breaker
from forwarder.lane.state import KeptState, decode, encode
from forwarder.lane.tally import Alert
from tests.unit.lane.fakes import START

OPENERS = [rules.MISCONFIGURED, rules.REJECTED, rules.REJECTED_ALIKE]


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.alerts: list[Alert] = []
        self.breaker = Breaker(KeptState(), self.now, self.alerts.append)
        self.in_a_row = 0
        self.recent: list[tuple[int, bool]] = []
        self.openings = 0
        self.only_rejected = False
        self.turned = False
        self.pauses: list[float] = []

    @rule(seconds=st.sampled_from([0.01, 0.5, 3.0, 30.0, 61.0, 301.0, 3601.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.breaker.is_open)
    @rule()
    def passed(self) -> None:
        self.breaker.passed(self.now)
        self.in_a_row = 0
        self.recent.append((int(self.now), False))

    @precondition(lambda self: not self.breaker.is_open)
    @rule(isolating=st.booleans())
    def failed(self, isolating: bool) -> None:
        self.in_a_row += 1
        if not isolating:
            self.recent.append((int(self.now), True))
        counted = [failed for at, failed in self.recent if at > int(self.now) - 60]
        too_many = len(counted) >= 20 and 2 * sum(counted) >= len(counted)
        opened = self.breaker.failed(self.now, "500", "no", isolating=isolating)
        assert opened == (self.in_a_row >= 5 or too_many)
        if opened:
            self._opened(only_rejected=False)

    @precondition(lambda self: not self.breaker.is_open)
    @rule(reason=st.sampled_from(OPENERS))
    def opened(self, reason: str) -> None:
        self.breaker.open(self.now, reason, "40001", "no")
        self._opened(only_rejected=reason != rules.MISCONFIGURED)

    def _opened(self, *, only_rejected: bool) -> None:
        self.openings += 1
        self.only_rejected = only_rejected
        self.turned = False
        self.pauses = [5.0]
        assert self.breaker.until == self.now + 5

    @precondition(lambda self: self.breaker.is_open and self.breaker.probe_at() <= self.now)
    @rule(verdict=st.sampled_from(["refused", "misconfigured", "transient", "withdrawn", "passed"]))
    def probed(self, verdict: str) -> None:
        breaker = self.breaker
        breaker.probe_sent()
        assert breaker.state == "probing"
        assert breaker.probe_at() == float("inf")
        if verdict == "passed":
            breaker.close()
            self.in_a_row = 0
            self.recent = []
            return
        if verdict == "withdrawn":
            breaker.probe_withdrawn()
            assert breaker.probe_at() <= self.now
            return
        if verdict == "misconfigured":
            breaker.probe_misconfigured(self.now, "401")
            self.only_rejected = self.turned = False
        elif verdict == "refused":
            since = breaker.since if self.only_rejected else self.now
            self.turned = self.turned or not self.only_rejected
            breaker.probe_refused(self.now, "400")
            self.only_rejected = True
            assert breaker.since == since
        else:
            breaker.probe_transient(self.now, "500")
            self.only_rejected = self.only_rejected and not self.turned
            self.turned = False
        self.pauses.append(min(300.0, 2 * self.pauses[-1]))
        assert breaker.until == self.now + self.pauses[-1]

    @precondition(lambda self: self.breaker.is_open)
    @rule()
    def the_credential_changes(self) -> None:
        curable = self.breaker.reason != rules.FAILING
        before = self.breaker.until
        self.breaker.cured(self.now)
        assert self.breaker.until == (self.now if curable else before)
        if curable:
            self.pauses = [5.0]

    @rule()
    def the_owner_changes(self) -> None:
        """The state goes through a commit's metadata; nothing is forgotten or said twice."""
        old = self.breaker
        said = len(self.alerts)
        self.turned = False
        text = encode(old.kept(KeptState()))
        assert len(text.encode()) <= 512
        self.breaker = Breaker(decode(text), self.now, self.alerts.append)
        assert len(self.alerts) == said
        assert self.breaker.is_open == old.is_open
        if old.is_open:
            assert self.breaker.reason == old.reason
            assert abs(self.breaker.until - old.until) < 0.01
            assert abs(self.breaker.since - old.since) < 0.01
            assert not self.breaker.probing
        else:
            self.in_a_row = 0
            self.recent = []

    @invariant()
    def one_alert_for_each_opening(self) -> None:
        said = [a.action for a in self.alerts]
        assert said.count("breaker_opened") == self.openings
        assert said.count("breaker_closed") == self.openings - self.breaker.is_open
        assert said[::2] == ["breaker_opened"] * len(said[::2])

    @invariant()
    def single_mode_is_for_rejections_alone(self) -> None:
        long = self.now - self.breaker.since >= 3600 - 0.01
        expected = self.breaker.is_open and self.only_rejected and long
        if abs(self.now - self.breaker.since - 3600) > 0.01:
            assert self.breaker.single(self.now) == expected

    @invariant()
    def it_never_waits_longer_than_five_minutes(self) -> None:
        if self.breaker.is_open:
            assert self.breaker.until <= self.now + 300.01


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
