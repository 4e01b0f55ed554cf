"""What each answer means: the vendor pages' tables, and answers that nobody should send."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest

from forwarder.credentials import Credential
from forwarder.destinations.answers import unechoed
from forwarder.destinations.contract import Item, Reading, Refusal, Verdict
from forwarder.http.port import HttpAnswer, HttpRequest
from tests.unit.destinations.build import BASES, NOW, account, event, load

DESTINATIONS = ("tiktok", "tradedesk", "thrad")
ANSWERS = [(name, tree) for name, trees in load("answers").items() for tree in trees]


def body(value: Any) -> bytes:
    if isinstance(value, str):
        return value.removeprefix("text:").encode()
    return orjson.dumps(value)


@pytest.mark.parametrize(
    ("destination", "tree"), ANSWERS, ids=lambda v: v["name"] if isinstance(v, dict) else v
)
def test_answer(destination: str, tree: dict[str, Any]) -> None:
    wanted = dict(tree["reading"])
    named = {
        index: Refusal(refusal["code"], refusal["message"])
        for index, refusal in wanted.pop("named", {}).items()
    }
    verdict = Verdict(wanted.pop("verdict"))
    answer = HttpAnswer(tree.get("status", 200), tree.get("headers", {}), body(tree["body"]))
    bound = account(destination, tree.get("account"))
    read = bound.read(answer, tree.get("count", 1), NOW)
    assert read == Reading(verdict, named=named, **wanted)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("7200", 7200.0),
        ("86400", 86_400.0),
        ("99999999", 3600.0),
        ("Fri, 02 Jan 2026 03:06:06 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("Fri, 02 Jan 2026 04:06:06 -0000", 3660.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("nan", None),
        ("9" * 400, None),
        ("Fri, 99 Jan 99999 03:06:06 GMT", None),
    ],
)
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_retry_after(destination: str, value: str, seconds: float | None) -> None:
    answer = HttpAnswer(429, {"retry-after": value}, b"")
    assert account(destination).read(answer, 1, NOW).retry_after == seconds


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (format_datetime(datetime.fromtimestamp(NOW - 20, UTC), usegmt=True), 50.0),
        (format_datetime(datetime.fromtimestamp(NOW + 20, UTC), usegmt=True), 10.0),
        (format_datetime(datetime.fromtimestamp(NOW - 7200, UTC), usegmt=True), 7230.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90 * 86_400, UTC), usegmt=True), 3600.0),
        ("yesterday", 30.0),
    ],
)
def test_a_date_to_come_again_is_by_the_vendors_clock(
    destination: str, date: str, seconds: float
) -> None:
    until = format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True)
    answer = HttpAnswer(429, {"retry-after": until, "date": date}, b"")
    assert account(destination).read(answer, 1, NOW).retry_after == pytest.approx(seconds, abs=1)


HOSTILE = [
    b"\x00\xff\xfe",
    b"[" * 200_000,
    b'{"a":' * 100_000,
    b"9" * 100_000,
    b"null",
    b"[]",
    b'"code"',
    b'{"code": 99999999999999999999999999, "message": {"a": 1}}',
    b'{"code": [0], "message": 7, "request_id": {"a": 1}, "status": ["ok"]}',
    b'{"code": 1e400}',
    b'{"code": 40002, "message": null}',
    b'{"code": 40002, "message": "Batch.99999999999999999999.x Batch.-1.y data[]"}',
    b'{"Message": 5, "EventResponses": {"EventIndex": 0}}',
    b'{"EventResponses": [null, 7, [], {"EventIndex": true, "Successful": false}]}',
    b'{"EventResponses": [{"EventIndex": 99999999999999999999, "Successful": false}]}',
    b'{"EventResponses": [{"EventIndex": -1}, {"EventIndex": "0", "EventErrors": 3}]}',
    b'{"EventResponses": [{"EventIndex": 0, "Successful": false, "EventErrors": [null, 3]}]}',
    b'{"error": [1], "detail": [null, 3, {"loc": {"a": 1}, "msg": null}]}',
    b'{"error": {"message": 3, "code": {}}, "detail": {}}',
    b'{"status": "ok", "status": null}',
    b'{"request_id": "a\\nb c", "message": "a\\u0000\\r\\nInjected: yes"}',
]


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("status", [200, 400, 404, 422, 500])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_answer_is_too_strange(destination: str, status: int, hostile: bytes) -> None:
    read = account(destination).read(HttpAnswer(status, {}, hostile), 2, NOW)
    assert all(index in (0, 1) for index in read.named)
    for text in (read.message, read.code, *(refusal.message for refusal in read.named.values())):
        assert text.isprintable()
        assert len(text.encode()) <= 256


SECRETS = [
    ("Invalid email: alice@example.com", "alice"),
    ("Invalid email alice%40example.com.", "alice"),
    ("phone +1 (213) 373-4253 is not valid", "373"),
    ("phone 2133734253", "2133"),
    (f"digest {'ab' * 32} unknown", "abab"),
    ("token 0123456789abcdefXYZ expired", "abcdef"),
    ("Bearer ak_live_12345 is wrong", "ak_live"),
    ("Access-Token=abc1 expired", "abc1"),
    ("name 'Alice Smith' is not a digest", "Alice"),
    ('city "Portland"', "Portland"),
    ("name `Alice", "Alice"),
    ("ip 203.0.113.77 refused", "113"),
    ("ip 8.8.8.8 refused", "8.8"),
    ("client_ip=81.2.69.1, blocked", "81.2"),
    ("[1.1.1.1]", "1.1"),
    ("ip 2001:db8::8a2e:370:7334 refused", "8a2e"),
    ("see https://shop.example/thanks?order=Smith#x", "Smith"),
    ("see https://user:pass@shop.example/x", "pass"),
    ("guid 6F9619FF-8b86-D011-B42D-00CF4FC964FF", "D011"),
    ("x " * 1023 + "alice@example.com", "alice"),
    ("'" + "x" * 2040 + "' alicesmith", "alice"),
]


@pytest.mark.parametrize(("message", "secret"), SECRETS)
def test_a_vendors_words_tell_no_secret(message: str, secret: str) -> None:
    answer = HttpAnswer(200, {}, orjson.dumps({"code": 40002, "message": message}))
    read = account("tiktok").read(answer, 1, NOW)
    assert secret not in read.message
    refusal = {"Error": message, "ErrorMessage": message}
    response = {"EventIndex": 0, "Successful": False, "EventErrors": [refusal]}
    answer = HttpAnswer(400, {}, orjson.dumps({"Message": message, "EventResponses": [response]}))
    read = account("tradedesk").read(answer, 1, NOW)
    assert secret not in read.message + read.code + read.named[0].message + read.named[0].code
    answer = HttpAnswer(422, {}, orjson.dumps({"detail": message}))
    assert secret not in account("thrad").read(answer, 1, NOW).message


@pytest.mark.parametrize(
    "message",
    [
        "Batch.0.properties.contents.0.content_id: Not a valid string",
        "body.conversion_value: value is not a number",
        "The event_source_id doesn't exist or isn't yours",
        "Too many requests: limit is 600 in 60 seconds",
    ],
)
def test_what_helps_stays(message: str) -> None:
    answer = HttpAnswer(200, {}, orjson.dumps({"code": 40002, "message": message}))
    assert account("tiktok").read(answer, 1, NOW).message == message


def test_a_long_message_is_cut_between_characters() -> None:
    answer = HttpAnswer(200, {}, orjson.dumps({"code": 40002, "message": "ä " * 500}))
    message = account("tiktok").read(answer, 1, NOW).message
    assert len(message.encode()) in (255, 256)
    assert set(message) == {"ä", " "}


def request(destination: str, secret: str) -> HttpRequest:
    secrets = {"access_token": secret, "api_key": secret, "secret_key": secret}
    item = account(destination).prepare(event(BASES[destination]))
    assert isinstance(item, Item)
    return account(destination).request([item], Credential(1, secrets))


@pytest.mark.parametrize("destination", ["tiktok", "thrad"])
@pytest.mark.parametrize("status", [200, 401, 422])
@pytest.mark.parametrize("said", ["bad key {} today", "{}", "x" * 3 + " y" * 120 + " {}"])
def test_a_vendor_that_repeats_the_credential_tells_nobody(
    destination: str, status: int, said: str
) -> None:
    """Also one without a digit, which looks like any other word, and one that a cut has halved."""
    message = said.format("hush-hush-token")
    whole = {
        "code": 40105,
        "message": message,
        "request_id": "hush-hush-token",
        "error": {"message": message, "code": "hush-hush-token"},
        "detail": message,
    }
    for body_ in (orjson.dumps(whole), message.encode()):
        answer = HttpAnswer(status, {}, body_)
        read = unechoed(
            account(destination).read(answer, 1, NOW),
            request(destination, "hush-hush-token"),
            Credential(1, {"any": "hush-hush-token"}),
        )
        assert "hush" not in f"{read.message} {read.code} {read.named} {read.request_id}"


def test_a_secret_that_no_header_carries_is_told_nobody() -> None:
    """The Trade Desk's key only signs."""
    words = {"Error": "hushhush", "ErrorMessage": "Invalid credential hushhush given"}
    response = {"EventIndex": 0, "Successful": False, "EventErrors": [words]}
    whole = {"Message": "hushhush", "EventResponses": [response]}
    answer = HttpAnswer(400, {"x-ttd-request-id": "hushhush"}, orjson.dumps(whole))
    read = unechoed(
        account("tradedesk").read(answer, 1, NOW),
        request("tradedesk", "hushhush"),
        Credential(1, {"secret_key": "hushhush"}),
    )
    assert "hush" not in f"{read.message} {read.code} {read.named} {read.request_id}"


