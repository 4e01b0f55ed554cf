"""GA4 in its three shapes: mapping section 6, row by row."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Literal

import pytest

from forwarder.event import InvalidEvent
from forwarder.sources import Options
from tests.unit.sources.build import (
    ACME,
    Json,
    body,
    dropped,
    errors,
    event,
    native,
    natives,
    notes,
    sample,
)

GA4: Literal["ga4"] = "ga4"


def payload(params: Json | None = None, **whole: object) -> Json:
    """A Measurement Protocol payload with one purchase."""
    given = {"event_id": "e1", "transaction_id": "t1", "value": 5, "currency": "EUR"}
    one = {"name": "purchase", "params": {**given, **(params or {})}}
    return {"client_id": "c.1", "timestamp_micros": 1795262340000000, "events": [one], **whole}


def row(params: Json | None = None, **columns: object) -> Json:
    """A row of the BigQuery export."""
    given = {"event_id": "e1", **(params or {})}
    column = {int: "int_value", float: "double_value", str: "string_value"}
    pairs = [{"key": key, "value": {column[type(v)]: v}} for key, v in given.items()]
    base = {"event_name": "purchase", "event_timestamp": 1795262340000000, "event_params": pairs}
    return {**base, **columns}


def data(**fields: object) -> Json:
    """Event data of a server container."""
    base = {"event_name": "purchase", "event_id": "e1", "timestamp_micros": 1795262340000000}
    return {**base, **fields}


# -- the whole of it ------------------------------------------------------------------------------
def test_a_payload_becomes_one_event_for_each_of_its_events() -> None:
    cart, purchase = natives(GA4, sample("ga4_measurement_protocol"))
    assert cart.body["event_name"] == "add_to_cart"
    assert cart.body["value"] == "89.5"  # it says none, but what its items cost
    assert purchase.body == {
        "event_name": "purchase",
        "event_time": "1795262345000000",
        "event_id": "order-1001",
        "session_id": "1795262300",
        "order_id": "T-1001",
        "currency": "GBP",
        "value": 181.9,
        "page": {
            "url": "https://shop.example/thanks?ttclid=E.C.P.77&thrad_click_id=thc_77",
            "referrer": "https://shop.example/checkout",
        },
        "user": {
            "external_id": "customer-4711",
            "client_id": "861234567.1763712000",
            "email": " Ada.Lovelace@example.com ",
            "phone": "+44 20 7946 0958",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "city": "London",
            "state": "England",
            "zip": "SW1Y 4JH",
            "country": "GB",
            "ip_address": "203.0.113.24",
            "user_agent": sample("ga4_measurement_protocol")["user_agent"],
            "locale": "en-gb",
        },
        "consent": {"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"},
        "advertiser": "acme",
        "action_source": "web",
        "items": [
            {
                "item_id": "boot-9",
                "item_name": "Boot",
                "item_brand": "Northwind",
                "item_category": "Shoes",
                "price": 89.5,
                "quantity": 2,
            },
            {"item_id": "lace-1", "item_name": "Laces", "price": 2.9, "quantity": 1},
        ],
        "click_ids": {"ttp": "2NbW8mYk4TqPz7fLc1xR"},
        "properties": {"tax": 30.32, "coupon": "WINTER"},
    }


def test_an_exported_row_is_unpacked() -> None:
    found = event(GA4, sample("ga4_bigquery_row"))
    assert (found.event_id, found.order_id, found.value) == (
        "order-1002",
        "T-1002",
        Decimal("59.99"),
    )
    assert found.event_time == 1795262345.0
    assert (found.session_id, found.user.client_id) == ("1795262300", "561234567.1763712001")
    assert found.page.url == "https://shop.example/thanks?ttclid=E.C.P.78"
    assert found.consent.ad_storage is True
    assert [(item.item_id, item.item_brand, item.price) for item in found.items] == [
        ("mug-1", None, Decimal(20)),
        ("tea-3", None, Decimal("19.99")),
    ]
    assert not found.dropped


def test_event_data_is_read_flat() -> None:
    found = body(GA4, sample("ga4_event_data"))
    assert (found["event_name"], found["event_id"]) == ("generate_lead", "lead-1003")
    assert found["consent"] == {"ad_storage": "granted"}
    assert found["user"]["first_name"].endswith("7c12")
    assert found["user"]["zip"] == "94107"
    assert found["properties"] == {"page_title": "Get a quote", "screen_resolution": "1920x1080"}


def test_an_export_whose_parameters_became_columns_is_read_flat_too() -> None:
    flat = {"event_name": "purchase", "event_timestamp": 1795262340000000, "event_id": "e1"}
    found = event(GA4, {**flat, "transaction_id": "t", "value": 1, "currency": "EUR"})
    assert (found.event_time, found.order_id) == (1795262340.0, "t")


# -- rows of the table ----------------------------------------------------------------------------
def test_an_event_has_its_own_time_or_that_of_its_payload() -> None:
    given = payload()
    assert event(GA4, given).event_time == 1795262340.0
    given["events"][0]["timestamp_micros"] = 1795262341000000
    assert event(GA4, given).event_time == 1795262341.0


def test_an_event_without_a_time_happened_when_its_record_came() -> None:
    given = payload()
    del given["timestamp_micros"]
    assert list(errors(GA4, given)) == ["events[0].timestamp_micros"]
    arrived = Options(advertiser="acme", appended_at=1795262000.0)
    assert event(GA4, given, arrived).event_time == 1795262000.0


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (payload(), "web"),
        (payload(app_instance_id="a1"), "app"),
        (row(platform="WEB"), "web"),
        (row(platform="IOS"), "app"),
        (data(), "web"),
    ],
)
def test_an_app_instance_tells_an_app(given: Json, source: str) -> None:
    assert body(GA4, given)["action_source"] == source


def test_a_value_may_come_from_the_items() -> None:
    items = [{"price": "0.1", "quantity": 3}, {"price": 2}]
    assert body(GA4, payload({"value": None, "items": items}))["value"] == "2.3"
    assert body(GA4, payload({"value": 7, "items": items}))["value"] == 7
    assert body(GA4, payload({"value": 0, "items": items}))["value"] == 0


def test_a_value_is_never_a_part_of_the_sum() -> None:
    items = [{"price": 1}, {"item_id": "free?"}]
    assert "value" not in body(GA4, payload({"value": None, "items": items}))


def test_a_currency_may_come_from_the_first_item() -> None:
    items = [{"price": 1, "currency": "CHF"}, {"price": 1, "currency": "EUR"}]
    found = body(GA4, payload({"currency": None, "items": items}))
    assert found["currency"] == "CHF"
    assert found["items"] == [{"price": 1}, {"price": 1}]


def test_an_exported_order_may_have_its_amount_and_id_apart() -> None:
    found = body(GA4, row(ecommerce={"transaction_id": "t9", "purchase_revenue": 12.5}))
    assert (found["order_id"], found["value"]) == ("t9", 12.5)


def test_digests_stand_in_for_what_is_hashed() -> None:
    mail, phone = (sha256(text).hexdigest() for text in (b"a@b.co", b"+12133734253"))
    user = {"sha256_email_address": [mail], "sha256_phone_number": phone}
    found = event(GA4, payload(user_data=user))
    assert (found.user.emails, found.user.phones) == ((mail,), (phone,))


def test_an_address_goes_before_its_digest() -> None:
    user = {"email_address": "a@b.co", "sha256_email_address": "0" * 64}
    assert event(GA4, payload(user_data=user)).user.emails == ("a@b.co",)
    assert "user_data.sha256_email_address" not in notes(GA4, payload(user_data=user))


def test_a_digest_of_an_address_is_used_and_its_weakness_told() -> None:
    told = notes(GA4, payload(user_data={"sha256_email_address": "ab" * 32}))
    assert "gmail" in told["user_data.sha256_email_address"]


def test_an_address_may_be_one_or_a_list() -> None:
    one = {"city": "Rome", "country": "IT"}
    for address in (one, [one], [one, {"city": "Bari"}]):
        assert event(GA4, payload(user_data={"address": address})).user.city == "Rome"


@pytest.mark.parametrize("name", ["ttclid", "gclid", "thrad_click_id", "_ttp", "ttd_impression_id"])
def test_click_ids_are_known_by_their_names(name: str) -> None:
    found = body(GA4, payload({name: "x1"}))
    assert found["click_ids"] == {name.removeprefix("_"): "x1"}
    assert "properties" not in found


def test_a_custom_parameter_is_a_property() -> None:
    found = body(GA4, payload({"plan": "gold", "seats": 3, "trial": False}))
    assert found["properties"] == {"plan": "gold", "seats": 3, "trial": False}


@pytest.mark.parametrize(
    ("given", "consent"),
    [
        (payload(consent={"ad_user_data": "DENIED"}), {"ad_user_data": "DENIED"}),
        (payload(non_personalized_ads=True), {"ad_personalization": "denied"}),
        (payload(non_personalized_ads=False), None),
        (row(privacy_info={"ads_storage": "No"}), {"ad_storage": "denied"}),
        (row(privacy_info={"ads_storage": "Unset"}), None),
        (data(**{"x-ga-gcs": "G100"}), {"ad_storage": "denied"}),
        (data(**{"x-ga-gcs": "G111"}), {"ad_storage": "granted"}),
        (data(**{"x-ga-gcs": "G1--"}), None),
        (
            payload(params={"x-ga-gcs": "G111"}, consent={"ad_storage": "DENIED"}),
            {"ad_storage": "DENIED"},
        ),
        (
            data(**{"x-ga-gcs": "G100", "privacy_info": {"ads_storage": "Yes"}}),
            {"ad_storage": "denied"},
        ),
    ],
)
def test_consent_is_heard_wherever_it_is_said_and_a_denial_stands(
    given: Json, consent: Json | None
) -> None:
    assert body(GA4, given).get("consent") == consent


APP: Json = {"platform": "IOS", "app_info": {"id": "com.acme", "version": "2"}}
IDFA = "EA7583CD-A667-48BC-B806-42ECB2B48606"


def test_an_exported_app_event_names_app_and_device() -> None:
    found = event(GA4, row(**APP, device={"advertising_id": IDFA, "vendor_id": "0f" * 16}))
    assert (found.app.app_id, found.app.version) == ("com.acme", "2")
    assert (found.user.idfa, found.user.gaid, found.user.idfv) == (IDFA, None, "0f" * 16)
    android = event(GA4, row(platform="ANDROID", device={"advertising_id": IDFA}))
    assert (android.user.idfa, android.user.gaid) == (None, IDFA)


def test_who_limits_tracking_is_not_identified() -> None:
    device = {"advertising_id": IDFA, "is_limited_ad_tracking": "Yes"}
    assert event(GA4, row(**APP, device=device)).user.idfa is None
    assert "limits ad tracking" in notes(GA4, row(**APP, device=device))["device.advertising_id"]


def test_nothing_is_said_by_not_set() -> None:
    given = payload({"transaction_id": "(not set)", "items": [{"item_name": "(not set)"}]})
    found = body(GA4, given)
    assert "order_id" not in found
    assert found["items"] == [{}]


# -- whose, and which -----------------------------------------------------------------------------
def test_the_event_itself_says_first_whose_it_is() -> None:
    assert body(GA4, payload())["advertiser"] == "acme"
    assert body(GA4, payload({"advertiser": "beta"}))["advertiser"] == "beta"


def test_an_id_is_only_made_when_asked_for_and_then_stays_the_same() -> None:
    given = payload({"event_id": None})
    assert list(errors(GA4, given)) == ["events[0].params.event_id"]
    derive = Options(advertiser="acme", derive_event_id=True)
    first, again = (body(GA4, given, derive)["event_id"] for _ in "12")
    other = body(GA4, {**given, "client_id": "c.2"}, derive)["event_id"]
    assert first == again != other
    assert "events[0].params.event_id" in notes(GA4, given, derive)
    assert body(GA4, payload(), derive)["event_id"] == "e1"


def test_two_events_of_one_payload_never_share_a_made_id() -> None:
    given = payload({"event_id": None})
    given["events"] *= 2
    first, second = natives(GA4, given, Options(advertiser="acme", derive_event_id=True))
    assert first.body["event_id"] != second.body["event_id"]


# -- what is wrong, by the user's names -----------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (payload({"currency": "EURO"}), ["events[0].params.currency"]),
        (payload({"value": -1}), ["events[0].params.value"]),
        (payload({"value": float("nan")}), ["events[0].params.value"]),
        (payload({"event_id": None}), ["events[0].params.event_id"]),
        (payload(timestamp_micros="today"), ["timestamp_micros"]),
        (row({"value": -1.5, "currency": "EUR"}), ["event_params.value"]),
        (row(event_timestamp="x"), ["event_timestamp"]),
        (row(event_name=""), ["event_name"]),
        (data(currency="??", value=1), ["currency"]),
        (data(event_id=None), ["event_id"]),
    ],
)
def test_errors_name_the_source_field(given: Json, paths: list[str]) -> None:
    assert list(errors(GA4, given)) == paths


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (payload(user_data={"email_address": "nope"}), ["user_data.email_address"]),
        (payload(user_data={"sha256_email_address": "AbC="}), ["user_data.sha256_email_address"]),
        (payload(user_data={"address": [{"country": "Italy"}]}), ["user_data.address[0].country"]),
        (payload({"page_location": "/thanks"}), ["events[0].params.page_location"]),
        (payload({"items": [{"price": "a lot"}]}), ["events[0].params.items[].price"]),
        (payload({"items": "boot"}), ["events[0].params.items"]),
        (row({"page_location": "thanks"}), ["event_params.page_location"]),
        (data(ip_override="10.0.0.1"), ["ip_override"]),
    ],
)
def test_dropped_fields_have_the_source_name(given: Json, paths: list[str]) -> None:
    assert dropped(GA4, given) == paths


def test_without_an_advertiser_the_way_out_is_told() -> None:
    (rule,) = errors(GA4, payload(), Options()).values()
    assert "--advertiser" in rule
    assert "kafka.events_advertiser" in rule


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"type": "track"}, "$"),
        ({"events": {}}, "events"),
        ({"events": ["purchase"]}, "events"),
        ({"events": [{"name": "purchase", "params": []}]}, "events[0].params"),
        (row() | {"event_params": {"value": 1}}, "event_params"),
        ([], "$"),
    ],
)
def test_what_is_no_ga4_is_refused(given: object, path: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        natives(GA4, given)
    assert [error.path for error in caught.value.errors] == [path]


# -- what has no place ----------------------------------------------------------------------------
def test_fields_without_a_place_are_named_once() -> None:
    items = [{"item_id": 1, "item_variant": "red"}, {"item_id": 2, "item_variant": "blue"}]
    given = payload({"items": items, "nested": {"a": 1}}, user_location={"city": "Rome"})
    assert list(notes(GA4, given)) == [
        "events[0].params.items[].item_variant",
        "user_location.city",
        "events[0].params.nested.a",
    ]


def test_event_datas_own_affairs_are_no_properties() -> None:
    found = native(GA4, data(**{"x-ga-page_id": 1, "plan": "gold"}), ACME)
    assert found.body["properties"] == {"plan": "gold"}
    assert [note.path for note in found.notes] == ["x-ga-page_id"]
