"""Google Analytics 4 (mapping section 6): Measurement Protocol payloads, rows of the BigQuery
export, and the event data of a server-side tag manager.

All three are first laid out alike: ``event`` (name and time), ``params`` (the event's parameters),
and beside them what belongs to the whole payload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from forwarder.sources.amounts import total
from forwarder.sources.contract import (
    Builder,
    Columns,
    Given,
    Native,
    Options,
    Translation,
    misshapen,
    rows,
    rules,
)
from forwarder.sources.fields import Fields, below, says_something

_RULES: Final = rules("""
    event_name          event.name
    event_time          event.timestamp_micros timestamp_micros
    event_id            params.event_id
    session_id          params.ga_session_id params.session_id
    order_id            params.transaction_id ecommerce.transaction_id
    search_term         params.search_term
    customer_type       params.customer_type
    currency            params.currency params.items.currency items.currency
    value               params.value ecommerce.purchase_revenue
    page.url            params.page_location
    page.referrer       params.page_referrer
    user.external_id    user_id
    user.client_id      client_id
    user.email          user_data.email_address user_data.sha256_email_address
    user.phone          user_data.phone_number user_data.sha256_phone_number
    user.first_name     user_data.address.first_name user_data.address.sha256_first_name
    user.last_name      user_data.address.last_name user_data.address.sha256_last_name
    user.city           user_data.address.city
    user.state          user_data.address.region
    user.zip            user_data.address.postal_code
    user.country        user_data.address.country
    user.ip_address     ip_override
    user.user_agent     user_agent
    user.locale         language device.language
    app.app_id          app_info.id
    app.version         app_info.version
    consent.ad_storage          consent.ad_storage
    consent.ad_user_data        consent.ad_user_data
    consent.ad_personalization  consent.ad_personalization
""")
_ITEMS: Final = {
    name: (name,)
    for name in ("item_id", "item_name", "item_brand", "item_category", "price", "quantity")
}
_WHOLE: Final = frozenset(
    {"user_id", "client_id", "user_pseudo_id", "app_instance_id", "user_data", "user_properties"}
    | {"consent", "privacy_info", "non_personalized_ads", "device", "app_info", "platform"}
    | {"ecommerce", "collected_traffic_source", "ip_override", "user_agent", "language"}
    | {"timestamp_micros"}
)
"""Fields of event data that belong to the whole, where nothing else tells them from parameters."""
_APPS: Final = frozenset({"IOS", "ANDROID"})
_FOLDED: Final = (
    "is a digest by Google's rule, which drops the dots of gmail addresses: those will not match "
    "elsewhere, so send email_address where you can"
)
_ADVERTISER: Final = ("params.advertiser", "advertiser")


class _Shape(NamedTuple):
    """One event, laid out as the rules read it. ``shown``: the user's spelling of a path."""

    tree: Given
    shown: Callable[[str], str]


def translate(given: Given, options: Options) -> Translation:
    """Every event of a payload, in its order."""
    shapes = list(_shapes(given))
    if not shapes:
        return Translation((), "a payload without events")
    return Translation(tuple(_native(shape, n, options) for n, shape in enumerate(shapes)))


# -- shapes ---------------------------------------------------------------------------------------
def _shapes(given: Given) -> Iterator[_Shape]:
    if "events" in given:
        yield from _payload(given)
    elif "event_params" in given:
        yield _exported(given)
    elif "event_name" in given:
        yield _event_data(given)
    else:
        rule = (
            "is no GA4 event: a Measurement Protocol payload has `events`, a BigQuery row "
            "`event_params`, event data of a server container `event_name`"
        )
        raise misshapen("$", rule)


def _payload(given: Given) -> Iterator[_Shape]:
    events = given["events"]
    if not isinstance(events, list) or not all(isinstance(one, Mapping) for one in events):
        raise misshapen("events", "must be a list of objects")
    whole = {key: value for key, value in given.items() if key != "events"}
    for number, event in enumerate(events):
        params = event.get("params")
        own = {key: value for key, value in event.items() if key != "params"}
        if params is not None and not isinstance(params, Mapping):
            raise misshapen(f"events[{number}].params", "must be an object")
        yield _Shape({**whole, "event": own, "params": params or {}}, _of_payload(number))


def _of_payload(number: int) -> Callable[[str], str]:
    def shown(path: str) -> str:
        root = path.partition(".")[0]
        return f"events[{number}].{path.removeprefix('event.')}" if root in _OF_EVENT else path

    return shown


_OF_EVENT: Final = frozenset({"event", "params"})


def _exported(row: Given) -> _Shape:
    whole: dict[str, object] = {
        key: value for key, value in row.items() if key not in ("event_name", "event_timestamp")
    }
    event = {"name": row.get("event_name"), "timestamp_micros": row.get("event_timestamp")}
    whole |= {"event": event, "params": _unpacked(whole.pop("event_params", None), "event_params")}
    if "user_properties" in whole:
        whole["user_properties"] = _unpacked(whole["user_properties"], "user_properties")
    return _Shape(whole, _of_export)


def _unpacked(pairs: object, path: str) -> dict[str, object]:
    """``[{key, value: {string_value, int_value, ...}}]`` as an object. Each value stands in the
    column of its type.
    """
    if not says_something(pairs):
        return {}
    if not isinstance(pairs, list):
        raise misshapen(path, "must be a list of {key, value}")
    keys = [below(pair, "key") for pair in pairs]
    return {
        key: _typed(below(pair, "value"))
        for key, pair in zip(keys, pairs, strict=True)
        if isinstance(key, str)
    }


