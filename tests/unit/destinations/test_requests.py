"""Requests: method, address, headers, signatures, envelopes; and whose credential counts."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Item, Preflight
from forwarder.destinations.tradedesk import signature
from forwarder.http.port import HttpRequest
from tests.unit.destinations.build import BASES, CREDENTIAL, Tree, account, event

A, B = Item(b'{"a":1}'), Item(b'{"b":2}')


def credential(**secrets: str) -> Credential:
    return Credential(version=1, secrets=secrets)


def test_tiktok() -> None:
    bound = account("tiktok")
    assert bound.request([A, B], CREDENTIAL) == HttpRequest(
        "POST",
        "https://business-api.tiktok.com/open_api/v1.3/event/track/",
        {"Access-Token": "t0ken", "Content-Type": "application/json"},
        b'{"event_source":"web","event_source_id":"C4ABCDEFGHIJ","data":[{"a":1},{"b":2}]}',
    )


def test_tiktok_test_events_say_so_at_the_top() -> None:
    settings = {"test_event_code": "TEST1", "base_url": "http://127.0.0.1:9/tiktok/"}
    request = account("tiktok", settings).request([A], CREDENTIAL)
    assert request.url == "http://127.0.0.1:9/tiktok/open_api/v1.3/event/track/"
    assert orjson.loads(request.body) == {
        "event_source": "web",
        "event_source_id": "C4ABCDEFGHIJ",
        "test_event_code": "TEST1",
        "data": [{"a": 1}],
    }


def test_tradedesk() -> None:
    request = account("tradedesk").request([A, B], CREDENTIAL)
    assert request == HttpRequest(
        "POST",
        "https://insight.adsrvr.org/track/realtimeconversion",
        {
            "Content-Type": "application/json",
            "TtdSignature": signature("secret", b'{"data":[{"a":1},{"b":2}]}'),
        },
        b'{"data":[{"a":1},{"b":2}]}',
    )


def test_the_vendors_signature() -> None:
    assert signature("secret", b'{"data":"example"}') == "rvxETQ7kIU5Cko3GddD2AeFpz8E="


def test_a_data_provider_signs_too() -> None:
    settings = {"data_provider_secret_key": {"value": "provider"}}
    secrets = credential(secret_key="secret", data_provider_secret_key="provider")
    request = account("tradedesk", settings).request([A], secrets)
    assert request.headers["TtdSignature"] == signature("secret", request.body)
    assert request.headers["TtdSignature-dp"] == signature("provider", request.body)


@pytest.mark.parametrize("settings", [{"auth": "none"}, {"secret_key": None}])
def test_tradedesk_without_signature(settings: Tree) -> None:
    request = account("tradedesk", settings).request([A], credential())
    assert request.headers == {"Content-Type": "application/json"}


def test_thrad() -> None:
    bound = account("thrad")
    item = bound.prepare(event(BASES["thrad"]))
    assert isinstance(item, Item)
    request = bound.request([item], CREDENTIAL)
    assert request == HttpRequest(
        "POST",
        "https://events.thrad.ai/api/conversion",
        {
            "Authorization": "Bearer th_1",
            "Content-Type": "application/json",
            "Idempotency-Key": item.idempotency_key,
        },
        item.json,
    )


def test_the_path_is_a_setting() -> None:
    settings = {"path": "/v1/api/conversion", "base_url": "http://127.0.0.1:9/thrad"}
    request = account("thrad", settings).request([A], CREDENTIAL)
    assert request.url == "http://127.0.0.1:9/thrad/v1/api/conversion"


def test_the_idempotency_key_is_the_conversions_own() -> None:
    def key(over: Tree) -> str:
        item = account("thrad", {"events": {"custom": "pass"}}).prepare(
            event({**BASES["thrad"], **over})
        )
        assert isinstance(item, Item)
        return item.idempotency_key

    first = key({})
    said = orjson.dumps(["acme-thrad", "e-1", "purchase_completed"])
    assert first == hashlib.sha256(said).hexdigest()[:32]
    assert key({"value": 6, "event_time": 1767323000}) == first
    others = {key({"event_id": "e-2"}), key({"event_name": "Foo"}), first}
    assert len(others) == 3


def test_an_advertisers_key_is_tried_where_it_belongs() -> None:
    preflight = account("thrad").preflight(credential(api_key="th", advertiser_api_key="ak_1"))
    assert preflight == Preflight(
        HttpRequest(
            "GET", "https://api.thrad.ai/v1/ad_account", {"Authorization": "Bearer ak_1"}, b""
        )
    )


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"base_url": "http://127.0.0.1:9/thrad"}, "http://127.0.0.1:9/thrad/v1/ad_account"),
        (
            {"base_url": "http://127.0.0.1:9", "advertiser_api_url": "http://127.0.0.1:8/"},
            "http://127.0.0.1:8/v1/ad_account",
        ),
    ],
)
def test_where_an_advertisers_key_is_tried(settings: Tree, url: str) -> None:
    preflight = account("thrad", settings).preflight(credential(api_key="ak_2"))
    assert preflight is not None
    assert preflight.request.url == url
    assert preflight.request.headers == {"Authorization": "Bearer ak_2"}


@pytest.mark.parametrize("destination", ["tiktok", "tradedesk", "thrad"])
def test_no_other_key_is_ever_tried(destination: str) -> None:
    assert account(destination).preflight(CREDENTIAL) is None


def scope(destination: str, secrets: Credential, settings: Tree | None = None) -> str:
    bound = account(destination, settings)
    return DESTINATIONS[destination].credential_scope(bound.settings, secrets)


@pytest.mark.parametrize(("destination", "key"), [("tiktok", "access_token"), ("thrad", "api_key")])
def test_a_scope_is_the_keys(destination: str, key: str) -> None:
    one = scope(destination, credential(**{key: "s3cret", "advertiser_api_key": "ak"}))
    assert one == scope(destination, credential(**{key: "s3cret"}), {"concurrency": 1})
    assert one != scope(destination, credential(**{key: "other"}))
    assert "s3cret" not in one


def test_a_scope_is_the_advertisers_and_its_keys() -> None:
    one = scope("tradedesk", credential(secret_key="s3cret"))
    assert one == scope("tradedesk", credential(secret_key="s3cret"), {"tracker_id": "other"})
    assert one != scope("tradedesk", credential(secret_key="other"))
    assert one != scope("tradedesk", credential(secret_key="s3cret"), {"advertiser_id": "other"})
    merchant = {"advertiser_id": None, "merchant_id": "abc1234"}
    assert one != scope("tradedesk", credential(secret_key="s3cret"), merchant)
    unsigned = {"auth": "none"}
    assert scope("tradedesk", credential(), unsigned) == scope("tradedesk", credential(), unsigned)


@pytest.mark.parametrize("destination", ["tiktok", "tradedesk", "thrad"])
def test_the_overhead_is_all_beside_the_items(destination: str) -> None:
    bound = account(destination)
    items = [A] if destination == "thrad" else [A, B, A]
    body = bound.request(items, CREDENTIAL).body
    assert len(body) == bound.overhead() + sum(len(i.json) for i in items) + len(items) - 1


def test_an_event_fills_a_request_to_the_last_byte() -> None:
    bound = account("tradedesk")
    item = bound.prepare(event(BASES["tradedesk"]))
    assert isinstance(item, Item)
    size = len(bound.request([item], CREDENTIAL).body)
    exact = account("tradedesk", {"batch": {"bytes": f"{size}B"}})
    assert exact.prepare(event(BASES["tradedesk"])) == item
    smaller = account("tradedesk", {"batch": {"bytes": f"{size - 1}B"}})
    assert smaller.prepare(event(BASES["tradedesk"])) != item
