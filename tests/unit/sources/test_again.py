"""Records in a tool's format that are looked at again: backfills, dead letters, traces."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli.dlq_show import today_of
from forwarder.deadletters.explain import Today
from forwarder.deadletters.judge import EventJudge, Kind, LetterJudge, Rules
from forwarder.deadletters.ledger import Ledger
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.marks import Marks
from forwarder.event import decode
from forwarder.kafka.port import Headers, Outgoing, TopicPartition
from tests.unit.cli.conftest import Run, forwarder, home, settings
from tests.unit.cli.memory import Cluster, cluster
from tests.unit.deadletters.build import SETTINGS, TRAITS, settings_of
from tests.unit.sources.build import NOW, sample

__all__ = ["cluster", "forwarder", "home", "settings"]
SEGMENT = "kafka: {events_format: segment}\n"
TRACK = sample("segment_track")


@dataclass(frozen=True)
class Kept:
    value: bytes | None
    headers: Headers = ()
    topic: str = "conversions"
    partition: int = 0
    offset: int = 5
    timestamp: int = int(NOW * 1000)
    key: bytes | None = b"k"


def letter(value: bytes, reason: str, *more: tuple[str, bytes]) -> Kept:
    headers = (("forwarder-origin", b"conversions/0/5"), ("forwarder-reason", reason.encode()))
    return Kept(value, (*headers, *more), topic="conversions.dlq", offset=2)


def raw(payload: object) -> bytes:
    return json.dumps(payload).encode()


@pytest.fixture
def today(tmp_path: Path) -> Today:
    return today_of(settings_of(tmp_path, SEGMENT + SETTINGS))


def judged(judge: Any, record: Kept) -> dict[str, Any]:
    return {one.account: one for one in judge.judge(record, NOW)}


def native_id(record: Any) -> str:
    return decode(record.value, {}, NOW).event_id


# -- backfill -------------------------------------------------------------------------------------
def backfill(today: Today) -> EventJudge:
    account = today.accounts["acme-pixel"]
    return EventJudge(today, TRAITS, Rules(), Ledger("r"), "r", account=account, queued=Marks())


def test_a_backfill_puts_events_of_the_schema_into_the_queue(today: Today) -> None:
    found = judged(backfill(today), Kept(raw(TRACK)))["acme-pixel"]
    assert found.kind is Kind.TO_SEND
    outgoing = found.candidate.outgoing()
    assert decode(outgoing.value, {}, NOW).event_id == TRACK["messageId"]
    assert dict(outgoing.headers)["forwarder-origin"] == b"conversions/0/5"


@pytest.mark.parametrize("payload", [sample("segment_identify"), {"type": "track"}, "nonsense"])
def test_a_backfill_passes_over_what_is_no_event(today: Today, payload: object) -> None:
    assert backfill(today).judge(Kept(raw(payload)), NOW) == ()


# -- dead letters ---------------------------------------------------------------------------------
def letters(today: Today) -> LetterJudge:
    return LetterJudge(today, TRAITS, Rules(), Ledger("r"), "r")


def test_an_invalid_record_is_read_again_as_the_tool_wrote_it(today: Today) -> None:
    found = judged(letters(today), letter(raw(TRACK), "invalid_event"))
    assert {name for name, one in found.items() if one.kind is Kind.TO_SEND} == {
        "acme-pixel",
        "acme-ttd",
        "acme-thrad",
    }
    for one in found.values():
        assert native_id(one.candidate.outgoing()) == TRACK["messageId"]


def test_an_unrouted_event_is_one_of_the_schema_already(today: Today) -> None:
    translated, _ = today.of_topic(Kept(raw(TRACK)), NOW)
    found = judged(letters(today), letter(translated.value or b"", "unrouted"))
    assert {one.kind for one in found.values()} == {Kind.TO_SEND}


def test_a_delivery_is_never_read_as_the_tools(today: Today) -> None:
    account = ("forwarder-account", b"acme-pixel")
    found = judged(letters(today), letter(raw(TRACK), "invalid_event", account))
    assert found["acme-pixel"].kind is Kind.INVALID


def test_what_would_become_of_it_now_is_told_for_each_account(today: Today) -> None:
    kept = letter(raw(TRACK), "invalid_event")
    fates = {one.account: one.fate for one in today.outlooks(Letter(kept), NOW)}
    assert fates == {"acme-pixel": "sent", "acme-ttd": "sent", "acme-thrad": "sent"}
    wrong = replace(kept, value=raw({**TRACK, "properties": {"revenue": "lots"}}))
    (outlook,) = today.outlooks(Letter(wrong), NOW)
    assert (outlook.fate, outlook.why.split(":")[0]) == ("invalid", "properties.revenue")


# -- trace ----------------------------------------------------------------------------------------
def test_a_tools_record_is_traced_by_its_events_id(
    forwarder: Run, settings: Path, cluster: Cluster
) -> None:
    settings.write_text(SEGMENT + settings.read_text())
    call = {**TRACK, "timestamp": time.time() - 60}
    cluster.kafka.put(TopicPartition("conversions", 0), [Outgoing(b"k", raw(call), ())])
    ended = forwarder("trace", "--json", TRACK["messageId"], f"--config={settings}")
    assert ended.code == 0, ended.err
    (occurrence,) = ended.json()[0]["occurrences"]
    assert {one["state"] for one in occurrence["accounts"]} == {"waiting"}
    by_order = forwarder("trace", "--json", "--order-id", "T-1004", f"--config={settings}")
    assert by_order.code == 0