def _typed(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    types = ("string_value", "int_value", "double_value", "float_value")
    return next((value[name] for name in types if value.get(name) is not None), None)


_OF_ROW: Final = {"event.name": "event_name", "event.timestamp_micros": "event_timestamp"}


def _of_export(path: str) -> str:
    root, _, rest = path.partition(".")
    if root == "params":
        return f"event_params.{rest}" if rest else "event_params"
    return _OF_ROW.get(path, path)


def _event_data(given: Given) -> _Shape:
    """Everything flat: what a tag manager holds, and exports whose parameters became columns."""
    event = {"name": given["event_name"], "timestamp_micros": given.get("event_timestamp")}
    whole = {key: value for key, value in given.items() if key in _WHOLE}
    rest = given.keys() - _WHOLE - {"event_name", "event_timestamp"}
    params = {key: value for key, value in given.items() if key in rest}
    return _Shape({**whole, "event": event, "params": params}, _of_data)


def _of_data(path: str) -> str:
    if path == "event.timestamp_micros":
        return "timestamp_micros"
    root, _, rest = path.partition(".")
    return {"event": "event_name", "params": rest}.get(root, path)


# -- one event ------------------------------------------------------------------------------------
def _native(shape: _Shape, number: int, options: Options) -> Native:
    fields = Fields(shape.tree, shape.shown)
    builder = Builder(fields)
    builder.apply(_RULES)
    builder.advertiser(_ADVERTISER, options)
    builder.arrival(options)
    _source(builder)
    _devices(builder)
    _consent(builder)
    _money(builder)
    _digests(builder)
    builder.click_ids("params")
    builder.click_ids("collected_traffic_source")
    named = fields.find("client_id", "app_instance_id", "user_pseudo_id", "user_id")
    moment = fields.find("event.timestamp_micros", "timestamp_micros")
    parts = [found.value if found else None for found in (named, moment, fields.find("event.name"))]
    builder.derived_id([*parts, str(number)], options)
    builder.properties("params", inner="x-")
    return builder.native()


def _source(builder: Builder) -> None:
    """An app stream says so by its instance id, or in exports by its platform."""
    fields = builder.fields
    instance, platform = fields.find("app_instance_id"), fields.find("platform")
    app = instance is not None or (platform is not None and str(platform.value).upper() in _APPS)
    builder.put("action_source", "app" if app else "web", "platform")
    pseudo = fields.find("user_pseudo_id")
    if pseudo is not None and not app and not builder.has("user.client_id"):
        builder.put("user.client_id", pseudo.value, pseudo.path)


def _devices(builder: Builder) -> None:
    """Exports of apps name the advertising id; one of a user who limits tracking stays here."""
    fields = builder.fields
    system = fields.find("platform", "device.operating_system")
    limited = fields.find("device.is_limited_ad_tracking")
    id_, vendor = fields.find("device.advertising_id"), fields.find("device.vendor_id")
    apple = system is not None and str(system.value).upper() == "IOS"
    if vendor is not None and apple:
        builder.put("user.idfv", vendor.value, vendor.path)
    if id_ is None or system is None or str(system.value).upper() not in _APPS:
        return
    if limited is not None and str(limited.value).lower() in ("yes", "true"):
        builder.note(id_.path, "is left out: the user limits ad tracking")
        return
    builder.put("user.idfa" if apple else "user.gaid", id_.value, id_.path)


_YES_NO: Final = {"yes": "granted", "no": "denied", "true": "granted", "false": "denied"}
_SIGNAL_LENGTH: Final = 4


def _consent(builder: Builder) -> None:
    """What the payload says beside its ``consent``: the export's privacy columns, the consent mode
    signal (``G1`` and a digit for ad storage and analytics), the old switch for personal ads.
    """
    fields = builder.fields
    exported = fields.find("privacy_info.ads_storage")
    if exported is not None and str(exported.value).lower() in _YES_NO:
        builder.consent("consent.ad_storage", _YES_NO[str(exported.value).lower()], exported.path)
    signal = fields.find("params.x-ga-gcs")
    if signal is not None:
        said = str(signal.value).upper()
        if said.startswith("G1") and len(said) == _SIGNAL_LENGTH and said[2] in "01":
            builder.consent(
                "consent.ad_storage", "granted" if said[2] == "1" else "denied", signal.path
            )
    impersonal = fields.find("non_personalized_ads")
    if impersonal is not None and impersonal.value is True:
        builder.put("consent.ad_personalization", "denied", impersonal.path)


def _money(builder: Builder) -> None:
    """Items, and what they say of the event's value and currency where it says nothing itself."""
    fields = builder.fields
    found = fields.find("params.items", "items")
    if found is None:
        return
    columns = Columns(f"{found.path}[].", _ITEMS, frozenset({"currency"}))
    read = rows(builder, found, columns)
    if not builder.has("value") and (amount := total(read)) is not None:
        builder.put("value", amount, f"{found.path}[].price")


def _digests(builder: Builder) -> None:
    """Says what a digest of an e-mail address is worth. Where the address itself is there, its
    digest says nothing more.
    """
    fields = builder.fields
    plain, digest = (fields.find(f"user_data.{name}email_address") for name in ("", "sha256_"))
    if plain is None and digest is not None:
        builder.note(digest.path, _FOLDED)
