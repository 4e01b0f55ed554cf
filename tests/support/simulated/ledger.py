"""What really happened, as nobody in the deployment can know it: every record, commit and request.

A *pair* is an event's origin (``topic/partition/offset``) and an account: one delivery of the
promises, whatever records and requests it takes.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from forwarder.http.port import HttpAnswer, HttpFailure
from forwarder.kafka.port import Outgoing, TopicPartition
from tests.support.simulated.loop import current_process

Pair = tuple[str, str]
QUEUE = ".queue."
RETRY = ".retry."
SETTLEMENTS = "settlements"


@dataclass(slots=True)
class Published:
    """A record of the events topic. ``expected``: by account, what must become of it in the end:
    ``deliver``, ``die`` (a dead letter), ``refused`` by the vendor, ``late`` (expired, if it is not
    sent in time), ``wait``, ``skip``; ``maybe`` at an account that not every router knows.
    ``dies``: reason of its dead letter where no account gets it; ``account``: as that names it.
    """

    event_id: str
    origin: str
    at: float
    expected: Mapping[str, str] = field(default_factory=dict)
    dies: str | None = None
    account: str = ""


class Queued(NamedTuple):
    """A record of a queue or retry topic. ``number`` counts the records of all topics."""

    origin: str
    account: str
    number: int
    fresh: bool
    writer: str


class Dead(NamedTuple):
    reason: str
    code: str
    writer: str


class Claim(NamedTuple):
    """A record of the settlements topic."""

    account: str
    origin: str
    outcome: str


@dataclass(slots=True)
class Sent:
    """One request. ``taken``: the events that the vendor kept; ``ended``: what its sender saw."""

    replica: str
    account: str
    credential: str
    event_ids: tuple[str, ...]
    at: float
    arrived: float | None = None
    taken: tuple[str, ...] = ()
    accepted: bool = False
    refused: bool = False
    ended: HttpAnswer | HttpFailure | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether its sender had to send its events again, although the vendor kept them."""
        return bool(self.taken) and self.ended is not None and not self.clean

    @property
    def clean(self) -> bool:
        return self.accepted and isinstance(self.ended, HttpAnswer)


@dataclass(slots=True)
class Tenure:
    """One member's time with one partition. ``clean``: it gave it back in order."""

    replica: str
    clean: bool = False


