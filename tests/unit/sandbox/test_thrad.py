"""Thrad's page, rule by rule."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from pydantic import SecretStr

from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.sandbox.behave import Behaviour
from forwarder.sandbox.known import KnownThrad
from forwarder.sandbox.simulator import Simulator
from tests.support.vendor_golden import DELETE, Json, spoiled, thrad_conversion, thrad_request

ACME = KnownThrad(
    destination="thrad",
    name="acme",
    api_key=SecretStr("key-a"),
    advertiser_api_key=SecretStr("ak_a"),
)


def ask_all(*requests: HttpRequest, simulator: Simulator | None = None) -> list[HttpAnswer]:
    simulator = simulator or Simulator(lambda: 0.0)
    found = [asyncio.run(simulator.answer(request)) for request in requests]
    return [answer for answer in found if isinstance(answer, HttpAnswer)]


def ask(request: HttpRequest, *accounts: KnownThrad) -> tuple[HttpAnswer, Json]:
    simulator = Simulator(lambda: 0.0, accounts=accounts)
    [answer] = ask_all(request, simulator=simulator)
    report = simulator.ledger.report()["accounts"]
    assert isinstance(report, dict)
    [book] = report.values()
    return answer, book


def status(answer: HttpAnswer) -> object:
    return orjson.loads(answer.body)["status"]


def test_a_full_conversion_is_taken() -> None:
    answer, book = ask(thrad_request(thrad_conversion()))
    assert (answer.status, status(answer)) == (200, "ok")
    assert (book["events"], book["violations"]) == (1, {})


def test_the_required_fields_alone_are_taken() -> None:
    needed = ("click_id", "conversion_time", "conversion_value", "currency")
    conversion = {key: thrad_conversion()[key] for key in needed}
    assert ask(thrad_request(conversion))[0].status == 200


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("click_id", DELETE),
        ("click_id", ""),
        ("click_id", 5),
        ("conversion_time", DELETE),
        ("conversion_time", 1_795_000_000),
        ("conversion_time", "yesterday"),
        ("conversion_time", "2026-11-21T12:00:00"),
        ("conversion_value", DELETE),
        ("conversion_value", "99.99"),
        ("conversion_value", -1),
        ("conversion_value", True),
        ("currency", DELETE),
        ("currency", "usd"),
        ("event_type", ""),
        ("event_type", None),
        ("order_id", 5),
        ("event_id", 5),
        ("page_url", "shop.example"),
        ("referrer", ""),
        ("client_id", 5),
    ],
)
def test_each_broken_rule_is_a_validation_error(path: str, value: object) -> None:
    answer, book = ask(thrad_request(spoiled(thrad_conversion(), path, value)))
    [detail] = orjson.loads(answer.body)["detail"]
    assert answer.status == 422
    assert detail["loc"] == ["body", path]
    assert (book["events"], book["refusals"]) == (0, {"422": 1})
    assert len(book["violations"]) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'[{"click_id":"a"}]'])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    request = thrad_request(thrad_conversion())
    answer, _ = ask(HttpRequest("POST", request.url, request.headers, body))
    assert answer.status == 422


@pytest.mark.parametrize(
    ("path", "value"),
    [("email", "x"), ("client_id", "alice@example.com"), ("session_id", "a@b.c")],
)
def test_what_is_unwise_is_taken_and_told(path: str, value: str) -> None:
    answer, book = ask(thrad_request({**thrad_conversion(), path: value}))
    assert answer.status == 200
    assert len(book["violations"]) == 1


@pytest.mark.parametrize("key", ["", " "])
def test_a_conversion_without_idempotency_key_is_told(key: str) -> None:
    answer, book = ask(thrad_request(thrad_conversion(), idempotency_key=key))
    assert answer.status == 200
    assert book["violations"] == {"idempotency-key: Left out.": 1}


def test_an_advertisers_key_is_not_for_conversions() -> None:
    _, book = ask(thrad_request(thrad_conversion(), key="ak_1"))
    assert len(book["violations"]) == 1


@pytest.mark.parametrize(
    ("url", "method", "expected"),
    [
        ("/api/conversion/", "POST", 404),
        ("/conversion", "POST", 404),
        ("/api/conversion?key=1", "POST", 404),
        ("/api/conversion", "GET", 405),
        ("/v1/ad_account", "POST", 405),
    ],
)
def test_another_place_or_method_is_refused(url: str, method: str, expected: int) -> None:
    request = thrad_request(thrad_conversion())
    answer, _ = ask(HttpRequest(method, f"/thrad{url}", request.headers, request.body))
    assert answer.status == expected


def with_authorization(value: str | None, url: str = "/thrad/api/conversion") -> HttpRequest:
    request = thrad_request(thrad_conversion())
    headers = {k: v for k, v in request.headers.items() if k != "Authorization"}
    if value is not None:
        headers["Authorization"] = value
    method, body = ("GET", b"") if "ad_account" in url else ("POST", request.body)
    return HttpRequest(method, url, headers, body)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "Missing bearer token"),
        ("Basic abc", "Missing bearer token"),
        ("Bearer ", "Missing bearer token"),
        ("Bearer other", "Invalid API key"),
    ],
)
def test_conversions_refuse_a_key_as_fastapi_does(value: str | None, detail: str) -> None:
    answer, book = ask(with_authorization(value), ACME)
    assert (answer.status, orjson.loads(answer.body)) == (401, {"detail": detail})
    assert book["violations"] == {}


@pytest.mark.parametrize(
    ("value", "code"), [(None, "auth_required"), ("Bearer ak_other", "invalid_api_key")]
)
def test_the_advertiser_api_refuses_a_key_with_an_error_object(
    value: str | None, code: str
) -> None:
    answer, _ = ask(with_authorization(value, "/thrad/v1/ad_account"), ACME)
    error = orjson.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (401, code)
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("accounts", [(), (ACME,)])
def test_the_advertiser_api_knows_the_account(accounts: tuple[KnownThrad, ...]) -> None:
    answer, _ = ask(with_authorization("Bearer ak_a", "/thrad/v1/ad_account"), *accounts)
    assert answer.status == 200
    assert set(orjson.loads(answer.body)) == {"id", "name", "url", "timezone", "currency_code"}


def test_the_advertiser_api_takes_no_other_key() -> None:
    answer, _ = ask(with_authorization("Bearer key-a", "/thrad/v1/ad_account"))
    assert answer.status == 401


def test_the_same_key_again_is_a_duplicate() -> None:
    request = thrad_request(thrad_conversion())
    simulator = Simulator(lambda: 0.0)
    answers = ask_all(request, request, simulator=simulator)
    assert [status(answer) for answer in answers] == ["ok", "duplicate"]
    report = simulator.ledger.report()["accounts"]
    assert isinstance(report, dict)
    [book] = report.values()
    assert (book["events"], book["unique_event_ids"], book["duplicates"]) == (2, 1, 1)


def test_another_event_type_or_order_is_no_duplicate() -> None:
    first = thrad_conversion()
    lead = {**first, "event_type": "lead_created"}
    second = {**first, "order_id": "2", "event_id": "2"}
    answers = ask_all(
        thrad_request(first),
        thrad_request(lead),
        thrad_request(second, idempotency_key="i2"),
    )
    # the first two share a key, but not the type
    assert [status(answer) for answer in answers] == ["ok", "ok", "ok"]


def test_the_same_order_under_another_key_is_a_duplicate() -> None:
    answers = ask_all(
        thrad_request(thrad_conversion(), idempotency_key="i1"),
        thrad_request(thrad_conversion(), idempotency_key="i2"),
    )
    assert [status(answer) for answer in answers] == ["ok", "duplicate"]


def test_click_ids_can_be_made_unknown() -> None:
    simulator = Simulator(lambda: 0.0)
    simulator.behave(Behaviour(destination="thrad", click_not_found="^lost-"))
    lost = {**thrad_conversion(), "click_id": "lost-1"}
    answers = ask_all(thrad_request(lost), thrad_request(thrad_conversion()), simulator=simulator)
    assert [answer.status for answer in answers] == [404, 200]
    assert orjson.loads(answers[0].body) == {"detail": "Click not found"}


def test_the_default_rate_is_a_thousand_an_hour_per_key() -> None:
    simulator = Simulator(lambda: 0.0)
    requests = [thrad_request(thrad_conversion()) for _ in range(1001)]
    other_key = thrad_request(thrad_conversion(), key="key-b")
    answers = ask_all(*requests, other_key, simulator=simulator)
    assert [answer.status for answer in answers] == [200] * 1000 + [429, 200]
    assert answers[1000].headers["retry-after"] == "3600"
