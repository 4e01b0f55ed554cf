"""The Trade Desk's page, rule by rule."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.sandbox.known import KnownTradeDesk
from forwarder.sandbox.simulator import Simulator
from forwarder.sandbox.tradedesk import signature_of
from tests.support.vendor_golden import DELETE, Json, spoiled, tradedesk_event, tradedesk_request

SECRET = SecretStr("secret")
ACME = KnownTradeDesk(
    destination="tradedesk",
    name="acme",
    advertiser_id="abc1234",
    tracker_id="tr1",
    secret_key=SECRET,
)


def ask(request: HttpRequest, *accounts: KnownTradeDesk) -> tuple[HttpAnswer, Json]:
    simulator = Simulator(lambda: 0.0, accounts=accounts)
    answer = asyncio.run(simulator.answer(request))
    assert isinstance(answer, HttpAnswer)
    report = simulator.ledger.report()["accounts"]
    assert isinstance(report, dict)
    [book] = report.values()
    return answer, book


def signed(request: HttpRequest, secret: SecretStr = SECRET) -> HttpRequest:
    signature = signature_of(secret, request.body)
    headers = {**request.headers, "TtdSignature": signature}
    return HttpRequest(request.method, request.url, headers, request.body)


def test_the_signature_is_the_one_of_the_vendors_page() -> None:
    assert signature_of(SecretStr("secret"), b'{"data":"example"}') == (
        "rvxETQ7kIU5Cko3GddD2AeFpz8E="
    )


def test_a_full_event_is_taken() -> None:
    answer, book = ask(tradedesk_request(tradedesk_event()))
    assert answer.status == 200
    assert orjson.loads(answer.body) == {"Message": None, "EventResponses": []}
    assert answer.headers["x-ttd-request-id"]
    assert (book["events"], book["violations"]) == (1, {})


def test_the_other_ids_are_taken() -> None:
    event = spoiled(tradedesk_event(), "adv", DELETE) | {"merchant_id": "m1"}
    event = spoiled(event, "tracker_id", DELETE) | {"upixel_id": "u1"}
    event = spoiled(event, "event_name", DELETE)
    answer, book = ask(tradedesk_request(event))
    assert (answer.status, book["vendor_id"], book["violations"]) == (200, "m1", {})


BROKEN = [
    ("adv", DELETE),
    ("merchant_id", "m1"),
    ("tracker_id", DELETE),
    ("upixel_id", "u1"),
    ("event_name", DELETE),
    ("event_name", ""),
    ("referrer_url", "shop.example"),
    ("value", 19.98),
    ("value", "19,98"),
    ("value", DELETE),
    ("currency", DELETE),
    ("currency", "usd"),
    ("adid", DELETE),
    ("adid", "no-guid"),
    ("adid_type", DELETE),
    ("adid_type", "EMAIL"),
    ("adid_type", "UID2"),
    ("adid_type", "IDL"),
    ("client_ip", "localhost"),
    ("imp", "order-1"),
    ("order_id", 5),
    ("order_id", ""),
    ("td1", True),
    ("td11", "x"),
    ("event_time", "2026-11-21T12:00:00Z"),
    ("email", "alice@example.com"),
    ("iattr", "1"),
    ("items", []),
    ("items.0.price", 9.99),
    ("items.0.qty", 2),
    ("items.0.sku", "x"),
    ("zip", 90001),
    ("city", ""),
    ("privacy_settings", []),
    ("privacy_settings", {}),
    ("privacy_settings.0", {}),
    ("privacy_settings.0.consent_string", DELETE),
    ("privacy_settings.0.is_applicable", "true"),
    ("privacy_settings.0.privacy_type", "TCF"),
    ("data_processing_option", {}),
    ("data_processing_option.policies", ["LDU", "X"]),
    ("data_processing_option.region", "DE"),
]


@pytest.mark.parametrize(("path", "value"), BROKEN)
def test_each_broken_rule_is_named_by_index(path: str, value: object) -> None:
    bad = spoiled(tradedesk_event("bad"), path, value)
    events = [bad] if path in ("adv", "merchant_id") else [tradedesk_event("good"), bad]
    answer, book = ask(tradedesk_request(*events))
    [response] = orjson.loads(answer.body)["EventResponses"]
    assert answer.status == 400
    assert response["EventIndex"] == len(events) - 1
    assert response["Successful"] is False
    assert response["EventErrors"][0]["ErrorMessage"]
    assert book["events"] == 0
    assert book["violations"]


def test_a_bad_privacy_setting_has_the_vendors_name() -> None:
    bad = spoiled(tradedesk_event(), "privacy_settings.0", {})
    answer, book = ask(tradedesk_request(bad))
    [response] = orjson.loads(answer.body)["EventResponses"]
    assert response["EventErrors"][0]["Error"] == "InvalidPrivacySetting"
    assert book["refusals"] == {"InvalidPrivacySetting": 1}


def test_events_of_two_advertisers_in_one_request_are_refused() -> None:
    other = spoiled(tradedesk_event(), "adv", "other")
    answer, _ = ask(tradedesk_request(tradedesk_event(), other))
    assert [r["EventIndex"] for r in orjson.loads(answer.body)["EventResponses"]] == [1]


@pytest.mark.parametrize(
    ("path", "value"), [("order_id", DELETE), ("order_id", "x" * 65)], ids=["none", "long"]
)
def test_what_is_unwise_is_taken_and_told(path: str, value: object) -> None:
    answer, book = ask(tradedesk_request(spoiled(tradedesk_event(), path, value)))
    assert answer.status == 200
    assert len(book["violations"]) == 1


def test_an_event_without_a_match_key_is_taken_and_told() -> None:
    event = tradedesk_event()
    for key in ("adid", "adid_type", "uid2_token", "imp", "client_ip"):
        del event[key]
    answer, book = ask(tradedesk_request(event))
    assert answer.status == 200
    assert len(book["violations"]) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"data":[]}', b'{"data":[1]}', b'{"data":{}}']
)
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    request = tradedesk_request(tradedesk_event())
    answer, _ = ask(HttpRequest("POST", request.url, request.headers, body))
    assert answer.status == 400


@pytest.mark.parametrize(
    ("url", "method", "content_type", "status"),
    [
        ("/track/realtimeconversion/", "POST", "application/json", 404),
        ("/track/conversion", "POST", "application/json", 404),
        ("/track/realtimeconversion?a=1", "POST", "application/json", 404),
        ("/track/realtimeconversion", "GET", "application/json", 405),
        ("/track/realtimeconversion", "POST", "text/plain", 415),
    ],
)
def test_another_place_method_or_content_type_is_refused(
    url: str, method: str, content_type: str, status: int
) -> None:
    body = tradedesk_request(tradedesk_event()).body
    request = HttpRequest(method, f"/tradedesk{url}", {"Content-Type": content_type}, body)
    assert ask(request)[0].status == status


def test_a_request_above_the_vendors_size_is_refused() -> None:
    request = tradedesk_request(tradedesk_event())
    padded = request.body + b" " * (28_600_001 - len(request.body))
    answer, _ = ask(HttpRequest("POST", request.url, request.headers, padded))
    assert answer.status == 413
    answer, _ = ask(HttpRequest("POST", request.url, request.headers, padded[:-1]))
    assert answer.status == 200


def test_a_known_account_must_sign_the_exact_bytes() -> None:
    request = signed(tradedesk_request(tradedesk_event()))
    assert ask(request, ACME)[0].status == 200
    tampered = HttpRequest("POST", request.url, request.headers, request.body + b" ")
    assert ask(tampered, ACME)[0].status == 401


def test_a_missing_or_strange_signature_is_refused() -> None:
    request = tradedesk_request(tradedesk_event())
    assert ask(request, ACME)[0].status == 401
    answer, book = ask(signed(request, SecretStr("other")), ACME)
    assert answer.status == 401
    assert (book["refusals"], book["events"]) == ({"401": 1}, 0)


def test_a_known_account_without_a_secret_need_not_sign() -> None:
    open_account = ACME.model_copy(update={"secret_key": None})
    answer, book = ask(tradedesk_request(tradedesk_event()), open_account)
    assert (answer.status, book["unverified"]) == (200, 0)


def test_a_data_provider_signs_as_well() -> None:
    provider = SecretStr("provider")
    account = ACME.model_copy(update={"data_provider_secret_key": provider})
    request = signed(tradedesk_request(tradedesk_event()))
    assert ask(request, account)[0].status == 401
    headers = {**request.headers, "TtdSignature-dp": signature_of(provider, request.body)}
    assert ask(HttpRequest("POST", request.url, headers, request.body), account)[0].status == 200


@pytest.mark.parametrize(("field", "value"), [("tracker_id", "tr2"), ("adv", "stranger")])
def test_an_unknown_tracker_or_advertiser_is_402(field: str, value: str) -> None:
    request = signed(tradedesk_request(spoiled(tradedesk_event(), field, value)))
    assert ask(request, ACME)[0].status == 402


def test_an_unknown_account_is_taken_on_trust_with_a_signature_of_the_right_form() -> None:
    request = tradedesk_request(tradedesk_event(), TtdSignature="rvxETQ7kIU5Cko3GddD2AeFpz8E=")
    answer, book = ask(request)
    assert (answer.status, book["unverified"]) == (200, 1)
    answer, _ = ask(tradedesk_request(tradedesk_event(), TtdSignature="deadbeef"))
    assert answer.status == 401


def test_an_account_has_exactly_one_id() -> None:
    with pytest.raises(ValidationError, match="exactly one of advertiser_id and merchant_id"):
        KnownTradeDesk(destination="tradedesk", name="x")