class Ledger:
    """``now``: seconds of the run. ``say``: called with each line of the trace."""

    def __init__(self, now: Callable[[], float], events_topic: str) -> None:
        self.now = now
        self.events_topic = events_topic
        self.published: dict[str, Published] = {}
        self.by_event: dict[str, Published] = {}
        self.records: dict[TopicPartition, list[Queued | None]] = defaultdict(list)
        self.in_queue: dict[Pair, list[Queued]] = defaultdict(list)
        self.in_retry: dict[Pair, list[Queued]] = defaultdict(list)
        self.dead: dict[Pair, list[Dead]] = defaultdict(list)
        self.sent: list[Sent] = []
        self.requests: dict[Pair, list[Sent]] = defaultdict(list)
        self.unsure: Counter[Pair] = Counter()
        """Records whose write was not acknowledged, so that they were written again."""
        self.lost_to_senders: Counter[Pair] = Counter()
        """Times that a pair's queue lost its owner while the pair was above the watermark."""
        self.lost_to_routers: Counter[str] = Counter()
        self.committed: dict[TopicPartition, int] = {}
        self.routed_uncommitted: list[tuple[str, int]] = []
        self.losses: list[tuple[float, str, str]] = []
        self.commits: dict[tuple[str, str], float] = {}
        """By group and replica: when its last commit was accepted."""
        self.broken: set[str] = set()
        """Replicas with a producer that cannot go on."""
        self.open: Counter[tuple[str, str]] = Counter()
        """Requests that a replica waits for, by account."""
        self.violations: list[str] = []
        self.trace: list[str] = []
        self._hash = hashlib.sha256()
        self._number = 0

    # -- telling --------------------------------------------------------------------------------
    def say(self, what: str, *details: object) -> None:
        line = f"{self.now():10.3f} {what} " + " ".join(str(detail) for detail in details)
        self._hash.update(line.encode() + b"\n")
        self.trace.append(line)

    def break_(self, rule: str, *details: object) -> None:
        """A promise is broken."""
        self.say("BROKEN", rule, *details)
        if len(self.violations) < 20:
            text = " ".join(str(detail) for detail in details)
            self.violations.append(f"at {self.now():.3f}: {rule}: {text}")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    # -- Kafka ----------------------------------------------------------------------------------
    def publish(self, event: Published) -> None:
        self.published[event.origin] = event
        self.by_event[event.event_id] = event
        self.say("published", event.origin, event.event_id)

    def appended(self, at: TopicPartition, offset: int, records: Sequence[Outgoing]) -> None:
        owner = current_process()
        writer = "" if owner is None else owner.name
        for record in records:
            self._append(at, record, writer)
        if writer:
            self.say("appended", f"{at.topic}/{at.partition}/{offset}", len(records), writer)

    def _append(self, at: TopicPartition, record: Outgoing, writer: str) -> None:
        self._number += 1
        headers = {name: (value or b"").decode() for name, value in record.headers}
        origin = headers.get("forwarder-origin", "")
        account = headers.get("forwarder-account", "")
        fresh = "forwarder-attempts" not in headers
        noted: Queued | None = None
        if QUEUE in at.topic:
            account = at.topic.rpartition(QUEUE)[2]
            noted = Queued(origin, account, self._number, fresh, writer)
            self.in_queue[origin, account].append(noted)
        elif RETRY in at.topic:
            noted = Queued(origin, account, self._number, fresh, writer)
            self.in_retry[origin, account].append(noted)
        elif at.topic.endswith(".dlq"):
            found = headers.get("forwarder-reason", ""), headers.get("forwarder-code", "")
            self.dead[origin, account].append(Dead(*found, writer))
        elif record.value is not None and at.topic == SETTLEMENTS:
            told = orjson.loads(record.value)
            self._claimed(Claim(told["account"], told["origin"], told["outcome"]))
        self.records[at].append(noted)

    def _claimed(self, claim: Claim) -> None:
        """What the deployment says of a delivery must be so by then."""
        pair = (claim.origin, claim.account)
        expected = self.published[claim.origin].expected.get(claim.account)
        match claim.outcome:
            case "delivered":
                true = bool(self.takes(pair))
            case "dead_lettered":
                true = bool(self.dead.get(pair))
            case _:
                true = expected == "skip"
        if not true:
            self.break_("a false settlement", *claim)

    def write_unsure(self, topic: str, records: Sequence[Outgoing]) -> None:
        """A write ended without its acknowledgement; whoever wrote it writes again."""
        for record in records:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            account = headers.get("forwarder-account", "")
            if QUEUE in topic:
                account = topic.rpartition(QUEUE)[2]
            self.unsure[headers.get("forwarder-origin", ""), account] += 1

    # -- groups ---------------------------------------------------------------------------------
    def lost(self, at: TopicPartition, replica: str, committed: int) -> int:
        """``replica`` lost a partition without giving it back in order. How many records of it a
        router had written on, but not committed.
        """
        self.losses.append((self.now(), replica, f"{at.topic}/{at.partition}"))
        self.say("lost", f"{at.topic}/{at.partition}", replica, "at", committed)
        if QUEUE in at.topic:
            for record in self.records[at][committed:]:
                if record is not None and self._was_touched(record):
                    self.lost_to_senders[record.origin, record.account] += 1
            return 0
        written = 0
        for offset in range(committed, len(self.records[at])):
            where = f"{at.topic}/{at.partition}/{offset}"
            self.lost_to_routers[where] += 1
            written += self._written_on(where, self.records[at][offset], replica)
        return written

    def _written_on(self, where: str, record: Queued | None, replica: str) -> bool:
        """Whether ``replica`` wrote what follows from a record of the events or a retry topic."""
        if record is not None:
            pairs = [(record.origin, record.account)]
        else:
            pairs = [(where, account) for account in self.published[where].expected]
        number = -1 if record is None else record.number
        queued = (one for pair in pairs for one in self.in_queue.get(pair, ()))
        dead = (one for pair in [*pairs, (where, "")] for one in self.dead.get(pair, ()))
        return any(one.number > number and one.writer == replica for one in queued) or (
            record is None and any(one.writer == replica for one in dead)
        )

    def _was_touched(self, record: Queued) -> bool:
        pair = (record.origin, record.account)
        later = (retry.number > record.number for retry in self.in_retry[pair])
        return bool(self.requests[pair]) or any(later) or bool(self.dead[pair])

    # -- vendors --------------------------------------------------------------------------------
    def left(self, sent: Sent) -> None:
        """A request leaves its replica."""
        self.sent.append(sent)
        for event_id in sent.event_ids:
            event = self.by_event.get(event_id)
            if event is None:
                self.break_("sent an event that nobody published", sent.account, event_id)
            else:
                self.requests[event.origin, sent.account].append(sent)
        self.open[sent.replica, sent.account] += 1
        self.say("sent", sent.replica, sent.account, *sent.event_ids)

    def takes(self, pair: Pair) -> list[Sent]:
        """Requests that delivered this pair, in the order in which they left."""
        found = self.requests.get(pair, ())
        event_id = self.published[pair[0]].event_id
        return [sent for sent in found if event_id in sent.taken]
