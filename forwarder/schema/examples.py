"""A believable event for every standard name and action source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from forwarder.destinations import click_ids
from forwarder.names import STANDARD

SOURCES: Final = ("web", "app", "offline", "crm")
Json = dict[str, object]

_SHOE: Final[Json] = {
    "item_id": "SKU-2041",
    "item_name": "Trail running shoe",
    "item_brand": "Acme",
    "item_category": "Shoes",
    "price": "59.90",
    "quantity": 2,
}
_SOCKS: Final[Json] = {
    "item_id": "SKU-77",
    "item_name": "Wool socks",
    "item_category": "Accessories",
    "price": "10.10",
    "quantity": 1,
}
_BASKET: Final[Json] = {"value": "129.90", "currency": "USD", "items": [_SHOE, _SOCKS]}
_ONE_ITEM: Final[Json] = {
    "value": "59.90",
    "currency": "USD",
    "items": [_SHOE | {"quantity": 1}],
}
_ORDER: Final[Json] = {"order_id": "100245", "customer_type": "new"}
_PLAN: Final[Json] = {"value": "9.99", "currency": "USD", "properties": {"plan": "monthly"}}

_TELLS: Final[dict[str, Json]] = {
    "purchase": _BASKET | _ORDER,
    "place_an_order": _BASKET | _ORDER,
    "refund": _BASKET | _ORDER,
    "add_to_cart": _ONE_ITEM,
    "begin_checkout": _BASKET,
    "add_payment_info": _BASKET | {"properties": {"payment_type": "card"}},
    "add_to_wishlist": _ONE_ITEM,
    "view_item": _ONE_ITEM,
    "view_cart": _BASKET,
    "view_item_list": {"items": [_SHOE, _SOCKS], "properties": {"list": "Running"}},
    "search": {"search_term": "running shoes"},
    "sign_up": {"properties": {"method": "email"}},
    "login": {"properties": {"method": "email"}},
    "generate_lead": {"value": "25", "currency": "USD", "description": "Test ride"},
    "contact": {"description": "Call back"},
    "find_location": {"search_term": "Los Angeles"},
    "schedule": {"description": "Fitting on Saturday"},
    "start_trial": {"value": "0", "currency": "USD", "properties": {"plan": "monthly"}},
    "subscribe": _PLAN | {"order_id": "sub-3117"},
    "submit_application": {"description": "Instalment plan"},
    "application_approval": {"description": "Instalment plan"},
    "customize_product": _ONE_ITEM | {"properties": {"engraving": True}},
    "download": {"description": "Size guide"},
    "level_up": {"properties": {"level": 12}},
    "unlock_achievement": {"properties": {"achievement": "first_10k"}},
    "spend_virtual_currency": {"properties": {"coins": 250}},
    "join_group": {"properties": {"group": "Sunday runners"}},
    "ad_impression": {"properties": {"placement": "home"}},
    "ad_click": {"properties": {"placement": "home"}},
}
"""What an event says by its name; one without an entry says nothing more."""

_CONSENT: Final[Json] = {
    "ad_storage": "granted",
    "ad_user_data": "granted",
    "ad_personalization": "granted",
}
_PERSON: Final[Json] = {"email": "alice@example.com", "phone": "+12133734253"}
_PLACE: Final[Json] = {"city": "Los Angeles", "state": "CA", "zip": "90001", "country": "US"}


def _web(name: str) -> Json:
    page = name.replace("_", "-")
    return {
        "user": {
            **_PERSON,
            "external_id": "user_123",
            "first_name": "Alice",
            "last_name": "Doe",
            **_PLACE,
            "ip_address": "203.0.113.7",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
            "locale": "en-US",
            "client_id": "1421577031.1763112584",
            "tdid": "8e1f2a34-5b6c-4d7e-8f90-a1b2c3d4e5f6",
        },
        "click_ids": click_ids.ON_THE_WEB,
        "session_id": "1763112584",
        "page": {
            "url": f"https://shop.example/{page}",
            "referrer": "https://shop.example/",
        },
        "consent": _CONSENT,
    }


def _app(_: str) -> Json:
    return {
        "user": {
            **_PERSON,
            "country": "US",
            "ip_address": "203.0.113.7",
            "user_agent": "AcmeShop/7.4.1 (iPhone; iOS 18.6)",
            "locale": "en-US",
            "att_status": "AUTHORIZED",
            "idfa": "EA7583CD-A667-48BC-B806-42ECB2B48606",
            "idfv": "1F8E6B9C-2A4D-4E3F-9B7A-5C6D7E8F9A0B",
        },
        "click_ids": click_ids.IN_APPS,
        "session_id": "app-88213",
        "app": {"app_id": "id1234567890", "name": "Acme Shop", "version": "7.4.1"},
        "attribution": {
            "attributed": True,
            "attribution_provider": "self",
            "is_retargeting": False,
        },
        "consent": _CONSENT,
    }


def _offline(_: str) -> Json:
    return {
        "user": {**_PERSON, **_PLACE},
        "shop_id": "store-17",
        "consent": _CONSENT,
    }


def _crm(_: str) -> Json:
    return {
        "user": {**_PERSON, "external_id": "user_123"},
        "lead": {"lead_id": "7301593860117", "lead_event_source": "Acme CRM"},
        "consent": _CONSENT,
    }


_STANDS: Final = {"web": _web, "app": _app, "offline": _offline, "crm": _crm}
"""What an event says by where it happened."""


def example(name: str, source: str) -> Json:
    """The example of one standard name and action source."""
    return {
        "schema_version": "1",
        "event_id": f"{source}-{name.replace('_', '-')}-1",
        "event_name": name,
        "event_time": "2025-11-14T09:30:00Z",
        "advertiser": "acme",
        "action_source": source,
        **_STANDS[source](name),
        **_TELLS.get(name, {}),
    }


def examples() -> Iterator[tuple[str, Json]]:
    """By file name."""
    for name in STANDARD:
        for source in SOURCES:
            yield f"{name}.{source}.json", example(name, source)
