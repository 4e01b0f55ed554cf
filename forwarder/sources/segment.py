"""Segment and RudderStack (mapping section 6): ``track`` and ``page`` calls. All other calls hold
no conversion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from forwarder.sources.amounts import total
from forwarder.sources.contract import (
    Builder,
    Columns,
    Given,
    Options,
    Translation,
    misshapen,
    rows,
    rules,
)
from forwarder.sources.fields import Fields, Found, below, says_something

_RULES: Final = rules("""
    event_id            properties.event_id messageId
    event_time          timestamp originalTimestamp
    session_id          context.sessionId
    order_id            properties.order_id
    search_term         properties.query
    currency            properties.currency
    value               properties.revenue properties.total properties.value
    page.url            context.page.url properties.url
    page.referrer       context.page.referrer properties.referrer
    user.external_id    userId
    user.client_id      anonymousId
    user.phone          context.traits.phone
    user.first_name     context.traits.firstName
    user.last_name      context.traits.lastName
    user.city           context.traits.address.city
    user.state          context.traits.address.state
    user.zip            context.traits.address.postalCode
    user.country        context.traits.address.country
    user.ip_address     context.ip request_ip
    user.user_agent     context.userAgent
    user.locale         context.locale
    app.app_id          context.app.namespace
    app.name            context.app.name
    app.version         context.app.version
""")
_COLUMNS: Final = {
    "item_id": ("product_id", "sku"),
    "item_name": ("name",),
    "item_brand": ("brand",),
    "item_category": ("category",),
    "price": ("price",),
    "quantity": ("quantity",),
}
_PRODUCT: Final = ("product_id", "sku", "price")
"""One of these, and no list of products: the event is about one product."""
_EVENTS: Final = ("track", "page")
_OTHERS: Final = ("identify", "group", "alias", "screen")
_ADVERTISER: Final = ("properties.advertiser",)


def translate(given: Given, options: Options) -> Translation:
    """The event of a ``track`` or ``page`` call."""
    call = _call(given)
    if call in _OTHERS:
        return Translation((), f"{call} calls")
    if call not in _EVENTS:
        known = ", ".join((*_EVENTS, *_OTHERS[:-1]))
        raise misshapen("type", f"must be one of {known} or {_OTHERS[-1]}")
    builder = Builder(Fields(given))
    builder.apply(_RULES)
    if not builder.has("event_id"):
        builder.call("event_id", "messageId")  # every call has one, the other is the exception
    _name(builder, call)
    _emails(builder)
    builder.advertiser(_ADVERTISER, options)
    builder.arrival(options)
    _device(builder)
    _consent(builder, options.consent)
    if call == "track":
        _products(builder)
    for block in ("properties", "context.campaign"):
        builder.click_ids(block)
    builder.properties("properties")
    return Translation((builder.native(),))


def _call(given: Given) -> str:
    """What kind of call it is; one that names an event is a ``track`` call."""
    said = given.get("type")
    if not says_something(said):
        return "track" if "event" in given else ""
    return said.strip().lower() if isinstance(said, str) else ""


def _name(builder: Builder, call: str) -> None:
    builder.fields.ignore("type")
    builder.call("event_name", "event")
    if call == "page":
        builder.put("event_name", "page_view", "type")
    elif (found := builder.fields.find("event")) is not None:
        builder.put("event_name", found.value, found.path)


def _emails(builder: Builder) -> None:
    """Both may be there: the account's address, and the one that was typed in."""
    builder.call("user.email", "context.traits.email")
    found = builder.fields.every("context.traits.email", "properties.email")
    values: list[object] = []
    for one in found:
        values += one.value if isinstance(one.value, list) else [one.value]
    if values:
        paths = " or ".join(one.path for one in found)
        builder.put("user.email", values[0] if len(values) == 1 else values, paths)


