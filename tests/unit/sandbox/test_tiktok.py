"""TikTok's page, rule by rule: what it allows is taken, what it forbids is refused by name."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from pydantic import SecretStr

from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.sandbox.known import KnownTikTok
from forwarder.sandbox.simulator import Simulator
from tests.support.vendor_golden import (
    DELETE,
    Json,
    digest,
    spoiled,
    tiktok_event,
    tiktok_request,
)

HASH = digest("x")


def ask(request: HttpRequest, *accounts: KnownTikTok) -> tuple[HttpAnswer, Json]:
    """The answer, and what the report says of violations."""
    simulator = Simulator(lambda: 0.0, accounts=accounts)
    answer = asyncio.run(simulator.answer(request))
    assert isinstance(answer, HttpAnswer)
    report = simulator.ledger.report()["accounts"]
    assert isinstance(report, dict)
    [book] = report.values()
    return answer, book


def code(answer: HttpAnswer) -> int:
    found = orjson.loads(answer.body)["code"]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("source", ["web", "app", "offline", "crm"])
def test_a_full_event_of_each_source_is_taken(source: str) -> None:
    answer, book = ask(tiktok_request(tiktok_event(source), source=source))
    body = orjson.loads(answer.body)
    assert (answer.status, body["code"], body["message"]) == (200, 0, "OK")
    assert body["request_id"]
    assert (book["events"], book["violations"]) == (1, {})


@pytest.mark.parametrize("source", ["web", "app", "crm"])
def test_custom_names_are_taken(source: str) -> None:
    event = spoiled(tiktok_event(source), "event", "SpinTheWheel")
    assert code(ask(tiktok_request(event, source=source))[0]) == 0


def test_a_thousand_events_and_a_test_code_are_taken() -> None:
    events = [tiktok_event(event_id=f"e{n}") for n in range(1000)]
    answer, book = ask(tiktok_request(*events, test_event_code="TEST1"))
    assert code(answer) == 0
    assert book["unique_event_ids"] == 1000


def test_one_event_more_refuses_the_whole_request() -> None:
    answer, book = ask(tiktok_request(*[tiktok_event(event_id=f"e{n}") for n in range(1001)]))
    assert code(answer) == 40002
    assert book["events"] == 0


BROKEN = [
    ("web", "event", DELETE),
    ("web", "event", 5),
    ("web", "event", " "),
    ("offline", "event", "SpinTheWheel"),
    ("web", "event_id", DELETE),
    ("web", "event_id", 12345),
    ("web", "event_id", ""),
    ("web", "event_time", DELETE),
    ("web", "event_time", "1795000000"),
    ("web", "event_time", 1795000000.5),
    ("web", "event_time", 1_795_000_000_000),
    ("web", "event_time", True),
    ("web", "partner_name", "Segment"),
    ("web", "page", DELETE),
    ("web", "page.url", DELETE),
    ("web", "page.url", "shop.example"),
    ("web", "page.referrer", ""),
    ("web", "page.title", "Thanks"),
    ("app", "app", DELETE),
    ("app", "app.app_id", DELETE),
    ("app", "app.app_id", 1234567),
    ("crm", "lead", DELETE),
    ("crm", "lead.lead_id", DELETE),
    ("app", "page", {"url": "https://shop.example/"}),
    ("web", "app", {"app_id": "1"}),
    ("web", "lead", {"lead_id": "1"}),
    ("offline", "limited_data_use", True),
    ("crm", "limited_data_use", True),
    ("web", "limited_data_use", "true"),
    ("web", "ad.callback", "cb"),
    ("offline", "ad", {"attribution_share": 1}),
    ("app", "ad.attribution_share", 1.5),
    ("app", "ad.is_retargeting", "yes"),
    ("web", "user", {}),
    ("web", "user", None),
    ("web", "user.email", "alice@example.com"),
    ("web", "user.email", HASH.upper()),
    ("web", "user.email", ""),
    ("web", "user.email", []),
    ("web", "user.email", [HASH, "alice@example.com"]),
    ("web", "user.phone", "+12133734253"),
    ("web", "user.phone_number", HASH),
    ("web", "user.external_id", "user_123"),
    ("app", "user.external_id", HASH),
    ("offline", "user.external_id", HASH),
    ("offline", "user.ip", "203.0.113.1"),
    ("crm", "user.user_agent", "Mozilla/5.0"),
    ("app", "user.ttclid", "E.C.P.abc"),
    ("app", "user.first_name", HASH),
    ("web", "user.first_name", "Jane"),
    ("web", "user.zip_code", "90001"),
    ("web", "user.city", "New York"),
    ("web", "user.city", "NEWYORK"),
    ("web", "user.city", HASH),
    ("web", "user.country", ""),
    ("web", "user.ip", "203.0.113.300"),
    ("web", "user.ip", 5),
    ("web", "user.locale", "en_US"),
    ("web", "user.idfa", "EA7583CD-A667-48BC-B806-42ECB2B48606"),
    ("app", "user.idfa", "ea7583cd-a667-48bc-b806-42ecb2b48606"),
    ("app", "user.gaid", "AAAAAA-2222-1111-8787-809E92233BA0"),
    ("app", "user.att_status", "authorized"),
    ("web", "properties.currency", "usd"),
    ("web", "properties.currency", "AFN"),
    ("web", "properties.value", "119.80"),
    ("web", "properties.value", -1),
    ("web", "properties.value", True),
    ("web", "properties.num_items", 1.5),
    ("web", "properties.num_items", 0),
    ("web", "properties.content_ids", []),
    ("web", "properties.content_ids", "sku1"),
    ("web", "properties.content_ids.0", 17),
    ("web", "properties.contents", {}),
    ("web", "properties.contents.0.content_id", 17),
    ("web", "properties.contents.0.price", "59.90"),
    ("web", "properties.contents.0.quantity", 1.5),
    ("web", "properties.contents.0.content_type", "product"),
    ("web", "properties.content_type", "products"),
    ("web", "properties.query", "shoe"),
    ("web", "properties.loyalty_tier", {"nested": 1}),
    ("web", "properties.loyalty_tier", ""),
    ("web", "properties.customer_type", "old"),
    ("offline", "properties.customer_type", "new"),
    ("crm", "properties.customer_type", "new"),
    ("web", "properties.order_id", 1),
]


@pytest.mark.parametrize(("source", "path", "value"), BROKEN)
def test_each_broken_rule_refuses_the_request_and_names_the_place(
    source: str, path: str, value: object
) -> None:
    good, bad = tiktok_event(source, "good"), spoiled(tiktok_event(source), path, value)
    answer, book = ask(tiktok_request(good, bad, source=source))
    body = orjson.loads(answer.body)
    assert (answer.status, body["code"]) == (200, 40002)
    assert body["message"].startswith(f"Batch.1.{path}")
    assert book["events"] == 0
    assert book["refusals"] == {"40002": 1}
    assert len(book["violations"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"event_source": "email"},
        {"event_source": None},
        {"event_source_id": ""},
        {"event_source_id": 5},
        {"data": []},
        {"data": {}},
        {"test_event_code": ""},
        {"partner_name": "Segment"},
        {"pixel_code": "X"},
    ],
)
def test_a_broken_envelope_is_refused(change: Json) -> None:
    answer, book = ask(tiktok_request(tiktok_event(), **change))
    assert code(answer) == 40002
    assert book["violations"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"data":NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    request = tiktok_request(tiktok_event())
    answer, _ = ask(HttpRequest("POST", request.url, request.headers, body))
    assert code(answer) == 40002


@pytest.mark.parametrize(
    ("url", "method", "status"),
    [
        ("/open_api/v1.3/event/track", "POST", 404),
        ("/open_api/v1.2/event/track/", "POST", 404),
        ("/open_api/v1.3/event/track/?access_token=t", "POST", 404),
        ("/open_api/v1.3/event/track/", "GET", 405),
        ("/open_api/v1.3/event/track/", "PUT", 405),
    ],
)
def test_another_place_or_method_is_refused(url: str, method: str, status: int) -> None:
    request = tiktok_request(tiktok_event())
    answer, book = ask(HttpRequest(method, f"/tiktok{url}", request.headers, request.body))
    assert answer.status == status
    assert book["violations"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(content_type: str) -> None:
    request = tiktok_request(tiktok_event())
    headers = {**request.headers, "Content-Type": content_type}
    answer, _ = ask(HttpRequest("POST", request.url, headers, request.body))
    assert code(answer) == 40002


def test_header_names_and_a_charset_do_not_matter() -> None:
    request = tiktok_request(tiktok_event())
    headers = {"ACCESS-TOKEN": "t", "content-type": "application/json; charset=utf-8"}
    answer, _ = ask(HttpRequest("POST", request.url, headers, request.body))
    assert code(answer) == 0


ACME = KnownTikTok(
    destination="tiktok",
    name="acme",
    access_token=SecretStr("token-a"),
    event_source_id="PIXEL",
)


@pytest.mark.parametrize(
    ("token", "source_id", "expected"),
    [
        ("token-a", "PIXEL", 0),
        ("token-b", "PIXEL", 40105),
        ("token-a", "OTHER", 40001),
        ("", "PIXEL", 40104),
    ],
)
def test_configured_accounts_are_the_only_ones_let_in(
    token: str, source_id: str, expected: int
) -> None:
    request = tiktok_request(tiktok_event(), token=token, event_source_id=source_id)
    answer, book = ask(request, ACME)
    assert (answer.status, code(answer)) == (200, expected)
    assert book["violations"] == {}
    assert book["unverified"] == 0


@pytest.mark.parametrize(("token", "expected"), [("any", 0), ("with blank", 40105), ("ü", 40105)])
def test_without_accounts_every_well_formed_token_is_let_in(token: str, expected: int) -> None:
    answer, book = ask(tiktok_request(tiktok_event(), token=token))
    assert code(answer) == expected
    assert book["unverified"] == (expected == 0)


def test_the_report_names_no_token() -> None:
    simulator = Simulator(lambda: 0.0)
    asyncio.run(simulator.answer(tiktok_request(tiktok_event(), token="very-secret")))
    assert b"very-secret" not in orjson.dumps(simulator.ledger.report())
    assert b"very-secret" not in b"".join(simulator.ledger.received(None))
