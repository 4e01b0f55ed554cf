"""One event as TikTok's ``data[]`` takes it: ``mapping.md`` section 2."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from forwarder.destinations.contract import Rejected
from forwarder.destinations.tiktok_names import CURRENCIES
from forwarder.destinations.values import filled, host, number, query_value, whole
from forwarder.event import Attribution, ConversionEvent, Item, User
from forwarder.normal import geo, hashed, is_digest, name, zip_code

Block = dict[str, object]

_BCP47 = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
MAPPED_PROPERTIES = frozenset(
    {
        "content_ids",
        "contents",
        "content_type",
        "currency",
        "value",
        "num_items",
        "search_string",
        "description",
        "order_id",
        "shop_id",
        "customer_type",
        "query",  # the older name of search_string: never sent
    }
)
"""Keys of ``properties`` with a meaning of their own: no custom property goes there."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What of an account's settings the event's JSON depends on."""

    page_url: str | None
    app_id: str | None
    shop_id: str | None
    content_type: str
    lower_external_id: bool
    drop_unlisted_value: bool
    pass_properties: tuple[str, ...]


def ttclid(event: ConversionEvent) -> str | None:
    """The click id: the event's own, else of the page's URL, else of its own site's referrer."""
    given = event.click_ids.get("ttclid")
    if given:
        return given
    url, referrer = event.page.url, event.page.referrer
    found = query_value(url, "ttclid")
    if found or url is None or referrer is None or "ttclid=" not in referrer:
        return found
    return query_value(referrer, "ttclid") if host(referrer) == host(url) else None


def _ip_and_agent(user: User) -> bool:
    return bool(user.ip and user.user_agent)


def _web_matches(event: ConversionEvent) -> bool:
    user = event.user
    return bool(
        user.emails
        or user.external_ids
        or event.click_ids.get("ttp")
        or _ip_and_agent(user)
        or ttclid(event)
        or user.phones
    )


def _app_matches(event: ConversionEvent) -> bool:
    user = event.user
    return bool(
        user.emails
        or user.idfa
        or user.gaid
        or user.idfv
        or event.attribution.callback
        or _ip_and_agent(user)
        or user.phones
    )


def _offline_matches(event: ConversionEvent) -> bool:
    return bool(event.user.emails or event.user.phones)


def _crm_matches(_: ConversionEvent) -> bool:
    return True  # the lead id is the key; without one the event is rejected, not skipped


MATCHES: Mapping[str, Callable[[ConversionEvent], bool]] = {
    "web": _web_matches,
    "app": _app_matches,
    "offline": _offline_matches,
    "crm": _crm_matches,
}
"""Whether an event holds a key that TikTok can match, by source. Phone last: it costs most."""


def _hash(form: str | None) -> str | None:
    return hashed(form) if form else None


def _hashes(forms: Sequence[str]) -> str | list[str] | None:
    if len(forms) == 1:
        return hashed(forms[0])
    digests = list(dict.fromkeys(map(hashed, forms)))
    return digests[0] if len(digests) == 1 else digests or None


def _external_ids(user: User, defaults: Defaults) -> str | list[str] | None:
    ids: Sequence[str] = user.external_ids
    return _hashes([id_.lower() for id_ in ids] if defaults.lower_external_id else ids)


def _contact(user: User) -> Block:
    return {"email": _hashes(user.emails), "phone": _hashes(user.phones)}


def _browser(user: User) -> Block:
    locale = user.locale.replace("_", "-") if user.locale else ""
    return {
        "ip": user.ip,
        "user_agent": user.user_agent,
        "locale": locale if _BCP47.fullmatch(locale) else None,
    }


def _device_id(value: str | None, case: Callable[[str], str]) -> str | None:
    if not value:
        return None
    return value.lower() if is_digest(value) else case(value)


