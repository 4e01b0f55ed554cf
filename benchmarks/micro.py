"""What each step costs by itself, in microseconds of CPU for one event. No broker, no network.

    python -m benchmarks.micro [name part]...

Every step runs over the same 2,000 events, several times in turn with all the others; the least of
the times counts, since whatever else runs on the machine only ever adds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from benchmarks import bare
from benchmarks.events import DEFAULTS, stream
from forwarder.cli.run import GARBAGE
from forwarder.consent import ConsentPolicy
from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account
from forwarder.event import decode, decode_checked
from forwarder.http.port import HttpAnswer
from forwarder.kafka.port import Outgoing, Record
from forwarder.kafka.producer import BATCH_BYTES, _built, _Call
from forwarder.lane.ahead import Ahead
from forwarder.lane.lane import Lane, LaneSettings
from forwarder.plan import Plan, Planner
from forwarder.routing import Routing

NUMBER = 2000
ROUNDS = 15
NOW = time.time()
EVENTS, QUEUE = TopicPartition("conversions", 3), TopicPartition("conversions.queue.a", 0)
IDS: Mapping[str, Mapping[str, Any]] = {
    "tiktok": {"event_source_id": "C4ABCDEFGHIJ", "access_token": "secret"},
    "tradedesk": {"advertiser_id": "abc1234", "tracker_id": "tr1", "secret_key": "secret"},
    "thrad": {"api_key": "secret"},
}
SECRETS = {"access_token": "secret", "secret_key": "secret", "api_key": "secret"}
OK = HttpAnswer(200, {}, b'{"code":0,"message":"OK","request_id":"r","status":"ok"}')
Step = Callable[[], object]


def account(kind: str) -> Account:
    """An account of this kind, as its settings file would make it."""
    destination = DESTINATIONS[kind]
    settings = destination.settings_model.model_validate(
        {"destination": kind, "advertisers": ["*"], **IDS[kind]}
    )
    return destination.account(kind, settings, ConsentPolicy())


def wire(records: Sequence[Outgoing]) -> list[bytes]:
    """Record batches as a broker sends them."""
    call = _Call(QUEUE.topic, records)
    built = _built(call, [(range(len(records)), 0)], BATCH_BYTES)
    return [bytes(batch.builder._build()) for batch in built]  # noqa: SLF001 - as the producer does


def read(partition: TopicPartition, batches: Sequence[bytes]) -> list[Record]:
    """What the consumer makes of them."""
    found: list[Record] = []
    for offset, batch in enumerate(batches):
        records = MemoryRecords(batch)
        found += PartitionRecords(partition, records, [], offset, None, None, True, 1)
    return found


def renumbered(records: Sequence[Record]) -> list[Record]:
    """As one partition has them: each batch of a benchmark starts at 0."""
    names = ("topic", "partition", "timestamp", "key", "value", "headers")
    return [
        SimpleNamespace(offset=offset, **{name: getattr(record, name) for name in names})
        for offset, record in enumerate(records)
    ]


class Steps:
    """Prepares what each step starts from."""

    def __init__(self) -> None:
        self.values = [value for _, value in stream(NUMBER)]
        published = [Outgoing(value[34:60], value, (), int(NOW * 1000)) for value in self.values]
        self.events_wire = wire(published)
        self.events = renumbered(read(EVENTS, self.events_wire))
        self.accounts = {kind: account(kind) for kind in IDS}
        plan = Plan()
        self.planner({"tiktok"}).events(self.events, NOW, plan)
        self.queued = plan.queued["tiktok"]
        self.queue_wire = wire(self.queued)
        self.queue = renumbered(read(QUEUE, self.queue_wire))
        self.ahead = Ahead(64 << 20)

    def planner(self, kinds: set[str], ahead: Ahead | None = None) -> Planner:
        accounts = {kind: self.accounts[kind] for kind in kinds}

        def read_event(value: bytes | None, *, now: float, appended_at: float | None) -> Any:
            return decode(value, DEFAULTS, now, appended_at)

        return Planner(accounts, Routing(accounts), read_event, unrouted_dies=True, ahead=ahead)

    def lane(self, kind: str, ahead: Ahead | None = None) -> Lane:
        settings = LaneSettings(8, 43_200.0, (100_000.0,))
        trusted = partial(decode_checked, advertisers=DEFAULTS)
        shelf = None if ahead is None else ahead.open(kind, NOW)
        traits = DESTINATIONS[kind].traits
        random = Random(1)
        return Lane(self.accounts[kind], traits, settings, trusted, NOW, random=random, shelf=shelf)

    # -- steps ----------------------------------------------------------------------------------
    def each(self, function: Callable[[bytes], object]) -> None:
        for value in self.values:
            function(value)

    def plan(self) -> None:
        self.planner({"tiktok"}).events(self.events, NOW, Plan())

    def cycle(self, kind: str) -> None:
        """A lane: records in, requests out, answers in."""
        _drain(self.lane(kind), self.queue)

    def together(self) -> None:
        """All that one process does for an event of one account, but for the sockets."""
        lane = self.lane("tiktok", self.ahead)
        plan = Plan()
        self.planner({"tiktok"}, self.ahead).events(read(EVENTS, self.events_wire), NOW, plan)
        wire(plan.queued["tiktok"])
        read(QUEUE, self.queue_wire)
        _drain(lane, self.queue)

    def bare(self) -> None:
        """The same of the bare loop."""
        items = [
            bare.mapped(bare.Event.model_validate_json(record.value or b""))
            for record in read(EVENTS, self.events_wire)
        ]
        bare.body_of(items)

    def window(self) -> None:
        lane = self.lane("tiktok")
        lane.add(self.queue, NOW)

    def all(self) -> Iterator[tuple[str, Step]]:
        checked = partial(decode_checked, advertisers=DEFAULTS)
        yield "bare: validate", lambda: self.each(bare.Event.model_validate_json)
        yield "bare: validate, map", self._bare_map
        yield "bare: all but the sockets", self.bare
        yield "decode", lambda: self.each(partial(decode, advertisers=DEFAULTS, now=NOW))
        yield "decode_checked", lambda: self.each(checked)
        for kind, one in self.accounts.items():
            yield f"decode_checked, prepare: {kind}", partial(self._prepared, one)
            yield f"lane, nothing made ahead: {kind}", partial(self.cycle, kind)
        yield "kafka: read events", lambda: read(EVENTS, self.events_wire)
        yield "kafka: read a queue", lambda: read(QUEUE, self.queue_wire)
        yield "kafka: build batches", lambda: wire(self.queued)
        yield "plan", self.plan
        yield "window: add", self.window
        yield "all but the sockets", self.together

    def _bare_map(self) -> None:
        self.each(lambda value: bare.mapped(bare.Event.model_validate_json(value)))

    def _prepared(self, one: Account) -> None:
        for value in self.values:
            one.prepare(decode_checked(value, DEFAULTS))


def _drain(lane: Lane, records: Sequence[Record]) -> None:
    credential = Credential(1, SECRETS)
    lane.add(records, NOW)
    now = NOW + 1
    while (attempt := lane.take(now, credential)) is not None:
        lane.answered(attempt, OK, now)
        lane.take_tally()


def measured(wanted: Sequence[str] = ()) -> dict[str, float]:
    """Microseconds for one event, by step."""
    steps = [(n, s) for n, s in Steps().all() if not wanted or any(part in n for part in wanted)]
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    least = dict.fromkeys((name for name, _ in steps), float("inf"))
    for _ in range(ROUNDS):
        for name, step in steps:
            before = time.process_time()
            step()
            least[name] = min(least[name], time.process_time() - before)
    return {name: seconds / NUMBER * 1e6 for name, seconds in least.items()}


if __name__ == "__main__":
    for name, microseconds in measured(sys.argv[1:]).items():
        print(f"{name:40} {microseconds:7.2f} µs")
