"""The ledger of what was sent again: records of the ``.replays`` topic, and what they add up to.

The topic has one partition, so all agree on the order of its records. Keys:

    run/<id>                        a run's life: started, alive, asked to stop, written, ended
    purge/<id>                      a purge
    <topic>/<partition>/<offset>    one dead letter, before it is written to its queue; with
                                    /<account> behind it where the record belonged to no account

A batch is first noted (its entries), then written to the queue, then *written* is noted. Entries
without that note are open: only the queue can tell whether they got there.

One process at a time holds a source. A *start* says up to where its writer had read the ledger, and
is void when the holder gave a sign of life after that: everybody who reads the topic agrees on who
holds what. Signs of life of anybody else are void, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson

from forwarder.deadletters.marks import Marks, Place, place
from forwarder.kafka.port import Outgoing, Record
from forwarder.kafka.records import from_rfc3339, rfc3339

RUN: Final = "run/"
PURGE: Final = "purge/"


class Entry(NamedTuple):
    """One delivery that a run is about to write. ``origin``: what its record says; ``shared``: the
    record belonged to no account, so that several may get it.
    """

    at: Place
    account: str
    origin: str
    shared: bool


class OpenBatch(NamedTuple):
    """``queue_from``: where the account's queue ended before the batch was written to it."""

    run: str
    batch: str
    account: str
    queue_from: int
    entries: list[Entry]


class Holder(NamedTuple):
    """The process (``token``) that holds a source. ``offset``: of its last sign of life."""

    run: str
    token: str
    offset: int


@dataclass(slots=True)
class Run:
    """A replay, as the ledger tells of it. Times in epoch seconds. ``token``: the process that ran
    it last, ``alive_at`` its last sign of life. ``spans``: partition -> [start, end] of ``topic``.
    """

    id: str
    source: str
    topic: str
    by: str
    started_at: float
    token: str
    alive_at: float
    filters: dict[str, object] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    counts: dict[str, object] = field(default_factory=dict)
    outcome: str = ""
    ended_at: float | None = None
    stop_wanted: bool = False

    @property
    def ended(self) -> bool:
        return self.outcome != ""


@dataclass(slots=True)
class Purge:
    """Dead letters deleted by an operator. ``before`` and ``at``: epoch seconds."""

    by: str
    at: float
    before: float
    counts: dict[str, object]


class Ledger:
    """What the records of the topic add up to. ``own``: the run whose entries are kept apart."""

    def __init__(self, own: str = "") -> None:
        self.runs: dict[str, Run] = {}
        self.holders: dict[str, Holder] = {}
        self.purges: list[Purge] = []
        self.sent = Marks()
        self.own = Marks()
        self.own_origins = Marks()
        self._rounds: list[Marks] = []
        self.next_offset = 0
        self._own = own
        self._open: dict[tuple[str, str], OpenBatch] = {}

    @property
    def open(self) -> Sequence[OpenBatch]:
        """Batches of which nobody noted that they were written."""
        return list(self._open.values())

    def add(self, record: Record) -> None:
        """Read one record; what is none of ours is passed over."""
        self.next_offset = record.offset + 1
        key, value = _text(record.key), _json(record.value)
        if key.startswith(RUN):
            self._life(key.removeprefix(RUN), value, record)
        elif key.startswith(PURGE):
            self._purge(value)
        elif (entry := _entry(key, value)) is not None:
            self._noted(entry, value)

    def mark(self, batch: OpenBatch, unsent: Iterable[str] = ()) -> None:
        """``batch`` is settled: all of it was sent, but for the origins ``unsent``."""
        self._open.pop((batch.run, batch.batch), None)
        missing = set(unsent)
        for entry in batch.entries:
            if entry.origin not in missing:
                self._mark(batch.run, entry)

    def times(self, account: str, origin: str) -> int:
        """How often a record of this origin was sent again to the account."""
        at = place(origin)
        return 0 if at is None else sum(one.has(account, at) for one in self._rounds)

    def _count(self, account: str, at: Place) -> None:
        """The first round is marked first: how many marks there are is how often it was sent."""
        if not any(one.add(account, at) for one in self._rounds):
            self._rounds.append(Marks())
            self._rounds[-1].add(account, at)

    def _mark(self, run: str, entry: Entry) -> None:
        mine, origin = run == self._own, place(entry.origin)
        (self.own if mine else self.sent).add(entry.account, entry.at)
        # What this process wrote it also reads: once is once.
        if origin is not None and (not mine or self.own_origins.add(entry.account, origin)):
            self._count(entry.account, origin)

    def _noted(self, entry: Entry, value: Mapping[str, object]) -> None:
        run, batch = _str(value, "run"), _str(value, "batch")
        known = self._open.get((run, batch))
        if known is None:
            start = _int(value, "queue_from")
            known = OpenBatch(run, batch, entry.account, start, [])
            self._open[run, batch] = known
        known.entries.append(entry)

    def _life(self, run_id: str, value: Mapping[str, object], record: Record) -> None:
        kind, run = _str(value, "kind"), self.runs.get(run_id)
        if kind == "start":
            self._started(run_id, value, record)
        elif run is None:
            return
        elif kind == "written":
            batch = self._open.get((run_id, _str(value, "batch")))
            if batch is not None:
                self.mark(batch, _strings(value.get("unsent")))
        elif kind == "stop":
            run.stop_wanted = True
        else:
            self._alive(run, kind, value, record)

    def _started(self, run_id: str, value: Mapping[str, object], record: Record) -> None:
        """Started, or taken up again by another process: what it is to do stays as it was."""
        source, token, at = _str(value, "source"), _str(value, "token"), record.timestamp / 1000
        holder = self.holders.get(source)
        if holder and holder.token != token and holder.offset >= _int(value, "after"):
            return
        self.holders[source] = Holder(run_id, token, record.offset)
        run = self.runs.get(run_id)
        if run is None:
            run = self.runs[run_id] = Run(
                id=run_id,
                source=source,
                topic=_str(value, "topic"),
                by=_str(value, "by"),
                started_at=_time(value, "at", at),
                token="",
                alive_at=at,
                filters=_dict(value, "filters"),
                options=_dict(value, "options"),
                spans=_spans(_dict(value, "spans")),
            )
        run.token = token
        run.alive_at = at
        run.outcome, run.ended_at, run.stop_wanted = "", None, False

    def _alive(self, run: Run, kind: str, value: Mapping[str, object], record: Record) -> None:
        holder = self.holders.get(run.source)
        if holder is None or holder[:2] != (run.id, _str(value, "token")):
            return
        run.alive_at = record.timestamp / 1000
        run.counts = _dict(value, "counts") or run.counts
        if kind == "end":
            del self.holders[run.source]
            run.outcome = _str(value, "outcome")
            run.ended_at = _time(value, "at", run.alive_at)
        else:
            self.holders[run.source] = holder._replace(offset=record.offset)

    def _purge(self, value: Mapping[str, object]) -> None:
        self.purges.append(
            Purge(
                _str(value, "by"),
                _time(value, "at", 0.0),
                _time(value, "before", 0.0),
                _dict(value, "counts"),
            )
        )


