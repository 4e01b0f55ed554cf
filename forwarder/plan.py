"""What a router makes of the records it polled: queue records, dead letters, counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from forwarder.destinations.contract import Account
from forwarder.event import ConversionEvent, InvalidEvent, peek
from forwarder.kafka.port import Outgoing, Record
from forwarder.kafka.records import (
    MalformedHeaders,
    Progress,
    Trouble,
    coordinates,
    destination_of,
    event_headers,
    failed,
    fresh,
    oversize,
    read_progress,
    requeued,
    troubled,
)
from forwarder.lane.ahead import Ahead
from forwarder.routing import Route
from forwarder.sources.reading import TopicTranslator


class Decode(Protocol):
    """``forwarder.event.decode`` with the advertisers' defaults bound."""

    def __call__(
        self, value: bytes | None, *, now: float, appended_at: float | None
    ) -> ConversionEvent: ...


@dataclass(slots=True)
class Plan:
    """All that follows from a poll batch. It settles as a whole: written, then committed.

    ``queued`` is by account; ``records`` counts records by (topic, what became of it), ``skipped``
    and ``dead_lettered`` count deliveries by (account, reason), ``whole_dead`` dead letters of no
    account by reason; ``dropped_fields`` by path.
    """

    queued: dict[str, list[Outgoing]] = field(default_factory=dict)
    dead: list[Outgoing] = field(default_factory=list)
    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead_lettered: Counter[tuple[str, str]] = field(default_factory=Counter)
    whole_dead: Counter[str] = field(default_factory=Counter)
    unknown_fields: int = 0
    dropped_fields: Counter[str] = field(default_factory=Counter)


