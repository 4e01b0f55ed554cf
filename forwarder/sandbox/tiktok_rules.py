"""What TikTok's Events API 2.0 takes in ``data[]``, by event source."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.sandbox.rules import (
    SHA256,
    URL,
    Problems,
    Rule,
    address,
    array,
    boolean,
    integer,
    number,
    one_of,
    one_or_many,
    record,
    scalar,
    text,
    wrong,
)

SOURCES = ("web", "app", "offline", "crm")
MAX_EVENTS = 1000

# Names that every source but app shares; the last line is what TikTok still converts or phases out.
STANDARD_NAMES = (
    "AddPaymentInfo AddToCart AddToWishlist ApplicationApproval CompleteRegistration Contact "
    "CustomizeProduct Download FindLocation InitiateCheckout Lead Purchase Schedule Search "
    "StartTrial SubmitApplication Subscribe ViewContent "
    "CompletePayment SubmitForm ClickButton PlaceAnOrder"
)

CURRENCIES = (
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL "
    "HUF IDR ILS INR ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR "
    "PLN PYG QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD VES VND ZAR"
)

_SECONDS = integer(1_262_304_000, 99_999_999_999)  # 2010 to the first value read as milliseconds
_LOCALE = text(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", "a BCP-47 language tag")
_IDFA = text(r"[0-9A-F-]{16,64}|[0-9a-f]{64}", "an upper-case device id or its SHA-256")
_GAID = text(r"[0-9a-f-]{16,64}", "a lower-case device id or its SHA-256")


def _place(value: object) -> Problems:
    """City, state and country: letters and digits, lower case, no hash."""
    if not isinstance(value, str):
        return wrong("Not a valid string.")
    if not value.isalnum() or value != value.lower():
        return wrong("Not lower-case letters and digits only.")
    return wrong("Must not be hashed.") if not SHA256(value) else ()


_HASHES = one_or_many(SHA256)
_EVERYWHERE: Mapping[str, Rule] = {"email": _HASHES, "phone": _HASHES}
_DEVICE: Mapping[str, Rule] = {"ip": address, "user_agent": text(), "locale": _LOCALE}

_USER: Mapping[str, Mapping[str, Rule]] = {
    "web": {
        **_EVERYWHERE,
        **_DEVICE,
        "external_id": _HASHES,
        "ttclid": text(),
        "ttp": text(),
        "first_name": SHA256,
        "last_name": SHA256,
        "zip_code": SHA256,
        "city": _place,
        "state": _place,
        "country": _place,
    },
    "app": {
        **_EVERYWHERE,
        **_DEVICE,
        "idfa": _IDFA,
        "gaid": _GAID,
        "idfv": text(),
        "att_status": one_of(
            "AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE"
        ),
    },
    "offline": _EVERYWHERE,
    "crm": {**_EVERYWHERE, "external_id": _HASHES},
}

_CONTENT = record(
    {},
    {
        "price": number(),
        "quantity": integer(1),
        "content_id": text(),
        "content_category": text(),
        "content_name": text(),
        "brand": text(),
    },
)


def _old_name(_value: object) -> Problems:
    return wrong("A name of API 1.0.")


_PROPERTIES: Mapping[str, Rule] = {
    "content_ids": array(text()),
    "contents": array(_CONTENT),
    "content_type": one_of("product", "product_group"),
    "currency": one_of(*CURRENCIES.split()),
    "value": number(),
    "num_items": integer(1),
    "search_string": text(),
    "description": text(),
    "order_id": text(),
    "shop_id": text(),
    "query": _old_name,
}
_CUSTOMER_TYPE: Mapping[str, Rule] = {"customer_type": one_of("new", "returning")}
_PAGE = record({"url": URL}, {"referrer": text()})
_APP = record({"app_id": text()}, {"app_name": text(), "app_version": text()})
_LEAD = record({"lead_id": text()}, {"lead_event_source": text()})
_SHARE: Mapping[str, Rule] = {"attribution_share": number(0, 1)}
_AD = record(
    {},
    {
        **_SHARE,
        "callback": text(),
        "campaign_id": text(),
        "ad_id": text(),
        "creative_id": text(),
        "is_retargeting": boolean,
        "attributed": boolean,
        "attribution_type": text(),
        "attribution_provider": text(),
    },
)

_REQUIRED: Mapping[str, Mapping[str, Rule]] = {
    "web": {"page": _PAGE},
    "app": {"app": _APP},
    "offline": {},
    "crm": {"lead": _LEAD},
}
_LIMITED: Mapping[str, Rule] = {"limited_data_use": boolean}
_OPTIONAL: Mapping[str, Mapping[str, Rule]] = {
    "web": {**_LIMITED, "ad": record({}, _SHARE)},
    "app": {**_LIMITED, "ad": _AD},
    "offline": {},
    "crm": {},
}


def _event(source: str) -> Rule:
    required: dict[str, Rule] = {
        "event": one_of(*STANDARD_NAMES.split()) if source == "offline" else text(longest=100),
        "event_time": _SECONDS,
        "event_id": text(longest=256),
        **_REQUIRED[source],
    }
    limited_sources = source in ("web", "app")
    properties = {**_PROPERTIES, **(_CUSTOMER_TYPE if limited_sources else {})}
    if not limited_sources:
        properties["customer_type"] = lambda _value: wrong("Only for web and app.")
    optional: dict[str, Rule] = {
        "user": record({}, _USER[source]),
        "properties": record({}, properties, other=scalar),
        **_OPTIONAL[source],
    }
    return record(required, optional)


EVENT: Mapping[str, Rule] = {source: _event(source) for source in SOURCES}
ENVELOPE = record(
    {
        "event_source": one_of(*SOURCES),
        "event_source_id": text(),
        "data": array(lambda _event: (), longest=MAX_EVENTS),
    },
    {"test_event_code": text()},
)
