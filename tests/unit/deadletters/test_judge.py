"""Who may get a dead letter, or an event, once more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forwarder.deadletters.judge import EventJudge, Judge, Judgement, Kind, LetterJudge, Rules
from forwarder.deadletters.ledger import Entry, Ledger, OpenBatch
from forwarder.deadletters.marks import Marks, Place
from forwarder.deadletters.query import Filters
from forwarder.kafka.port import Outgoing, Record
from forwarder.kafka.records import read_progress
from forwarder.settings import Settings
from tests.unit.deadletters.build import (
    DLQ,
    NOW,
    SETTINGS,
    TRAITS,
    dead,
    event,
    published,
    settings_of,
    stored,
    today_of,
)

DAY = 86_400.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def letters(settings: Settings, ledger: Ledger | None = None, **rules: Any) -> LetterJudge:
    today = today_of(settings)
    return LetterJudge(today, TRAITS, Rules(**rules), ledger or Ledger("r1"), "r1")


def kinds(judge: Judge, record: Record | Outgoing) -> list[tuple[str, str]]:
    stored_record = stored(record) if isinstance(record, Outgoing) else record
    return [(j.kind.value, j.account) for j in judge.judge(stored_record, NOW)]


def only(found: Any) -> Judgement:
    (one,) = found
    assert isinstance(one, Judgement)
    return one


# -- dead letters ---------------------------------------------------------------------------------
def test_only_the_account_that_failed_gets_it_with_a_fresh_start(settings: Settings) -> None:
    made = dead(replays=1)
    judgement = only(letters(settings).judge(stored(made, offset=4), NOW))
    assert judgement.kind is Kind.TO_SEND
    assert judgement.candidate is not None
    assert judgement.candidate.entry.at == Place(DLQ, 0, 4)
    outgoing = judgement.candidate.outgoing()
    assert (outgoing.key, outgoing.value, outgoing.timestamp) == (made.key, made.value, None)
    progress = read_progress(stored(outgoing))
    assert (progress.attempts, progress.retries, progress.replays) == (0, 0, 2)
    assert (progress.run, progress.origin, progress.account) == ("r1", "conversions/0/1", None)
    names = {name for name, _ in outgoing.headers}
    assert "forwarder-reason" not in names
    assert "forwarder-account" not in names


def test_a_letter_that_no_filter_means_is_none(settings: Settings) -> None:
    assert kinds(letters(settings, filters=Filters(account=("acme-ttd",))), dead()) == []


@pytest.mark.parametrize(
    ("letter", "kind"),
    [
        (dead(account="gone"), "unknown_account"),
        (dead(event_time=NOW - 29 * DAY), "expired"),
        (dead(event_time=NOW - 3 * DAY), "duplicates_refused"),
        (dead(event_time=NOW - 2 * DAY + 1), "to_send"),
        (dead(account="acme-ttd", event_time=NOW - DAY - 1), "expired"),
        (dead(account="acme-thrad", event_time=NOW - 20 * DAY), "to_send"),
        (dead(replays=3), "max_replays_reached"),
        (dead(replays=2), "to_send"),
        (dead(reason="oversize")._replace(value=None), "still_invalid"),
        (dead(value=b"no json", described=False), "still_invalid"),
        (dead(reason="invalid_event", value=b"{}"), "still_invalid"),
        (dead(reason="invalid_event"), "to_send"),
    ],
)
def test_one_account(settings: Settings, letter: Outgoing, kind: str) -> None:
    assert [found for found, _ in kinds(letters(settings), letter)] == [kind]


def test_what_the_options_allow(settings: Settings) -> None:
    late = dead(event_time=NOW - 3 * DAY)
    assert kinds(letters(settings, allow_duplicates=True), late) == [("to_send", "acme-pixel")]
    assert kinds(letters(settings, max_replays=4), dead(replays=3)) == [("to_send", "acme-pixel")]


def test_headers_that_are_not_ours_are_no_dead_letter(settings: Settings) -> None:
    broken = dead()._replace(headers=[("forwarder-account", b"acme-pixel")])
    assert kinds(letters(settings), broken) == [("malformed", "")]


def test_a_paused_account_gets_nothing(tmp_path: Path) -> None:
    text = SETTINGS.replace("acme-pixel: {", "acme-pixel: {state: paused, ")
    assert kinds(letters(settings_of(tmp_path, text)), dead()) == [("paused", "acme-pixel")]


# -- sent before ----------------------------------------------------------------------------------
def test_what_an_earlier_run_has_sent_needs_again(settings: Settings) -> None:
    ledger = Ledger("r1")
    ledger.sent.add("acme-pixel", Place(DLQ, 0, 0))
    assert kinds(letters(settings, ledger), dead()) == [("replayed_before", "acme-pixel")]
    assert kinds(letters(settings, ledger, again=True), dead()) == [("to_send", "acme-pixel")]
    assert kinds(letters(settings, ledger), dead(account="acme-ttd")) == [("to_send", "acme-ttd")]


def test_the_cap_holds_for_again_too(settings: Settings) -> None:
    """The first dead letter of an event does not know of the rounds that came after it."""
    ledger = Ledger("r1")
    entry = Entry(Place(DLQ, 0, 0), "acme-pixel", "conversions/0/1", shared=False)
    for run in ("a", "b", "c"):
        assert kinds(letters(settings, ledger, again=True), dead()) == [("to_send", "acme-pixel")]
        assert kinds(events(settings, ledger=ledger, again=True), published(1))[0][0] == "to_send"
        ledger.mark(OpenBatch(run, "b", "acme-pixel", 0, [entry]))
    capped = [("max_replays_reached", "acme-pixel")]
    assert kinds(letters(settings, ledger, again=True), dead()) == capped
    assert kinds(events(settings, ledger=ledger, again=True), published(1)) == capped
    more = letters(settings, ledger, again=True, max_replays=4)
    assert kinds(more, dead()) == [("to_send", "acme-pixel")]
    other = published(2)
    assert kinds(events(settings, ledger=ledger), other) == [("to_send", "acme-pixel")]


def test_what_this_run_has_sent_is_not_sent_again_at_all(settings: Settings) -> None:
    ledger = Ledger("r1")
    ledger.own.add("acme-pixel", Place(DLQ, 0, 0))
    assert kinds(letters(settings, ledger, again=True), dead()) == [("sent", "acme-pixel")]


def test_two_letters_about_one_delivery_are_one(settings: Settings) -> None:
    """A sender that was killed writes a dead letter twice."""
    judge = letters(settings)
    first = only(judge.judge(stored(dead(), offset=0), NOW)).candidate
    assert first is not None
    judge.take(first)
    assert only(judge.judge(stored(dead(), offset=0), NOW)).kind is Kind.SENT
    assert only(judge.judge(stored(dead(), offset=1), NOW)).kind is Kind.REPEATED
    other = stored(dead(account="acme-ttd"), offset=2)
    assert only(judge.judge(other, NOW)).kind is Kind.TO_SEND


# -- records of no account ------------------------------------------------------------------------
def whole(**more: Any) -> Outgoing:
    return dead(account=None, reason="invalid_event", code="local.invalid_event", **more)


def test_an_invalid_event_is_refused_while_it_is_invalid(settings: Settings) -> None:
    bad = json.dumps(event(value=-1)).encode()
    assert kinds(letters(settings), whole(value=bad)) == [("still_invalid", "")]
    assert kinds(letters(settings), whole(value=b"no json", described=False)) == [
        ("still_invalid", "")
    ]


def test_once_valid_it_goes_where_it_belongs_today(settings: Settings) -> None:
    assert kinds(letters(settings), whole()) == [
        ("to_send", "acme-pixel"),
        ("to_send", "acme-ttd"),
        ("to_send", "acme-thrad"),
    ]
    plain = {"destinations": ["thrad"], "click_ids": None}
    assert kinds(letters(settings), whole(**plain)) == [("skipped", "acme-thrad")]


def test_an_unrouted_event_is_refused_while_nobody_takes_it(settings: Settings) -> None:
    letter = dead(account=None, reason="unrouted", advertiser="nobody")
    assert kinds(letters(settings), letter) == [("still_unrouted", "")]


def test_each_account_of_it_has_its_own_entry(settings: Settings) -> None:
    ledger = Ledger("r1")
    ledger.sent.add("acme-ttd", Place(DLQ, 0, 0))
    judgements = letters(settings, ledger).judge(stored(whole()), NOW)
    assert [j.kind.value for j in judgements] == ["to_send", "replayed_before", "to_send"]
    assert all(j.candidate.entry.shared for j in judgements if j.candidate is not None)


# -- events ---------------------------------------------------------------------------------------
def events(
    settings: Settings,
    account: str = "acme-pixel",
    *,
    queued: Marks | None = None,
    ledger: Ledger | None = None,
    **rules: Any,
) -> EventJudge:
    today = today_of(settings)
    return EventJudge(
        today,
        TRAITS,
        Rules(**rules),
        ledger or Ledger("r1"),
        "r1",
        account=today.accounts[account],
        queued=queued or Marks(),
    )


def test_an_event_for_the_account_is_sent_as_a_replay(settings: Settings) -> None:
    judgement = only(events(settings).judge(published(offset=9), NOW))
    assert judgement.candidate is not None
    assert judgement.candidate.entry.shared
    progress = read_progress(stored(judgement.candidate.outgoing()))
    assert (progress.origin, progress.run, progress.replays) == ("conversions/0/9", "r1", 1)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (published(advertiser="nobody"), []),
        (published(destinations=["thrad"]), []),
        (published(value=-1), []),
        (replace(published(), value=None), []),
        (published(user={}), ["skipped"]),
        (published(event_time=NOW - 29 * DAY), ["expired"]),
        (published(event_time=NOW - 3 * DAY), ["duplicates_refused"]),
    ],
)
def test_events_that_are_not_sent(settings: Settings, record: Record, expected: list[str]) -> None:
    assert [kind for kind, _ in kinds(events(settings), record)] == expected


def test_events_are_filtered(settings: Settings) -> None:
    judge = events(settings, filters=Filters(event_id=("e2",)))
    assert kinds(judge, published(1)) == []
    assert kinds(judge, published(2)) == [("to_send", "acme-pixel")]


def test_an_earlier_resend_needs_again(settings: Settings) -> None:
    ledger = Ledger("r1")
    ledger.sent.add("acme-pixel", Place("conversions", 0, 1))
    assert kinds(events(settings, ledger=ledger), published(1)) == [
        ("replayed_before", "acme-pixel")
    ]
    assert kinds(events(settings, ledger=ledger, again=True), published(1)) == [
        ("to_send", "acme-pixel")
    ]


def test_a_vendor_that_drops_no_repeats_gets_none(settings: Settings) -> None:
    """What its queue has seen may have been counted."""
    queued = Marks()
    queued.add("acme-ttd", Place("conversions", 0, 1))
    judge = events(settings, "acme-ttd", queued=queued)
    assert kinds(judge, published(1)) == [("duplicates_refused", "acme-ttd")]
    assert kinds(judge, published(2)) == [("to_send", "acme-ttd")]
    allowed = events(settings, "acme-ttd", queued=queued, allow_duplicates=True)
    assert kinds(allowed, published(1)) == [("to_send", "acme-ttd")]
