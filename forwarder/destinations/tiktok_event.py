"""One event as TikTok's ``data[]`` takes it: ``docs/vendors/tiktok.md``."""

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


# Absent fields are left out as the blocks are made: for the ones that every event passes through,
# filling a dict and filtering it again costs more than the questions.


def _hashes(forms: Sequence[str]) -> str | list[str] | None:
    if len(forms) == 1:
        return hashed(forms[0])
    digests = list(dict.fromkeys(map(hashed, forms)))
    return digests[0] if len(digests) == 1 else digests or None


def _contact(user: User) -> Block:
    block: Block = {}
    if user.emails:
        block["email"] = _hashes(user.emails)
    if user.phones:
        block["phone"] = _hashes(user.phones)
    return block


def _add_external_ids(block: Block, user: User, defaults: Defaults) -> None:
    ids: Sequence[str] = user.external_ids
    if ids:
        lowered = defaults.lower_external_id
        block["external_id"] = _hashes([id_.lower() for id_ in ids] if lowered else ids)


def _add_browser(block: Block, user: User) -> None:
    if user.ip:
        block["ip"] = user.ip
    if user.user_agent:
        block["user_agent"] = user.user_agent
    if user.locale:
        locale = user.locale.replace("_", "-")
        if _BCP47.fullmatch(locale):
            block["locale"] = locale


def _add_click(block: Block, event: ConversionEvent) -> None:
    if click := ttclid(event):
        block["ttclid"] = click
    if ttp := event.click_ids.get("ttp"):
        block["ttp"] = ttp


def _add_name(block: Block, user: User) -> None:
    if user.first_name and (first := name(user.first_name)):
        block["first_name"] = hashed(first)
    if user.last_name and (last := name(user.last_name)):
        block["last_name"] = hashed(last)


def _place(given: str) -> str | None:
    """TikTok refuses the whole event for a place that is hashed."""
    form = geo(given)
    return None if form is None or is_digest(form) else form


def _add_place(block: Block, user: User) -> None:
    if user.zip and (code := zip_code(user.zip)):
        block["zip_code"] = hashed(code)
    if user.city and (city := _place(user.city)):
        block["city"] = city
    if user.state and (state := _place(user.state)):
        block["state"] = state
    if user.country:
        block["country"] = user.country.lower()


def _device_id(value: str | None, case: Callable[[str], str]) -> str | None:
    if not value:
        return None
    return value.lower() if is_digest(value) else case(value)


def _web(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    page = event.page
    url = page.url or defaults.page_url
    if url is None:
        return Rejected("page_url_missing", "a web event needs page.url or a default_page_url")
    user = event.user
    block = _contact(user)
    _add_external_ids(block, user, defaults)
    _add_click(block, event)
    _add_browser(block, user)
    _add_name(block, user)
    _add_place(block, user)
    share = event.attribution.attribution_share
    return {
        "user": block,
        "page": {"url": url, "referrer": page.referrer} if page.referrer else {"url": url},
        "ad": {} if share is None else {"attribution_share": share},
    }


def _app(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    app_id = event.app.app_id or defaults.app_id
    if app_id is None:
        return Rejected("app_id_missing", "an app event needs app.app_id or the account's app_id")
    user = event.user
    block = _contact(user)
    _add_browser(block, user)
    block |= filled(
        {
            "idfa": _device_id(user.idfa, str.upper),
            "idfv": user.idfv,
            "gaid": _device_id(user.gaid, str.lower),
            "att_status": user.att_status,
        }
    )
    app = {"app_id": app_id, "app_name": event.app.name, "app_version": event.app.version}
    return {"user": block, "app": filled(app), "ad": _ad(event.attribution)}


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
    return {"user": _contact(event.user)}


def _crm(event: ConversionEvent, defaults: Defaults) -> Block | Rejected:
    lead = event.lead
    if lead.lead_id is None:
        return Rejected("lead_id_missing", "a crm event needs lead.lead_id")
    user = _contact(event.user)
    _add_external_ids(user, event.user, defaults)
    source = lead.lead_event_source
    return {
        "user": user,
        "lead": filled({"lead_id": lead.lead_id, "lead_event_source": source}),
    }


_BLOCKS: Mapping[str, Callable[[ConversionEvent, Defaults], Block | Rejected]] = {
    "web": _web,
    "app": _app,
    "offline": _offline,
    "crm": _crm,
}


def _row(item: Item, quantity: int | None) -> Block:
    row: Block = {}
    if (price := item.price) is not None:
        row["price"] = number(price)
    if quantity:
        row["quantity"] = quantity
    if id_ := item.item_id:
        row["content_id"] = id_
    if category := item.item_category:
        row["content_category"] = category
    if name_ := item.item_name:
        row["content_name"] = name_
    if brand := item.item_brand:
        row["brand"] = brand
    return row


def _contents(items: Sequence[Item], defaults: Defaults) -> Block:
    """``num_items`` is the sum of the quantities, one for each that is missing; with a fraction
    among them there is none.
    """
    rows: list[Block] = []
    ids: dict[str, None] = {}
    count, whole_numbers = 0, True
    for item in items:
        given = item.quantity
        quantity = None if given is None else whole(given)
        count += 1 if quantity is None else quantity
        whole_numbers = whole_numbers and (given is None or quantity is not None)
        row = _row(item, quantity)
        if row:
            rows.append(row)
        if id_ := item.item_id:
            ids[id_] = None
    if not rows:
        return {}
    block: Block = {"content_type": defaults.content_type, "contents": rows}
    if ids:
        block["content_ids"] = list(ids)
    if count and whole_numbers:
        block["num_items"] = count
    return block


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
    with_person = source in ("web", "app")
    properties = _properties(event, *money, defaults)
    if with_person and event.customer_type:
        properties["customer_type"] = event.customer_type
    item: Block = {
        "event": name_,
        "event_time": math.floor(event.event_time),
        "event_id": event.event_id,
    }
    for key, block in blocks.items():
        if block:
            item[key] = block
    if properties:
        item["properties"] = properties
    if with_person and limited is not None:
        item["limited_data_use"] = limited
    return item


def _properties(
    event: ConversionEvent, currency: str | None, value: Decimal | None, defaults: Defaults
) -> Block:
    block = _contents(event.items, defaults) if event.items else {}
    if currency:
        block["currency"] = currency
    if value is not None:
        block["value"] = number(value)
    if event.search_term:
        block["search_string"] = event.search_term
    if event.description:
        block["description"] = event.description
    if event.order_id:
        block["order_id"] = event.order_id
    if shop_id := event.shop_id or defaults.shop_id:
        block["shop_id"] = shop_id
    if defaults.pass_properties:
        block |= _custom(event, defaults.pass_properties)
    return block