# -- devices --------------------------------------------------------------------------------------
_SYSTEMS: Final = {"ios": "user.idfa", "android": "user.gaid"}
_TRACKING: Final = {
    "notdetermined": "NOT_DETERMINED",
    "restricted": "RESTRICTED",
    "denied": "DENIED",
    "authorized": "AUTHORIZED",
    **dict(zip("0123", ("NOT_DETERMINED", "RESTRICTED", "DENIED", "AUTHORIZED"), strict=True)),
}


def _device(builder: Builder) -> None:
    """The device tells app from web; its advertising id goes along where its user lets it."""
    fields = builder.fields
    type_ = fields.find("context.device.type")
    system = "" if type_ is None else str(type_.value).lower()
    if system in _SYSTEMS:
        builder.put("action_source", "app", "context.device.type")
    elif fields.find("context.page.url") is not None:
        builder.put("action_source", "web", "context.page")
    status = fields.find("context.device.trackingStatus", "context.device.attTrackingStatus")
    if status is not None and (said := _tracking(status)) is not None:
        builder.put("user.att_status", said, status.path)
    id_, allowed = (fields.find(f"context.device.{k}") for k in ("advertisingId", _ALLOWED))
    if id_ is None or system not in _SYSTEMS:
        return
    if allowed is not None and str(allowed.value).strip().lower() == "false":
        builder.note(id_.path, f"is left out: {allowed.path} is false")
    else:
        builder.put(_SYSTEMS[system], id_.value, id_.path)


_ALLOWED: Final = "adTrackingEnabled"


def _tracking(status: Found) -> str | None:
    said = "".join(filter(str.isalnum, str(status.value).lower()))
    return _TRACKING.get(said)


# -- consent --------------------------------------------------------------------------------------
_PREFERENCES: Final = "context.consent.categoryPreferences"
_MANAGED: Final = "context.consentManagement"
_UNREAD: Final = (
    "names categories of a consent tool and is not read: "
    "say in kafka.events_consent which of them stand for what"
)


def _consent(builder: Builder, wanted: Mapping[str, Sequence[str]]) -> None:
    """A consent is denied where one of its categories is, granted where all are."""
    paths = [path for path in (_PREFERENCES, _MANAGED) if builder.fields.find(path) is not None]
    if not paths:
        return
    said: dict[str, bool] = {}
    for category, granted in _categories(builder.fields.tree):
        said[category] = granted and said.get(category, True)  # a denial stands
    for consent, categories in wanted.items():
        answers = [said.get(category) for category in categories]
        if False in answers:
            builder.put(f"consent.{consent}", "denied", paths[0])
        elif answers and all(answers):
            builder.put(f"consent.{consent}", "granted", paths[0])
    if not wanted:
        for path in paths:
            builder.note(path, _UNREAD)


def _categories(given: Given) -> Iterator[tuple[str, bool]]:
    context = given.get("context")
    preferences = below(below(context, "consent"), "categoryPreferences")
    if isinstance(preferences, Mapping):
        yield from ((str(key), value is True) for key, value in preferences.items())
    managed = below(context, "consentManagement")
    for key, granted in (("allowedConsentIds", True), ("deniedConsentIds", False)):
        ids = below(managed, key)
        yield from ((str(id_), granted) for id_ in (ids if isinstance(ids, list) else ()))


# -- products -------------------------------------------------------------------------------------
def _products(builder: Builder) -> None:
    found = builder.fields.find("properties.products")
    if found is not None:
        rows(builder, found, Columns(f"{found.path}[].", _COLUMNS))
        return
    properties = builder.fields.tree.get("properties")
    if not any(says_something(below(properties, key)) for key in _PRODUCT):
        return
    own = {name for names in _COLUMNS.values() for name in names}
    product = {key: below(properties, key) for key in own}
    builder.fields.ignore(*(f"properties.{key}" for key in own))
    read = rows(builder, Found(product, "properties"), Columns("properties.", _COLUMNS))
    if not builder.has("value") and (amount := total(read)) is not None:
        builder.put("value", amount, "properties.price")