@pytest.mark.parametrize(
    "name",
    ["81.2.69.1", "2133734253", "6F9619FF-8b86-D011-B42D-00CF4FC964FF", "ab" * 32, "alice@a.co"],
)
def test_what_could_be_a_persons_is_no_name_of_an_error(name: str) -> None:
    answer = HttpAnswer(422, {}, orjson.dumps({"error": {"message": "x", "code": name}}))
    assert account("thrad").read(answer, 1, NOW).code == "422"
    response = {"EventIndex": 0, "Successful": False, "EventErrors": [{"Error": name}]}
    answer = HttpAnswer(400, {}, orjson.dumps({"EventResponses": [response]}))
    assert account("tradedesk").read(answer, 1, NOW).named[0].code == "400"


@pytest.mark.parametrize(
    "odd",
    [
        b'\xef\xbb\xbf{"code": 40002, "message": "no good"}',
        b'{"code": 40002, "message": "no good\\ud800"}',
        b'{"code": 40002, "data": "\\udc00 \\\\\\ud83d", "message": "no good"}',
        b'{"code": 40002, "data": "\\\\ud800", "message": "no good"}',
    ],
)
def test_what_is_odd_in_a_body_does_not_hide_its_code(odd: bytes) -> None:
    read = account("tiktok").read(HttpAnswer(200, {}, odd), 1, NOW)
    assert (read.verdict, read.code) == (Verdict.REJECTED, "40002")
    assert read.message.startswith("no good")
