"""``send``: one request an event, and what the vendor said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import SETTINGS, Run, Vendor, event, jsonl


@pytest.fixture
def towards(settings: Path, vendor: Vendor) -> Path:
    """Settings whose vendors are all ``vendor``."""
    settings.write_text(SETTINGS.replace("http://127.0.0.1:1", vendor.url))
    return settings


def test_a_delivered_event(forwarder: Run, towards: Path, vendor: Vendor) -> None:
    ended = forwarder(
        "send", "--account", "acme-pixel", "--config", str(towards), stdin=jsonl(event())
    )
    assert ended.code == 0, ended.err
    assert ended.out == "line 1: e1: delivered, code 0, OK, request id r-1, HTTP 200\n"
    ((headers, body),) = vendor.got
    assert headers["Access-Token"] == "tt-hush"
    assert len(body["data"]) == 1
    assert "test_event_code" not in body


def test_a_refused_event_is_told_with_code_and_request_id(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    vendor.answer = b'{"code": 40002, "message": "Invalid value", "request_id": "r-2"}'
    ended = forwarder(
        "send", "--account=acme-pixel", f"--config={towards}", "--json", stdin=jsonl(event())
    )
    assert ended.code == 1
    (told,) = ended.json()
    assert (told["line"], told["event_id"], told["verdict"]) == (1, "e1", "rejected")
    assert (told["code"], told["request_id"], told["status"]) == ("40002", "r-2", 200)


def test_a_test_event_code_is_sent_along(forwarder: Run, towards: Path, vendor: Vendor) -> None:
    arguments = ["send", "--account=acme-pixel", f"--config={towards}", "--test-event-code", "T1"]
    assert forwarder(*arguments, stdin=jsonl(event())).code == 0
    assert vendor.got[0][1]["test_event_code"] == "T1"


def test_a_test_event_code_where_there_are_no_test_events(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    arguments = ["send", "--account=acme-thrad", f"--config={towards}", "--test-event-code", "T1"]
    ended = forwarder(*arguments, stdin=jsonl(event()))
    assert ended.code == 2
    assert ended.err == ("error: --test-event-code: thrad has no test events\n    leave it out\n")
    assert vendor.got == []


def test_an_unknown_account(forwarder: Run, towards: Path) -> None:
    ended = forwarder("send", "--account=acme-pixl", f"--config={towards}")
    assert ended.code == 2
    assert ended.err == (
        "error: --account: no account is called acme-pixl\n    did you mean acme-pixel?\n"
    )


def test_an_unreadable_secret(forwarder: Run, towards: Path, vendor: Vendor) -> None:
    (towards.parent / "secrets/acme-pixel").write_text("")
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=jsonl(event()))
    assert ended.code == 2
    place, fix = ended.err.splitlines()
    assert place.startswith(f"error: {towards}:12 accounts.acme-pixel.access_token: the file ")
    assert place.endswith("secrets/acme-pixel is empty")
    assert fix == "    put the secret there, readable for this user, on one line"
    assert vendor.got == []


def test_the_common_consent_holds_beside_an_accounts_own(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    common = "consent: {require: [ad_storage]}\n"
    own = "acme-pixel:\n    consent: {personalization_denied: send}\n"
    towards.write_text(common + towards.read_text().replace("acme-pixel:\n", own, 1))
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=jsonl(event()))
    assert "skipped, code consent_missing, " in ended.out
    assert vendor.got == []


def test_what_is_not_sent_says_why(forwarder: Run, towards: Path, vendor: Vendor) -> None:
    lines = b"nonsense\n" + jsonl(event(page={}), event(event_name="refund"), event(event_id="e4"))
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=lines)
    assert ended.code == 3
    first, second, third, fourth = ended.out.splitlines()
    assert first.startswith("line 1: $: ")
    assert second.startswith("line 2: e1: rejected, code local.page_url_missing, ")
    assert second.endswith(", not sent")
    assert third.startswith("line 3: e1: skipped, code unmapped_event, ")
    assert fourth.startswith("line 4: e4: delivered")
    assert len(vendor.got) == 1


def test_nobody_answers(forwarder: Run, settings: Path) -> None:
    ended = forwarder("send", "--account=acme-pixel", f"--config={settings}", stdin=jsonl(event()))
    assert ended.code == 1
    assert ended.out == (
        "line 1: e1: transient, code refused, no answer from 127.0.0.1:1: not sent\n"
    )


def test_what_may_have_arrived_is_not_called_unsent(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    vendor.hangs_up = True
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=jsonl(event()))
    assert ended.code == 1
    host = vendor.url.removeprefix("http://")
    assert ended.out.endswith(f"no answer from {host}: it may have arrived all the same\n")


def test_another_advertisers_event_is_sent_with_a_warning(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    lines = jsonl(event(advertiser="other", currency="USD"))
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=lines)
    assert (ended.code, len(vendor.got)) == (0, 1)
    assert ended.err == (
        'line 1: acme-pixel does not list the advertiser "other": '
        "the worker would not send it there\n"
    )
    towards.write_text(towards.read_text().replace("advertisers: [acme]", 'advertisers: ["*"]'))
    assert forwarder("send", "--account=acme-pixel", f"--config={towards}", stdin=lines).err == ""


def test_nothing_to_send(forwarder: Run, towards: Path) -> None:
    ended = forwarder("send", "--account=acme-pixel", f"--config={towards}")
    assert (ended.code, ended.err) == (3, "no events\n")


def test_a_duplicate_is_delivered(forwarder: Run, towards: Path, vendor: Vendor) -> None:
    vendor.answer = b'{"status": "duplicate"}'
    ended = forwarder("send", "--account=acme-thrad", f"--config={towards}", stdin=jsonl(event()))
    assert ended.code == 0
    assert ended.out.startswith("line 1: e1: duplicate")


def test_the_vendors_own_word_on_one_event_is_told(
    forwarder: Run, towards: Path, vendor: Vendor
) -> None:
    vendor.status = 400
    vendor.answer = (
        b'{"Message":null,"EventResponses":[{"EventIndex":0,"EventErrors":[{"Error":"BadValue",'
        b'"ErrorMessage":"no such thing"}],"EventWarnings":[],"Successful":false}]}'
    )
    ended = forwarder("send", "--account=acme-ttd", f"--config={towards}", stdin=jsonl(event()))
    assert ended.code == 1
    assert "BadValue" in ended.out
    assert ended.out.endswith("HTTP 400\n")