# -- records --------------------------------------------------------------------------------------
def started(run: Run, after: int, now: float) -> Outgoing:
    """The record with which ``run.token`` claims the source. ``after``: the ledger is known up to
    that offset.
    """
    return life(
        run.id,
        "start",
        now,
        source=run.source,
        topic=run.topic,
        by=run.by,
        token=run.token,
        after=after,
        filters=run.filters,
        options=run.options,
        spans={str(partition): span for partition, span in run.spans.items()},
    )


def life(run_id: str, kind: str, now: float, **more: object) -> Outgoing:
    """A record about a run: ``start`` ``alive`` ``stop`` ``written`` ``end``."""
    value = {"kind": kind, "at": rfc3339(now), **more}
    return Outgoing(f"{RUN}{run_id}".encode(), orjson.dumps(value), ())


def noted(batch: OpenBatch, now: float) -> Iterator[Outgoing]:
    """The entries of a batch that is about to be written."""
    for entry in batch.entries:
        value = {
            "run": batch.run,
            "batch": batch.batch,
            "account": entry.account,
            "origin": entry.origin,
            "queue_from": batch.queue_from,
            "at": rfc3339(now),
        }
        key = f"{entry.at}/{entry.account}" if entry.shared else str(entry.at)
        yield Outgoing(key.encode(), orjson.dumps(value), ())


def purged(
    purge_id: str, by: str, before: float, counts: Mapping[str, object], now: float
) -> Outgoing:
    """The record that a purge leaves."""
    value = {"by": by, "before": rfc3339(before), "counts": dict(counts), "at": rfc3339(now)}
    return Outgoing(f"{PURGE}{purge_id}".encode(), orjson.dumps(value), ())


def _entry(key: str, value: Mapping[str, object]) -> Entry | None:
    parts = key.split("/")
    shared = len(parts) == 4  # noqa: PLR2004 - topic, partition, offset, account
    at = place("/".join(parts[:3]))
    account = _str(value, "account")
    if at is None or not account or (shared and parts[3] != account):
        return None
    return Entry(at, account, _str(value, "origin"), shared)


# -- reading what others wrote --------------------------------------------------------------------
def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode(errors="replace")


def _json(raw: bytes | None) -> Mapping[str, object]:
    try:
        value = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _str(value: Mapping[str, object], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _int(value: Mapping[str, object], key: str) -> int:
    found = value.get(key)
    return found if isinstance(found, int) else 0


def _dict(value: Mapping[str, object], key: str) -> dict[str, object]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _time(value: Mapping[str, object], key: str, otherwise: float) -> float:
    try:
        return from_rfc3339(_str(value, key))
    except ValueError:
        return otherwise


def _spans(value: Mapping[str, object]) -> dict[int, tuple[int, int]]:
    found = {}
    for partition, span in value.items():
        match span:
            case [int(start), int(end)] if partition.isdigit():
                found[int(partition)] = (start, end)
    return found
