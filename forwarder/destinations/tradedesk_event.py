"""One event as The Trade Desk's ``data[]`` takes it: ``docs/vendors/tradedesk.md``."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from forwarder.destinations.tradedesk_countries import ALPHA3
from forwarder.destinations.values import filled, money_text, utc
from forwarder.event import Consent, ConversionEvent, Item, User
from forwarder.normal import is_digest

Block = dict[str, object]
IdType = Literal["TDID", "UID2", "EUID", "IDL", "IDFA", "AAID"]
Location = Literal["none", "alpha2", "alpha3"]

APP_ORDER: tuple[IdType, ...] = ("IDFA", "AAID", "TDID", "UID2", "EUID", "IDL")
WEB_ORDER: tuple[IdType, ...] = ("TDID", "UID2", "EUID", "IDL", "IDFA", "AAID")
"""For every source but apps. [I]"""

_IMPRESSION_LENGTH = 36
_MAX_ORDER_ID = 64
_MAX_TD = 64


def _raw(value: str | None) -> str | None:
    return value if value and not is_digest(value) else None


def _idfa(user: User) -> str | None:
    return idfa.upper() if (idfa := _raw(user.idfa)) else None


def _aaid(user: User) -> str | None:
    return gaid.lower() if (gaid := _raw(user.gaid)) else None


_ID_OF: Mapping[IdType, Callable[[User], str | None]] = {
    "TDID": operator.attrgetter("tdid"),
    "UID2": operator.attrgetter("uid2"),
    "EUID": operator.attrgetter("euid"),
    "IDL": operator.attrgetter("ramp_id"),
    "IDFA": _idfa,
    "AAID": _aaid,
}


FIELD_OF: Mapping[IdType, str] = {
    "TDID": "user.tdid",
    "UID2": "user.uid2",
    "EUID": "user.euid",
    "IDL": "user.ramp_id",
    "IDFA": "user.idfa",
    "AAID": "user.gaid",
}
"""The event's field that each type of id comes from."""


def adid(user: User, order: Sequence[IdType]) -> tuple[str, IdType] | None:
    """The one id of an event and its type: more ids would count the conversion more than once."""
    for type_ in order:
        if found := _ID_OF[type_](user):
            return found, type_
    return None


def impression(event: ConversionEvent) -> str | None:
    """The Trade Desk's impression id, if it looks like one."""
    imp = event.click_ids.get("ttd_impression_id")
    return imp if imp and len(imp) == _IMPRESSION_LENGTH else None


def matches(event: ConversionEvent, order: Sequence[IdType]) -> bool:
    """Whether the vendor can tell whose event it is."""
    user = event.user
    return bool(
        user.ip or user.uid2_token or user.euid_token or adid(user, order) or impression(event)
    )


def privacy_settings(consent: Consent) -> list[Block]:
    """Only what is complete: the vendor refuses an element that lacks a part."""
    settings: list[Block] = []
    if consent.tcf:
        applies = consent.gdpr_applies is not False
        settings.append(_privacy("GDPR", consent.tcf, applicable=applies))
    if consent.us_privacy:
        applies = consent.us_privacy != "1---"
        settings.append(_privacy("CCPA", consent.us_privacy, applicable=applies))
    if consent.gpp:
        applies = tuple(consent.gpp_sid) != (-1,)
        settings.append(_privacy("GPP", consent.gpp, applicable=applies))
    return settings


def _privacy(kind: str, text: str, *, applicable: bool) -> Block:
    return {"privacy_type": kind, "is_applicable": applicable, "consent_string": text}


def order_id(event: ConversionEvent) -> str:
    """The order's id, else the event's: the only documented help against double counting."""
    if event.order_id:
        return event.order_id
    if len(event.event_id) <= _MAX_ORDER_ID:
        return event.event_id
    return hashlib.sha256(event.event_id.encode()).hexdigest()


def items(rows: Sequence[Item]) -> list[Block] | None:
    """The order's rows, every value a string; ``None``: nothing to say."""
    return [row for row in map(_item, rows) if row] or None


def _item(item: Item) -> Block:
    return filled(
        {
            "item_code": item.item_id,
            "name": item.item_name,
            "cat": item.item_category,
            "price": money_text(item.price),
            "qty": money_text(item.quantity),
        }
    )


def location(user: User, form: Location) -> Block:
    """Where the user is, as far as the account lets it be told. A digest says nothing here."""
    if form == "none":
        return {}
    country = user.country
    if country and form == "alpha3":
        country = ALPHA3.get(country)
    return {
        "country": country,
        "region": user.state,
        "metro": user.metro,
        "city": user.city,
        "zip": _raw(user.zip),
    }


_TD_FIELDS = """
schema_version event_id event_name event_time advertiser action_source
session_id shop_id order_id search_term description customer_type value currency
page.url page.referrer app.app_id app.name app.version lead.lead_id lead.lead_event_source
attribution.callback attribution.campaign_id attribution.ad_id attribution.creative_id
attribution.is_retargeting attribution.attributed attribution.attribution_type
attribution.attribution_provider attribution.attribution_share
consent.limited_data_use consent.gdpr_applies consent.tcf consent.us_privacy consent.gpp
consent.region
"""
_SCALARS = frozenset(_TD_FIELDS.split())
_MAPS = ("properties", "click_ids")


def td_value(path: str) -> Callable[[ConversionEvent], str | None]:
    """Reads a path of the event, as text of at most 64 characters [I].

    Raises ``ValueError`` for a path that is no scalar of the event, or the user's.
    """
    root, _, key = path.partition(".")
    if root == "user":
        raise ValueError(f"{path} is the user's; only other fields may go into td1 to td10")
    if path in _SCALARS:
        get = operator.attrgetter(path)
        return lambda event: _td_text(_rfc3339(event) if path == "event_time" else get(event))
    if root in _MAPS and key:
        of = operator.attrgetter(root)
        return lambda event: _td_text(of(event).get(key))
    raise ValueError(f"{path} is no single value of the event; try properties.plan or order_id")


def _rfc3339(event: ConversionEvent) -> str:
    return utc(math.floor(event.event_time))


def _td_text(value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value.strip()[:_MAX_TD]
        case Decimal():
            return money_text(value)
        case int() | float():
            return str(value)
        case _:
            return None
