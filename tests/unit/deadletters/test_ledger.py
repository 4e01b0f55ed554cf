"""What the records of the ledger add up to, whoever wrote them in whatever order."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.deadletters.ledger import (
    Entry,
    Ledger,
    OpenBatch,
    Run,
    life,
    noted,
    purged,
    started,
)
from forwarder.deadletters.marks import Place
from forwarder.kafka.port import Outgoing
from tests.unit.deadletters.build import NOW, stored

TOPIC = "conversions.replays"
AT = Place("conversions.dlq", 1, 7)


def run(run_id: str = "r1", token: str = "t1", source: str = "dlq") -> Run:
    return Run(
        id=run_id,
        source=source,
        topic="conversions.dlq",
        by="jo",
        started_at=NOW,
        token=token,
        alive_at=NOW,
        filters={"account": ["a"]},
        options={"again": True},
        spans={0: (3, 9)},
    )


def batch(run_id: str = "r1", *entries: Entry, name: str = "t1-1") -> OpenBatch:
    return OpenBatch(run_id, name, "a", 40, list(entries or (entry(),)))


def entry(offset: int = 7, *, shared: bool = False) -> Entry:
    return Entry(Place("conversions.dlq", 1, offset), "a", f"conversions/0/{offset}", shared)


def read(records: Sequence[Outgoing], own: str = "") -> Ledger:
    ledger = Ledger(own)
    for offset, outgoing in enumerate(records):
        at = outgoing._replace(timestamp=int(NOW * 1000) + offset)
        ledger.add(stored(at, offset, 0, TOPIC))
    return ledger


def alive(run_id: str = "r1", token: str = "t1", **more: object) -> Outgoing:
    return life(run_id, "alive", NOW, token=token, **more)


def end(run_id: str = "r1", token: str = "t1", outcome: str = "finished") -> Outgoing:
    return life(run_id, "end", NOW + 5, token=token, outcome=outcome, counts={"sent": 3})


# -- runs -----------------------------------------------------------------------------------------
def test_a_run_keeps_what_it_was_started_with() -> None:
    (found,) = read([started(run(), 0, NOW)]).runs.values()
    assert (found.filters, found.options, found.spans) == (
        {"account": ["a"]},
        {"again": True},
        {0: (3, 9)},
    )
    assert (found.by, found.started_at, found.token, found.ended) == ("jo", NOW, "t1", False)


def test_a_run_ends_once_with_its_counts() -> None:
    ledger = read([started(run(), 0, NOW), alive(counts={"sent": 1}), end()])
    found = ledger.runs["r1"]
    assert (found.outcome, found.ended_at, found.counts) == ("finished", NOW + 5, {"sent": 3})
    assert ledger.holders == {}


def test_taken_up_again_it_is_the_same_run_in_another_process() -> None:
    later = run(token="t2")
    later.filters = {}
    ledger = read([started(run(), 0, NOW), end(outcome="stopped"), started(later, 2, NOW + 9)])
    found = ledger.runs["r1"]
    assert (found.token, found.outcome, found.started_at) == ("t2", "", NOW)
    assert found.filters == {"account": ["a"]}


def test_one_process_holds_a_source() -> None:
    """Both had read the empty ledger: the first one has it, for everybody who reads on."""
    ledger = read([started(run(), 0, NOW), started(run("r2", "t2"), 0, NOW)])
    assert ledger.holders["dlq"].token == "t1"
    assert "r2" not in ledger.runs


def test_the_same_run_is_not_taken_up_twice_at_once() -> None:
    records = [
        started(run(), 0, NOW),
        started(run(token="t2"), 1, NOW),
        started(run(token="t3"), 1, NOW),
    ]
    assert read(records).runs["r1"].token == "t2"


def test_a_sign_of_life_voids_a_start_that_had_not_seen_it() -> None:
    records = [started(run(), 0, NOW), alive(), started(run("r2", "t2"), 1, NOW)]
    assert read(records).holders["dlq"].token == "t1"
    records[-1] = started(run("r2", "t2"), 2, NOW)
    assert read(records).holders["dlq"].token == "t2"


def test_who_was_overtaken_cannot_come_back() -> None:
    records = [started(run(), 0, NOW), started(run("r2", "t2"), 1, NOW), alive(), end()]
    ledger = read(records)
    assert ledger.holders["dlq"].token == "t2"
    assert not ledger.runs["r1"].ended


def test_sources_are_held_apart() -> None:
    ledger = read([started(run(), 0, NOW), started(run("r2", "t2", "events"), 0, NOW)])
    assert {name: holder.run for name, holder in ledger.holders.items()} == {
        "dlq": "r1",
        "events": "r2",
    }


def test_a_wish_to_stop_holds_until_the_run_is_taken_up_again() -> None:
    records = [started(run(), 0, NOW), life("r1", "stop", NOW, by="jo")]
    assert read(records).runs["r1"].stop_wanted
    records += [end(outcome="stopped"), started(run(token="t2"), 3, NOW)]
    assert not read(records).runs["r1"].stop_wanted


# -- entries --------------------------------------------------------------------------------------
def test_entries_count_once_their_batch_is_written() -> None:
    records = [started(run(), 0, NOW), *noted(batch("r1", entry(7), entry(8)), NOW)]
    ledger = read(records)
    assert not ledger.sent.has("a", AT)
    (found,) = ledger.open
    assert (found.queue_from, [one.at.offset for one in found.entries]) == (40, [7, 8])
    ledger = read([*records, life("r1", "written", NOW, batch="t1-1", unsent=["conversions/0/8"])])
    assert ledger.sent.has("a", AT)
    assert not ledger.sent.has("a", AT._replace(offset=8))
    assert ledger.open == []


def test_a_runs_own_entries_are_kept_apart_with_their_origins() -> None:
    records = [*noted(batch(), NOW), life("r1", "written", NOW, batch="t1-1")]
    ledger = read([started(run(), 0, NOW), *records], own="r1")
    assert ledger.own.has("a", AT)
    assert ledger.own_origins.has("a", Place("conversions", 0, 7))
    assert not ledger.sent.has("a", AT)


def test_a_record_of_no_account_may_go_to_several() -> None:
    one = entry(shared=True)
    other = one._replace(account="b")
    batches = [batch("r1", one), OpenBatch("r1", "t1-2", "b", 0, [other])]
    keys = [record.key for made in batches for record in noted(made, NOW)]
    assert keys == [b"conversions.dlq/1/7/a", b"conversions.dlq/1/7/b"]
    records = [record for made in batches for record in noted(made, NOW)]
    written = [life("r1", "written", NOW, batch=made.batch) for made in batches]
    ledger = read([started(run(), 0, NOW), *records, *written])
    assert ledger.sent.has("a", AT)
    assert ledger.sent.has("b", AT)


def test_purges_are_kept() -> None:
    ledger = read([purged("p1", "jo", NOW - 9, {"purged": 4}, NOW)])
    (found,) = ledger.purges
    assert (found.by, found.at, found.before, found.counts) == ("jo", NOW, NOW - 9, {"purged": 4})


def test_what_others_write_there_changes_nothing() -> None:
    records = [
        Outgoing(None, None, ()),
        Outgoing(b"run/r1", b"no json", ()),
        Outgoing(b"run/r1", b"[]", ()),
        Outgoing(b"conversions.dlq/1/7", b"{}", ()),
        Outgoing(b"conversions.dlq/1/x", b'{"account":"a"}', ()),
        Outgoing(b"conversions.dlq/1/7/b", b'{"account":"a"}', ()),
        Outgoing(b"\xff", b"\xff", ()),
        life("nobody", "alive", NOW, token="t"),
    ]
    ledger = read(records)
    assert (ledger.runs, ledger.open, len(ledger.sent)) == ({}, [], 0)
    assert ledger.next_offset == len(records)
