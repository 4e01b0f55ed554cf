"""A vendor that is a function, an account for it, and a loop that drives one lane on a made-up
clock. What a lane really does is then counted from outside.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, cast

from forwarder.consent import ConsentPolicy
from forwarder.credentials import Credential
from forwarder.destinations.contract import (
    Account,
    Item,
    Reading,
    Refusal,
    Rejected,
    Skipped,
    Traits,
    Verdict,
)
from forwarder.destinations.settings import AccountSettings, BatchSettings
from forwarder.event import ConversionEvent, InvalidEvent
from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest
from forwarder.kafka.records import rfc3339
from forwarder.lane.bucket import Bucket
from forwarder.lane.lane import Attempt, Delivery, Lane, LaneSettings, Tally, Write, WriteKind

START = 1_795_262_580.0
DEDUPS = Traits(dedups=True, dedup_window=None, batches=True)
REPEATS = Traits(dedups=False, dedup_window=None, batches=True)
Ids = Sequence[str]
Vendor = Callable[[Ids, float], HttpAnswer | HttpFailure]


@dataclass
class FakeRecord:
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    topic: str = "conversions.queue.acme"
    partition: int = 0
    key: bytes | None = None


@dataclass
class FakeEvent:
    event_id: str
    event_time: float
    kind: str


class FakeAccount(Account):
    """``kind`` of an event: ``ok``, ``skip``, ``reject``. An answer's body is the reading."""

    def applies(self, event: ConversionEvent) -> Skipped | None:
        return None

    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        fake = cast("FakeEvent", event)
        if fake.kind == "skip":
            return Skipped("no_match_key")
        if fake.kind == "reject":
            return Rejected("value_missing", "value is required")
        return Item(json.dumps(fake.event_id).encode())

    def request(self, items: Sequence[Item], credential: Credential) -> HttpRequest:
        body = b"[" + b",".join(item.json for item in items) + b"]"
        return HttpRequest("POST", "http://vendor", {"v": str(credential.version)}, body)

    def overhead(self) -> int:
        return 2

    def read(self, answer: HttpAnswer, count: int, now: float) -> Reading:
        fields: dict[str, Any] = json.loads(answer.body)
        named = {int(i): Refusal(code, "named") for i, code in fields.pop("named", {}).items()}
        return Reading(Verdict(fields.pop("verdict")), named=named, **fields)


def answer(verdict: str, **fields: object) -> HttpAnswer:
    return HttpAnswer(200, {}, json.dumps({"verdict": verdict, **fields}).encode())


DELIVERED = answer("delivered", code="0")
REJECTED = answer("rejected", code="40002", message="no good")
MISCONFIGURED = answer("misconfigured", code="401", message="bad key")
TRANSIENT = answer("transient", code="500", message="try again")
THROTTLED = answer("throttled", code="429")
HANG = HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)


def decode(value: bytes) -> ConversionEvent:
    fields = json.loads(value)
    if fields.get("kind") == "invalid":
        raise InvalidEvent("invalid_event", ())
    fake = FakeEvent(fields["id"], fields["time"], fields.get("kind", "ok"))
    return cast("ConversionEvent", fake)


def record(
    offset: int,
    *,
    event_id: str | None = None,
    kind: str = "ok",
    time: float = START,
    headers: Mapping[str, str] | None = None,
    origin: str | None = None,
    timestamp: float | None = None,
) -> FakeRecord:
    value = {"id": event_id or f"e{offset}", "time": time, "kind": kind}
    named = {"forwarder-origin": origin or f"conversions/0/{offset}"} | dict(headers or {})
    return FakeRecord(
        offset,
        json.dumps(value).encode(),
        [(name, text.encode()) for name, text in named.items()],
        int((time if timestamp is None else timestamp) * 1000),
    )


def retried(offset: int, *, attempts: int, retries: int, first: str, **more: Any) -> FakeRecord:
    headers = {
        "forwarder-attempts": str(attempts),
        "forwarder-replays": "0",
        "forwarder-retries": str(retries),
        "forwarder-first-failed-at": first,
    }
    return record(offset, headers=headers, **more)


def account(
    *,
    events: int = 1000,
    size: int = 1 << 20,
    linger: float = 0.2,
    concurrency: int = 8,
    state: str = "active",
    max_age: float = 28 * 86_400.0,
) -> FakeAccount:
    settings = AccountSettings(
        destination="fake",
        state=cast("Any", state),
        advertisers=("acme",),
        budgets=("any",),
        concurrency=concurrency,
        batch=BatchSettings(events=events, bytes=size, linger=linger),
        max_event_age=max_age,
        base_url="http://vendor",
    )
    return FakeAccount("acme", settings, ConsentPolicy())


def lane(
    of: FakeAccount | None = None,
    *,
    now: float = START,
    rate: float = 9.4,
    metadata: str = "",
    traits: Traits = DEDUPS,
    give_up: tuple[int, float] = (8, 12 * 3600.0),
    seed: int = 7,
) -> Lane:
    settings = LaneSettings(give_up[0], give_up[1], (rate,))
    return Lane(
        of or account(), traits, settings, decode, now, metadata=metadata, random=Random(seed)
    )


def credential(version: int = 1) -> Credential:
    return Credential(version, {"token": "secret"})


def ids(attempt: Attempt) -> list[str]:
    found: list[str] = json.loads(attempt.request.body)
    return found


