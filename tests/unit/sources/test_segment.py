"""Segment and RudderStack calls: mapping section 6, row by row."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from forwarder.event import InvalidEvent
from forwarder.sources import SOURCES, Options
from tests.unit.sources.build import (
    ACME,
    Json,
    body,
    dropped,
    errors,
    event,
    natives,
    notes,
    sample,
)

SEGMENT: Literal["segment"] = "segment"


def track(properties: Json | None = None, context: Json | None = None, **call: object) -> Json:
    base = {"type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1"}
    at = {"timestamp": "2026-11-21T11:59:00Z"}
    return {**base, **at, "properties": properties or {}, "context": context or {}, **call}


def test_a_track_call_becomes_an_event() -> None:
    found = body(SEGMENT, sample("segment_track"))
    assert found == {
        "event_id": "ajs-next-1795262345-0a1b2c3d",
        "event_time": "2026-11-21T11:59:05.000Z",
        "order_id": "T-1004",
        "currency": "USD",
        "value": 59.5,
        "page": {
            "url": "https://shop.example/thanks?thrad_click_id=thc_80",
            "referrer": "https://shop.example/checkout",
        },
        "user": {
            "external_id": "customer-4713",
            "client_id": "8b1f6a0e-7a3c-4c1f-9b0a-2f6f1f0c5d11",
            "phone": "(415) 555-0132",
            "first_name": "Grace",
            "last_name": "Hopper",
            "city": "San Francisco",
            "state": "CA",
            "zip": "94107",
            "country": "US",
            "ip_address": "203.0.113.27",
            "user_agent": sample("segment_track")["context"]["userAgent"],
            "locale": "en-US",
            "email": ["grace@example.com", "grace.alt@example.com"],
        },
        "event_name": "Order Completed",
        "advertiser": "acme",
        "action_source": "web",
        "items": [
            {
                "item_id": "507f1f77",
                "item_name": "Lamp",
                "item_brand": "Northwind",
                "item_category": "Home",
                "price": 29.75,
                "quantity": 2,
            }
        ],
        "click_ids": {"ttclid": "E.C.P.80"},
        "properties": {"checkout_id": "chk-9", "shipping": 4.9, "coupon": "AUTUMN"},
    }


def test_a_page_call_is_a_page_view() -> None:
    found = body(SEGMENT, sample("segment_page"))
    assert (found["event_name"], found["page"]["url"]) == ("page_view", "https://shop.example/")
    assert "items" not in found


def test_a_call_of_an_app_names_app_and_device() -> None:
    found = event(SEGMENT, sample("rudderstack_track"))
    assert (found.action_source, found.app.app_id) == ("app", "com.northwind.shop")
    assert (found.user.idfa, found.user.att_status) == (
        "EA7583CD-A667-48BC-B806-42ECB2B48606",
        "AUTHORIZED",
    )
    assert (found.user.ip, found.session_id) == ("203.0.113.28", "1795262300")


@pytest.mark.parametrize("call", ["identify", "group", "alias", "screen", "Identify"])
def test_other_calls_hold_no_event_and_say_so(call: str) -> None:
    found = SOURCES[SEGMENT](track(type=call), ACME)
    assert found == ((), f"{call.lower()} calls")


def test_a_call_without_its_type_is_a_track_call_if_it_names_an_event() -> None:
    given = track()
    del given["type"]
    assert body(SEGMENT, given)["event_name"] == "Order Completed"


@pytest.mark.parametrize("given", [{"type": "delete"}, {"batch": []}, {"event_name": "purchase"}])
def test_what_is_no_call_is_refused(given: Json) -> None:
    with pytest.raises(InvalidEvent) as caught:
        natives(SEGMENT, given)
    assert [error.path for error in caught.value.errors] == ["type"]


def test_the_pixels_id_goes_before_the_messages() -> None:
    assert body(SEGMENT, track())["event_id"] == "m1"
    assert body(SEGMENT, track({"event_id": "p1"}))["event_id"] == "p1"
    assert body(SEGMENT, track({"event_id": "undefined"}))["event_id"] == "m1"


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"revenue": 1, "total": 2, "value": 3}, 1),
        ({"total": 2, "value": 3}, 2),
        ({"value": 3}, 3),
        ({"product_id": "p", "price": "9.90", "quantity": 3}, "29.70"),
        ({"product_id": "p", "price": 9.9}, "9.9"),
        ({"revenue": 0, "price": 5}, 0),
        ({"products": [{"price": 5}], "price": 7}, None),
        ({"product_id": "p"}, None),
    ],
)
def test_where_the_value_is(properties: Json, value: object) -> None:
    assert body(SEGMENT, track(properties)).get("value") == value


def test_an_event_about_one_product_has_it_as_its_item() -> None:
    given = track({"sku": "s1", "name": "Lamp", "price": 5, "quantity": 2, "category": "Home"})
    assert body(SEGMENT, given)["items"] == [
        {"item_id": "s1", "item_name": "Lamp", "item_category": "Home", "price": 5, "quantity": 2}
    ]


def test_a_product_goes_by_its_id_before_its_sku() -> None:
    products = [{"product_id": 1, "sku": "s"}, {"sku": "t"}]
    items = body(SEGMENT, track({"products": products}))["items"]
    assert [item["item_id"] for item in items] == [1, "t"]


def test_an_anonymous_id_is_no_external_id() -> None:
    found = body(SEGMENT, track(userId=None, anonymousId="a1"))
    assert found["user"] == {"client_id": "a1"}


@pytest.mark.parametrize(
    ("context", "source"),
    [
        ({"device": {"type": "ios"}}, "app"),
        ({"device": {"type": "Android"}, "page": {"url": "https://a.example/"}}, "app"),
        ({"page": {"url": "https://a.example/"}}, "web"),
        ({}, None),
    ],
)
def test_the_device_tells_app_from_web(context: Json, source: str | None) -> None:
    assert body(SEGMENT, track(context=context)).get("action_source") == source


IDFA = "EA7583CD-A667-48BC-B806-42ECB2B48606"


@pytest.mark.parametrize(
    ("device", "ids"),
    [
        ({"type": "ios", "advertisingId": IDFA}, (IDFA, None)),
        ({"type": "android", "advertisingId": IDFA}, (None, IDFA)),
        ({"type": "ios", "advertisingId": IDFA, "adTrackingEnabled": True}, (IDFA, None)),
        ({"type": "ios", "advertisingId": IDFA, "adTrackingEnabled": False}, (None, None)),
        ({"type": "ios", "advertisingId": IDFA, "adTrackingEnabled": "False"}, (None, None)),
        ({"type": "ios", "advertisingId": IDFA, "trackingStatus": "denied"}, (None, None)),
        ({"type": "ios", "advertisingId": IDFA, "attTrackingStatus": 2}, (None, None)),
        ({"type": "console", "advertisingId": IDFA}, (None, None)),
    ],
)
def test_an_advertising_id_goes_where_its_user_lets_it(
    device: Json, ids: tuple[str | None, str | None]
) -> None:
    user = event(SEGMENT, track(context={"device": device})).user
    assert (user.idfa, user.gaid) == ids


def test_click_ids_are_found_in_properties_and_campaign() -> None:
    given = track({"_ttp": "t", "plan": "gold"}, {"campaign": {"gclid": "g", "source": "mail"}})
    found = body(SEGMENT, given)
    assert found["click_ids"] == {"ttp": "t", "gclid": "g"}
    assert found["properties"] == {"plan": "gold"}
    both = track({"ttclid": "own"}, {"campaign": {"ttclid": "the page's"}})
    assert body(SEGMENT, both)["click_ids"] == {"ttclid": "own"}


PREFERENCES = {"categoryPreferences": {"Advertising": True, "Targeting": False, "Other": True}}
MANAGED = {"allowedConsentIds": ["Advertising", "Other"], "deniedConsentIds": ["Targeting"]}


CONTRADICTED = {
    "consent": {"categoryPreferences": PREFERENCES["categoryPreferences"]},
    "consentManagement": {"allowedConsentIds": ["Targeting", "Advertising", "Other"]},
}


@pytest.mark.parametrize(
    "context", [{"consent": PREFERENCES}, {"consentManagement": MANAGED}, CONTRADICTED]
)
@pytest.mark.parametrize(
    ("categories", "answer"),
    [
        (["Advertising"], "granted"),
        (["Targeting"], "denied"),
        (["Advertising", "Targeting"], "denied"),
        (["Advertising", "Other"], "granted"),
        (["Advertising", "unheard-of"], None),
        (["unheard-of"], None),
    ],
)
def test_consent_needs_every_category(
    context: Json, categories: list[str], answer: str | None
) -> None:
    wanted = Options(advertiser="acme", consent={"ad_user_data": categories})
    found = body(SEGMENT, track(context=context), wanted)
    assert found.get("consent", {}).get("ad_user_data") == answer


def test_consent_that_no_setting_explains_is_told() -> None:
    told = notes(SEGMENT, track(context={"consent": PREFERENCES}))
    assert "kafka.events_consent" in told["context.consent.categoryPreferences"]


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (track({"revenue": -1, "currency": "USD"}), ["properties.revenue"]),
        (track({"total": "lots", "currency": "USD"}), ["properties.total"]),
        (track({"value": 1}), ["properties.currency"]),
        (track({"currency": "dollars"}), ["properties.currency"]),
        (track(timestamp="today"), ["timestamp"]),
        (track(timestamp=None), ["timestamp"]),
        (track(messageId=None), ["messageId"]),
        (track(event=None), ["event"]),
    ],
)
def test_errors_name_the_source_field(given: Json, paths: list[str]) -> None:
    assert list(errors(SEGMENT, given)) == paths


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (track(context={"traits": {"email": "nope"}}), ["context.traits.email"]),
        (track({"email": "nope"}), ["properties.email"]),
        (track(context={"ip": "192.168.0.1"}), ["context.ip"]),
        (
            track(context={"traits": {"address": {"country": "Italy"}}}),
            ["context.traits.address.country"],
        ),
        (track({"products": [{"price": "a lot"}]}), ["properties.products[].price"]),
        (track({"product_id": "p", "quantity": "few"}), ["properties.quantity"]),
    ],
)
def test_dropped_fields_have_the_source_name(given: Json, paths: list[str]) -> None:
    assert dropped(SEGMENT, given) == paths


def test_every_field_is_mapped_a_property_or_named() -> None:
    given = track(
        {"plan": "gold", "nested": {"a": 1}, "tags": ["x"]},
        {"library": {"name": "l"}, "ip": "203.0.113.1"},
        sentAt="2026-11-21T11:59:00Z",
    )
    assert set(notes(SEGMENT, given)) == {
        "properties.nested.a",
        "properties.tags",
        "context.library.name",
        "sentAt",
    }


def test_a_payload_is_never_changed() -> None:
    given = sample("segment_track")
    before = json.dumps(given)
    SOURCES[SEGMENT](given, ACME)
    assert json.dumps(given) == before
