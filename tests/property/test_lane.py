"""A lane under any order of records, answers, acknowledgements and time, against what its owner
can see: nothing is sent twice at once or after its end, nothing is lost, nothing ends twice.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from forwarder.http.port import HttpAnswer, HttpFailure
from forwarder.lane.lane import Attempt, Lane, Write, WriteKind
from tests.unit.lane import fakes
from tests.unit.lane.fakes import DELIVERED, START, FakeRecord, answer, credential

KINDS = st.sampled_from(["ok"] * 12 + ["skip", "reject", "invalid", "old", "tried", "malformed"])
ANSWERS = st.sampled_from(
    [DELIVERED] * 4
    + [fakes.REJECTED] * 3
    + [
        fakes.TRANSIENT,
        fakes.TRANSIENT,
        fakes.THROTTLED,
        fakes.MISCONFIGURED,
        fakes.HANG,
        answer("throttled", code="429", retry_after=3),
        answer("transient", code="404", later=True),
        answer("rejected", code="413", split=True),
        answer("rejected", code="400", named={0: "Bad", 2: "Bad", 99: "Bad"}),
        answer("rejected", code="400", named={0: "Bad"}, rest_delivered=True),
        answer("rejected", code="400", named=dict.fromkeys(range(9), "Bad"), rest_delivered=True),
        answer("delivered", code="0", duplicate=True),
        answer("delivered", code="0", named={1: "Bad"}),
        answer("delivered", code="0", named=dict.fromkeys(range(9), "Bad")),
    ]
)


def make(offset: int, kind: str, at: float) -> FakeRecord:
    if kind == "malformed":
        return fakes.record(offset, headers={"forwarder-attempts": "many"})
    if kind == "tried":
        first = "2026-11-20T00:00:00.000Z"
        return fakes.retried(offset, attempts=9, retries=3, first=first, time=at)
    age = 90_000.0 if kind == "old" else 0.0
    return fakes.record(offset, kind=kind if kind != "old" else "ok", time=at - age)


class LaneMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.version = 1
        self.offset = 10
        self.log: dict[int, FakeRecord] = {}
        self.committed = 10
        self.events = 8
        self.alerts: list[str] = []
        self.begin("")

    @initialize(events=st.sampled_from([1, 2, 8]))
    def the_account_is_set_up(self, events: int) -> None:
        self.events = events
        self.begin("")

    def begin(self, metadata: str) -> None:
        """A lane of a new owner, which reads again what is not committed."""
        account = fakes.account(events=self.events, size=400, concurrency=4, max_age=86_400.0)
        self.lane: Lane = fakes.lane(account, now=self.now, metadata=metadata)
        self.flying: list[Attempt] = []
        self.busy: set[int] = set()
        self.writing: list[Write] = []
        self.finished: set[int] = set()
        self.read: list[int] = []
        self._read([o for o in self.log if o >= self.committed])

    def _read(self, offsets: list[int]) -> None:
        self.lane.add([self.log[o] for o in offsets], self.now)
        self.read += offsets
        self.look()

    def look(self) -> list[Write]:
        """Take what the last step left, and check it against what is known."""
        writes = list(self.lane.take_writes())
        for write in writes:
            offset = write.delivery.offset
            assert offset not in self.finished
            assert offset not in self.busy
            assert offset not in {w.delivery.offset for w in self.writing}
            assert write.attempts >= write.delivery.attempts
            assert write.tier in (0, 1, 2)
            self.writing.append(write)
        tally = self.lane.take_tally()
        for settled in tally.settled:
            offsets = {delivery.offset for delivery in settled.deliveries}
            assert not offsets & self.busy
            self.finished |= offsets
        self.alerts += [a.action for a in tally.alerts if a.action != "throttled"]
        turns = ["breaker_opened", "breaker_closed"] * len(self.alerts)
        assert self.alerts == turns[: len(self.alerts)], "one alert for each opening"
        assert sum(n for (o, _), n in tally.outcomes.items()) == sum(
            len(settled.deliveries) for settled in tally.settled
        )
        return writes

    # -- what an owner does -----------------------------------------------------------------
    @rule(kinds=st.lists(KINDS, min_size=1, max_size=30), gap=st.integers(0, 3))
    def records_come(self, kinds: list[str], gap: int) -> None:
        fresh = []
        for kind in kinds:
            self.offset += 1 + gap
            self.log[self.offset] = make(self.offset, kind, self.now)
            fresh.append(self.offset)
        self._read(fresh)

    @rule(seconds=st.sampled_from([0.001, 0.3, 1.0, 6.0, 65.0, 320.0, 3700.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(most=st.integers(1, 6))
    def send(self, most: int) -> None:
        for _ in range(most):
            due = self.lane.wake_at(self.now) <= self.now
            attempt = self.lane.take(self.now, credential(self.version))
            assert attempt is None or due
            self.look()
            if attempt is None:
                return
            self._sent(attempt)

    @rule(most=st.integers(1, 4))
    def wait_and_send(self, most: int) -> None:
        at = self.lane.wake_at(self.now)
        if at < float("inf"):
            self.now = max(self.now, at)
            self.send(most)

    def _sent(self, attempt: Attempt) -> None:
        offsets = [d.offset for d in attempt.deliveries]
        assert offsets == sorted(set(offsets))
        assert len(offsets) <= self.events
        assert not set(offsets) & self.finished, "sent after its end"
        assert not set(offsets) & self.busy, "sent twice at once"
        assert not set(offsets) & {w.delivery.offset for w in self.writing}
        assert attempt.credential.version == self.version
        assert not attempt.probe or len(offsets) == 1
        self.busy |= set(offsets)
        self.flying.append(attempt)
        assert len(self.flying) <= 4 + attempt.probe

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), what=ANSWERS)
    def an_answer_comes(self, data: st.DataObject, what: HttpAnswer | HttpFailure) -> None:
        attempt = self._landed(data)
        before = self.lane.view(self.now)
        self.lane.answered(attempt, what, self.now)
        self.lane.answered(attempt, what, self.now)
        new = self.look()
        after = self.lane.view(self.now)
        single = before.reason.startswith("rejected") and self.now - (before.since or 0) >= 3599
        if before.breaker != "closed" and after.breaker != "closed" and not single:
            assert new == [], "written while the breaker is open"

    @precondition(lambda self: self.flying)
    @rule(what=st.sampled_from([fakes.MISCONFIGURED, fakes.REJECTED, fakes.TRANSIENT]))
    def all_fail_alike(self, what: HttpAnswer) -> None:
        while self.flying:
            attempt = self.flying.pop(0)
            self.busy -= {d.offset for d in attempt.deliveries}
            self.lane.answered(attempt, what, self.now)
            self.look()

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def an_attempt_is_withdrawn(self, data: st.DataObject) -> None:
        self.lane.withdrawn(self._landed(data), self.now)
        assert self.look() == []

    def _landed(self, data: st.DataObject) -> Attempt:
        attempt = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.busy -= {d.offset for d in attempt.deliveries}
        return attempt

    @rule()
    def tick(self) -> None:
        self.lane.tick(self.now)
        self.look()

    @precondition(lambda self: self.writing)
    @rule(data=st.data(), fails=st.booleans())
    def writes_end(self, data: st.DataObject, fails: bool) -> None:
        some = data.draw(st.integers(1, len(self.writing)))
        ended, self.writing = self.writing[:some], self.writing[some:]
        if fails:
            self.lane.unwritten(ended)
            again = self.look()
            assert {w.delivery.offset for w in again} == {w.delivery.offset for w in ended}
        else:
            self._acknowledged(ended)

    def _acknowledged(self, writes: list[Write]) -> None:
        self.lane.written(writes, self.now)
        self.lane.written(writes, self.now)
        self.look()
        for write in writes:
            self.finished.add(write.delivery.offset)

    @rule()
    def a_new_credential(self) -> None:
        self.version += 1
        self.lane.credential_changed(self.version, self.now)
        assert self.look() == []

    @rule()
    def the_owner_stops(self) -> None:
        """A planned change of owner repeats nothing."""
        for attempt in list(self.flying):
            self.busy -= {d.offset for d in attempt.deliveries}
            self.lane.answered(attempt, fakes.HANG, self.now)
        self.flying.clear()
        self.look()
        self._acknowledged(self.writing)
        self.writing = []
        writes = list(self.lane.drain(self.now))
        assert {w.kind for w in writes} <= {WriteKind.RETRY, WriteKind.DEAD_LETTER}
        assert not {w.delivery.offset for w in writes} & self.finished
        self._acknowledged(writes)
        assert self.lane.take(self.now, credential(self.version)) is None
        assert self.lane.take_writes() == ()
        offset, metadata = self.lane.commit_point()
        assert len(metadata.encode()) <= 512
        if offset is not None:
            assert all(o < offset for o in self.finished), "a finished one will be sent again"
            assert all(o >= offset for o in set(self.read) - self.finished), "lost"
            self.committed = offset
        self.begin(metadata)

    # -- what must hold ---------------------------------------------------------------------
    @invariant()
    def the_watermark_passes_nothing_unfinished(self) -> None:
        offset, _ = self.lane.commit_point()
        left = set(self.read) - self.finished
        if not self.read:
            assert offset is None
        elif left:
            assert offset == min(left)
        else:
            assert offset == max(self.read) + 1

    @invariant()
    def it_counts_right(self) -> None:
        view = self.lane.view(self.now)
        left = set(self.read) - self.finished
        assert view.in_flight == len(self.busy)
        assert view.waiting == len(left) - len(self.busy) - len(self.writing)

    def teardown(self) -> None:
        """Everything ends when the vendor takes all and the brokers acknowledge all."""
        for attempt in self.flying:
            self.lane.answered(attempt, DELIVERED, self.now)
        self.flying, self.busy = [], set()
        for _ in range(3000):
            self.look()
            self._acknowledged(self.writing)
            self.writing = []
            if set(self.read) == self.finished:
                return
            at = self.lane.wake_at(self.now)
            assert at < float("inf"), "stuck"
            self.now = max(self.now, at)
            taken = self.lane.take(self.now, credential(self.version))
            if taken is not None:
                self.lane.answered(taken, DELIVERED, self.now)
        raise AssertionError("never ends")


TestLane = LaneMachine.TestCase
TestLane.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