@dataclass
class Bench:
    """Drives a lane as a sender does: a slot, a token, a request; acknowledges what it writes."""

    lane: Lane
    vendor: Vendor
    slots: int = 8
    rate: float = 9.4
    capacity: float = 12.0
    latency: float = 0.05
    allowance: int = 64 << 20
    now: float = START
    version: int = 1
    acknowledges: bool = True
    retries: bool = False
    queue: list[FakeRecord] = field(default_factory=list)
    sent: list[tuple[float, list[str], bool]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    settled: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._bucket = Bucket(self.capacity, self.rate, self.now)
        self._coming: list[tuple[float, int, Attempt, HttpAnswer | HttpFailure]] = []
        self._order = count()
        self._tick_at = self.now
        self._end = 0
        self._log: list[FakeRecord] = []
        self._retrying: list[tuple[float, int, Write]] = []

    def publish(self, records: Iterable[FakeRecord]) -> None:
        for one in records:
            self.queue.append(one)
            self._log.append(one)
            self._end = max(self._end, one.offset + 1)

    def run(self, seconds: float, *, until: Callable[[Bench], bool] | None = None) -> None:
        """Run so long, or until ``until`` holds."""
        end = self.now + seconds
        while self.now <= end and not (until is not None and until(self)):
            while self._step():
                if until is not None and until(self):
                    return
            self.now = max(self.now + 1e-6, min(self._next_at(), end + 1e-3))

    def quiet(self) -> bool:
        waits = self.queue or self._coming or self._retrying
        return not waits and self.lane.view(self.now).waiting == 0

    @property
    def requests(self) -> int:
        return len(self.sent)

    def dead(self) -> dict[str, str]:
        """Event id to reason, of dead letters."""
        return {
            event_id(w.delivery): w.reason for w in self.writes if w.kind is WriteKind.DEAD_LETTER
        }

    def rekey(self, version: int) -> None:
        self.version = version
        self.lane.credential_changed(version, self.now)

    def _step(self) -> bool:
        if self._retrying and self._retrying[0][0] <= self.now:
            self.publish([requeued(heapq.heappop(self._retrying)[2], self._end)])
        if self.queue and self.lane.room(self.allowance):
            part, self.queue = self.queue[:500], self.queue[500:]
            self.lane.add(part, self.now)
            self._let_go()
            return True
        if self._coming and self._coming[0][0] <= self.now:
            _, _, attempt, what = heapq.heappop(self._coming)
            self.lane.answered(attempt, what, self.now)
            self._look_after()
            return True
        if self.now >= self._tick_at:
            self._tick_at = self.now + 10.0
            self.lane.tick(self.now)
            self._look_after()
        return self._send()

    def _send(self) -> bool:
        free = len(self._coming) < self.slots and self._bucket.ready_at() <= self.now + 1e-6
        if not free or self.lane.wake_at(self.now) > self.now:
            return False
        attempt = self.lane.take(self.now, credential(self.version))
        self._look_after()
        if attempt is None:
            return True
        self._bucket.take(self.now)
        what = self.vendor(ids(attempt), self.now)
        self.sent.append((self.now, ids(attempt), attempt.probe))
        if isinstance(what, HttpAnswer) and what == DELIVERED:
            self.accepted.update(ids(attempt))
        at = self.now + (7.0 if isinstance(what, HttpFailure) else self.latency)
        heapq.heappush(self._coming, (at, next(self._order), attempt, what))
        return True

    def _let_go(self) -> None:
        again = self.lane.let_go(self.now)
        if again is not None:
            self.queue = [one for one in self._log if one.offset >= again]

    def _look_after(self) -> None:
        self._let_go()
        if self.acknowledges:
            writes = self.lane.take_writes()
            self.writes.extend(writes)
            self.lane.written(writes, self.now)
            for write in writes if self.retries else ():
                if write.kind is WriteKind.RETRY:
                    due = self.now + (60.0, 600.0, 3600.0)[write.tier]
                    heapq.heappush(self._retrying, (due, next(self._order), write))
        self.note(self.lane.take_tally())

    def note(self, tally: Tally) -> None:
        self.outcomes.update(tally.outcomes)
        self.settled.update(event_id(d) for s in tally.settled for d in s.deliveries)
        self.alerts.extend((a.action, a.reason) for a in tally.alerts)

    def _next_at(self) -> float:
        times = [self._tick_at, *(due for due, _, _ in self._retrying[:1])]
        if self._coming:
            times.append(self._coming[0][0])
        if len(self._coming) < self.slots:
            times.append(max(self.lane.wake_at(self.now), self._bucket.ready_at()))
        return min(times)


def requeued(write: Write, offset: int) -> FakeRecord:
    """What the router makes of a retry record that is due."""
    old = write.delivery.record
    counts = {
        "forwarder-origin": write.delivery.origin,
        "forwarder-attempts": str(write.attempts),
        "forwarder-replays": str(write.delivery.replays),
        "forwarder-retries": str(write.retries),
        "forwarder-first-failed-at": rfc3339(write.first_failed_at),
    }
    headers = [(name, text.encode()) for name, text in counts.items()]
    return FakeRecord(offset, old.value, headers, old.timestamp)


def event_id(delivery: Delivery) -> str:
    found: str = json.loads(delivery.record.value or b"{}").get("id", "?")
    return found
