"""Requests that the vendors' pages allow, as full as they get, and a way to spoil one field."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import orjson

from forwarder.http.port import HttpRequest

DELETE = object()
Json = dict[str, Any]  # the tests reach into it by path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


TIKTOK_USER: dict[str, Json] = {
    "web": {
        "email": digest("alice@example.com"),
        "phone": [digest("+12133734253"), digest("+12133734254")],
        "external_id": digest("user_123"),
        "ttclid": "E.C.P.abc",
        "ttp": "2Xyz",
        "ip": "203.0.113.1",
        "user_agent": "Mozilla/5.0",
        "locale": "en-US",
        "first_name": digest("jane"),
        "last_name": digest("doe"),
        "zip_code": digest("m5v3l9"),
        "city": "newyork",
        "state": "ny",
        "country": "us",
    },
    "app": {
        "email": digest("alice@example.com"),
        "ip": "2001:db8::1",
        "user_agent": "okhttp/4",
        "locale": "de",
        "idfa": "EA7583CD-A667-48BC-B806-42ECB2B48606",
        "gaid": "aaaaaa-2222-1111-8787-809e92233ba0",
        "idfv": "EA7583CD-A667-48BC-B806-42ECB2B48606",
        "att_status": "AUTHORIZED",
    },
    "offline": {"email": digest("alice@example.com"), "phone": digest("+12133734253")},
    "crm": {"email": digest("alice@example.com"), "external_id": digest("user_123")},
}

TIKTOK_REST: dict[str, Json] = {
    "web": {
        "page": {"url": "https://shop.example/thanks?o=1", "referrer": "https://shop.example/"},
        "limited_data_use": False,
        "ad": {"attribution_share": 0.5},
    },
    "app": {
        "app": {"app_id": "1234567", "app_name": "Shop", "app_version": "1.2"},
        "limited_data_use": True,
        "ad": {
            "callback": "cb",
            "campaign_id": "c",
            "ad_id": "a",
            "creative_id": "r",
            "is_retargeting": False,
            "attributed": True,
            "attribution_type": "click",
            "attribution_provider": "p",
            "attribution_share": 1,
        },
    },
    "offline": {},
    "crm": {"lead": {"lead_id": "l-1", "lead_event_source": "hubspot"}},
}


def tiktok_event(source: str = "web", event_id: str = "order-1") -> Json:
    properties = {
        "content_ids": ["sku1"],
        "contents": [
            {
                "price": 59.9,
                "quantity": 2,
                "content_id": "sku1",
                "content_category": "shoes",
                "content_name": "Shoe",
                "brand": "Acme",
            }
        ],
        "content_type": "product",
        "currency": "USD",
        "value": 119.8,
        "num_items": 2,
        "search_string": "shoe",
        "description": "sale",
        "order_id": "1",
        "shop_id": "s",
        "loyalty_tier": "gold",  # passed through by an account's settings
    }
    if source in ("web", "app"):
        properties["customer_type"] = "new"
    event = {
        "event": "Purchase",
        "event_time": 1_795_000_000,
        "event_id": event_id,
        "user": TIKTOK_USER[source],
        "properties": properties,
        **TIKTOK_REST[source],
    }
    return copy.deepcopy(event)


def tradedesk_event(order_id: str = "order-1") -> Json:
    return {
        "adv": "abc1234",
        "tracker_id": "tr1",
        "event_name": "purchase",
        "referrer_url": "https://shop.example/thanks",
        "value": "19.98",
        "currency": "USD",
        "adid": "12345678-1234-1234-1234-1234567890ab",
        "adid_type": "TDID",
        "uid2_token": "token",
        "client_ip": "203.0.113.1",
        "imp": "12345678-1234-1234-1234-1234567890ab",
        "order_id": order_id,
        "td1": "gold",
        "td10": "x",
        "items": [{"item_code": "sku1", "name": "Shoe", "qty": "2", "price": "9.99", "cat": "c"}],
        "country": "USA",
        "region": "CA",
        "metro": "803",
        "city": "Los Angeles",
        "zip": "90001",
        "privacy_settings": [
            {"privacy_type": "GDPR", "is_applicable": True, "consent_string": "CPabc"},
            {"privacy_type": "CCPA", "is_applicable": False, "consent_string": "1---"},
        ],
        "data_processing_option": {"policies": ["LDU"], "region": "US-CA"},
    }


def thrad_conversion(event_id: str = "order-1") -> Json:
    return {
        "click_id": "click-1",
        "conversion_time": "2026-11-21T12:00:00Z",
        "conversion_value": 99.99,
        "currency": "USD",
        "event_type": "purchase_completed",
        "order_id": event_id,
        "event_id": event_id,
        "tag_id": "tag",
        "page_url": "https://shop.example/thanks",
        "referrer": "https://shop.example/",
        "user_agent": "Mozilla/5.0",
        "session_id": "s1",
        "client_id": "c1",
    }


def spoiled(event: Json, path: str, value: object) -> Json:
    """``event`` with the field at ``path`` replaced, or taken away by ``DELETE``."""
    found: Any = copy.deepcopy(event)
    top = found
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        found = found[key]
    if value is DELETE:
        del found[last]
    else:
        found[last] = value
    assert isinstance(top, dict)
    return top


def tiktok_request(
    *events: Json, source: str = "web", token: str = "token-a", **more: object
) -> HttpRequest:
    envelope = {"event_source": source, "event_source_id": "PIXEL", "data": list(events), **more}
    headers = {"Access-Token": token, "Content-Type": "application/json"}
    url = "http://vendors/tiktok/open_api/v1.3/event/track/"
    return HttpRequest("POST", url, headers, orjson.dumps(envelope))


def tradedesk_request(*events: Json, **headers: str) -> HttpRequest:
    url = "http://vendors/tradedesk/track/realtimeconversion"
    plain = {"Content-Type": "application/json"}
    return HttpRequest("POST", url, plain | headers, orjson.dumps({"data": list(events)}))


def thrad_request(conversion: Json, key: str = "key-a", idempotency_key: str = "i1") -> HttpRequest:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
    }
    url = "http://vendors/thrad/api/conversion"
    return HttpRequest("POST", url, headers, orjson.dumps(conversion))