class Planner:
    """Plans poll batches for one settings file. ``unrouted_dies``: an event that no account's
    advertiser list names becomes a dead letter (else it is only counted). ``translator``: of an
    events topic in a tool's format. What cannot be read there is dead-lettered as it came; all
    else goes on as an event of the schema. ``ahead``: takes items for lanes of this process.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        route: Callable[[ConversionEvent], Route],
        decode: Decode,
        *,
        unrouted_dies: bool,
        translator: TopicTranslator | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self._accounts = accounts
        self._route = route
        self._decode = decode
        self._unrouted_dies = unrouted_dies
        self._translator = translator
        self._ahead = ahead or Ahead(0)

    def events(self, records: Sequence[Record], now: float, plan: Plan) -> None:
        """Plan records of the events topic."""
        for record in records:
            self._event(record, now, plan)

    def retries(self, records: Sequence[Record], now: float, plan: Plan) -> None:
        """Plan records of a retry topic whose delay is over: each joins the end of its queue."""
        for record in records:
            self._retry(record, now, plan)

    def oversize(self, outgoing: Outgoing, now: float, account: str | None) -> Outgoing:
        """The dead letter of a record that its topic refuses."""
        bound = None if account is None else self._accounts[account].settings.destination
        return oversize(outgoing, now, account, bound, describe_unread(outgoing.value))

    def _event(self, record: Record, now: float, plan: Plan) -> None:
        try:
            read = self._read(record, now, plan)
        except InvalidEvent as invalid:
            trouble = Trouble(invalid.reason, f"local.{invalid.reason}", str(invalid))
            keep_value = invalid.reason != "oversize"
            told = describe_unread(invalid.translated or record.value)
            self._bury(record, Progress(coordinates(record)), trouble, told, now, plan, keep_value)
            return
        if read is None:
            return
        record, event = read
        plan.unknown_fields += len(event.unknown_fields())
        route = self._route(event)
        plan.unknown_fields += route.unknown
        if route.unrouted:
            self._unrouted(record, event, now, plan)
            return
        for account in route.not_targeted:
            plan.skipped[account, "not_targeted"] += 1
        queued = self._queue(record, event, route.accounts, now, plan)
        plan.records[record.topic, "routed" if queued else "skipped"] += 1
        for path in event.dropped:
            plan.dropped_fields[path] += 1

    def _read(
        self, record: Record, now: float, plan: Plan
    ) -> tuple[Record, ConversionEvent] | None:
        """The record with the event as the schema has it, and that event; ``None``: it is of a
        kind that holds none. Raises ``InvalidEvent``.
        """
        at = record.timestamp / 1000
        if self._translator is None:
            return record, self._decode(record.value, now=now, appended_at=at)
        read = self._translator.read(
            record, lambda value: self._decode(value, now=now, appended_at=at)
        )
        if read is None:
            plan.records[record.topic, "no_event"] += 1
            return None
        plan.unknown_fields += read.unplaced
        return read.record, read.event

    def _queue(
        self, record: Record, event: ConversionEvent, names: Sequence[str], now: float, plan: Plan
    ) -> bool:
        """Whether any account takes it."""
        outgoing: Outgoing | None = None
        judge = self._ahead.judge
        for name in names:
            skipped = judge(self._accounts[name], event, record.value, now)
            if skipped is not None:
                plan.skipped[name, skipped.reason] += 1
                continue
            outgoing = outgoing or fresh(record, event.event_time, now)
            queue = plan.queued.get(name)
            if queue is None:
                queue = plan.queued[name] = []
            queue.append(outgoing)
        return outgoing is not None

    def _unrouted(self, record: Record, event: ConversionEvent, now: float, plan: Plan) -> None:
        if not self._unrouted_dies:
            plan.records[record.topic, "unrouted"] += 1
        else:
            trouble = Trouble(
                "unrouted", "local.unrouted", "no account lists the event's advertiser"
            )
            origin = Progress(coordinates(record))
            self._bury(record, origin, trouble, describe(event), now, plan)

    def _retry(self, record: Record, now: float, plan: Plan) -> None:
        try:
            progress, destination = read_progress(record), destination_of(record)
        except MalformedHeaders as malformed:
            trouble = Trouble("invalid_event", "local.malformed_headers", str(malformed))
            told = describe_unread(record.value)
            self._bury(record, Progress(coordinates(record)), trouble, told, now, plan)
            return
        account = progress.account
        if account is None or account not in self._accounts:
            trouble = Trouble("unknown_account", "local.unknown_account", "no such account now")
            told = self._described(record, now)
            self._bury(record, progress, trouble, told, now, plan, destination=destination)
            return
        plan.records[record.topic, "requeued"] += 1
        plan.queued.setdefault(account, []).append(requeued(record, progress))

    def _described(self, record: Record, now: float) -> dict[str, str]:
        try:
            at = record.timestamp / 1000
            return describe(self._decode(record.value, now=now, appended_at=at))
        except InvalidEvent:
            return describe_unread(record.value)

    def _bury(
        self,
        record: Record,
        progress: Progress,
        trouble: Trouble,
        described: Mapping[str, str],
        now: float,
        plan: Plan,
        keep_value: bool = True,
        destination: str | None = None,
    ) -> None:
        plan.records[record.topic, trouble.reason] += 1
        if progress.account is None:
            plan.whole_dead[trouble.reason] += 1
        else:
            plan.dead_lettered[progress.account, trouble.reason] += 1
        plan.dead.append(
            troubled(
                record,
                failed(progress, now),
                trouble,
                destination=destination,
                described=described,
                keep_value=keep_value,
            )
        )


def describe(event: ConversionEvent) -> dict[str, str]:
    """The headers by which a dead letter of this event is found again."""
    return event_headers(
        event_id=event.event_id,
        event_name=event.event_name,
        event_time=event.event_time,
        advertiser=event.advertiser,
        order_id=event.order_id,
    )


def describe_unread(value: bytes | None) -> dict[str, str]:
    """The same of a record that is no valid event: what can be read of it all the same."""
    return event_headers(**peek(value)._asdict())