def _web(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    url = event.page.url or defaults.page_url
    if url is None:
        return Rejected("page_url_missing", "a web event needs page.url or a default_page_url")
    user = event.user
    block = {
        **_contact(user),
        "external_id": _external_ids(user, defaults),
        "ttclid": ttclid(event),
        "ttp": event.click_ids.get("ttp"),
        **_browser(user),
        "first_name": _hash(name(user.first_name)) if user.first_name else None,
        "last_name": _hash(name(user.last_name)) if user.last_name else None,
        "zip_code": _hash(zip_code(user.zip)) if user.zip else None,
        "city": geo(user.city) if user.city else None,
        "state": geo(user.state) if user.state else None,
        "country": user.country.lower() if user.country else None,
    }
    return {
        "user": filled(block),
        "page": filled({"url": url, "referrer": event.page.referrer}),
        "ad": filled({"attribution_share": event.attribution.attribution_share}),
    }


def _app(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    app_id = event.app.app_id or defaults.app_id
    if app_id is None:
        return Rejected("app_id_missing", "an app event needs app.app_id or the account's app_id")
    user = event.user
    block = {
        **_contact(user),
        **_browser(user),
        "idfa": _device_id(user.idfa, str.upper),
        "idfv": user.idfv,
        "gaid": _device_id(user.gaid, str.lower),
        "att_status": user.att_status,
    }
    app = {"app_id": app_id, "app_name": event.app.name, "app_version": event.app.version}
    return {"user": filled(block), "app": filled(app), "ad": _ad(event.attribution)}


def _ad(attribution: Attribution) -> Block:
    return filled(
        {
            "callback": attribution.callback,
            "campaign_id": attribution.campaign_id,
            "ad_id": attribution.ad_id,
            "creative_id": attribution.creative_id,
            "is_retargeting": attribution.is_retargeting,
            "attributed": attribution.attributed,
            "attribution_type": attribution.attribution_type,
            "attribution_provider": attribution.attribution_provider,
            "attribution_share": attribution.attribution_share,
        }
    )


def _offline(event: ConversionEvent, _: Defaults) -> Block | Rejected:
    return {"user": filled(_contact(event.user))}


def _crm(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    lead = event.lead
    if lead.lead_id is None:
        return Rejected("lead_id_missing", "a crm event needs lead.lead_id")
    user = {**_contact(event.user), "external_id": _external_ids(event.user, defaults)}
    source = lead.lead_event_source
    return {
        "user": filled(user),
        "lead": filled({"lead_id": lead.lead_id, "lead_event_source": source}),
    }


_BLOCKS: Mapping[str, Callable[[ConversionEvent, Defaults], Block | Rejected]] = {
    "web": _web,
    "app": _app,
    "offline": _offline,
    "crm": _crm,
}


def _row(item: Item) -> Block:
    return filled(
        {
            "price": None if item.price is None else number(item.price),
            "quantity": whole(item.quantity) or None,
            "content_id": item.item_id,
            "content_category": item.item_category,
            "content_name": item.item_name,
            "brand": item.item_brand,
        }
    )


def _count(items: Sequence[Item]) -> int | None:
    """The sum of the quantities, one for each that is missing; ``None`` with a fraction."""
    total = 0
    for item in items:
        quantity = 1 if item.quantity is None else whole(item.quantity)
        if quantity is None:
            return None
        total += quantity
    return total or None


def _contents(items: Sequence[Item], defaults: Defaults) -> Block:
    rows = [row for row in map(_row, items) if row]
    if not rows:
        return {}
    ids = dict.fromkeys(item.item_id for item in items if item.item_id)
    return {
        "content_type": defaults.content_type,
        "content_ids": list(ids) or None,
        "contents": rows,
        "num_items": _count(items),
    }


def _custom(event: ConversionEvent, names: Sequence[str]) -> Block:
    if not names:
        return {}  # and the event need not read them
    properties = event.properties
    return {name: properties[name] for name in names if name in properties}


def _money(
    event: ConversionEvent, defaults: Defaults
) -> tuple[str | None, Decimal | None] | Rejected:
    currency = event.currency
    if currency is None or currency in CURRENCIES:
        return currency, event.value
    if defaults.drop_unlisted_value:
        return None, None
    return Rejected("currency_unlisted", f"TikTok does not list {currency}")


def data(
    event: ConversionEvent,
    name_: str,
    source: str,
    limited: bool | None,
    defaults: Defaults,
) -> Block | Rejected:
    """The event for an account of ``source``, under TikTok's name for it."""
    blocks = _BLOCKS[source](event, defaults)
    if isinstance(blocks, Rejected):
        return blocks
    money = _money(event, defaults)
    if isinstance(money, Rejected):
        return money
    currency, value = money
    with_person = source in ("web", "app")
    properties = {
        "currency": currency,
        "value": None if value is None else number(value),
        **(_contents(event.items, defaults) if event.items else {}),
        "search_string": event.search_term,
        "description": event.description,
        "order_id": event.order_id,
        "shop_id": event.shop_id or defaults.shop_id,
        "customer_type": event.customer_type if with_person else None,
        **_custom(event, defaults.pass_properties),
    }
    item: Block = {
        "event": name_,
        "event_time": math.floor(event.event_time),
        "event_id": event.event_id,
        **{key: block for key, block in blocks.items() if block},
    }
    if kept := filled(properties):
        item["properties"] = kept
    if with_person and limited is not None:
        item["limited_data_use"] = limited
    return item
