"""What The Trade Desk takes in ``data[]``."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.sandbox.rules import (
    CURRENCY,
    FINE,
    GUID,
    URL,
    Problem,
    Problems,
    Rule,
    address,
    array,
    boolean,
    missing,
    one_of,
    record,
    text,
    wrong,
)

_DECIMAL = text(r"\d+(\.\d+)?", "a decimal string with a point")
_ITEM = record(
    {},
    {"item_code": text(), "name": text(), "qty": _DECIMAL, "price": _DECIMAL, "cat": text()},
)
_PRIVACY = record(
    {
        "privacy_type": one_of("GDPR", "CCPA", "GPP"),
        "is_applicable": boolean,
        "consent_string": text(),
    },
    {},
)


def _only_limited_use(value: object) -> Problems:
    return FINE if value == ["LDU"] else wrong('Not ["LDU"].')


_FIELDS: Mapping[str, Rule] = {
    "adv": text(),
    "merchant_id": text(),
    "tracker_id": text(),
    "upixel_id": text(),
    "event_name": text(longest=64),
    "referrer_url": URL,
    "value": _DECIMAL,
    "currency": CURRENCY,
    "adid": text(),
    "adid_type": one_of("TDID", "IDFA", "AAID", "DAID", "NAID", "IDL", "EUID", "UID2"),
    "uid2_token": text(),
    "euid_token": text(),
    "client_ip": address,
    "imp": text(r".{36}", "36 characters"),
    "order_id": text(),
    **{f"td{n}": text() for n in range(1, 11)},
    "items": array(_ITEM),
    **{name: text() for name in ("country", "region", "metro", "city", "zip")},
    "privacy_settings": array(_PRIVACY),
    "data_processing_option": record(
        {"policies": _only_limited_use, "region": text(r"US.*", "a region that starts with US")}, {}
    ),
}
_EVENT = record({}, _FIELDS)
_LENGTHS = {"UID2": (44,), "EUID": (44,), "IDL": (49, 70)}
_MATCH_KEYS = ("adid", "uid2_token", "euid_token", "imp", "client_ip")
_ERRORS = {"privacy_settings": "InvalidPrivacySetting"}


def event_problems(event: Mapping[str, object]) -> list[Problem]:
    """Why the vendor refuses this event."""
    found = list(_EVENT(event))
    found += _exactly_one(event, "adv", "merchant_id")
    found += _exactly_one(event, "tracker_id", "upixel_id")
    found += missing(event, _needed(event))
    found += _id_form(event)
    return found


def advice(event: Mapping[str, object]) -> list[Problem]:
    """What the vendor takes and a caller should not do all the same."""
    found = []
    if "order_id" not in event:
        found.append(Problem("order_id", "Left out: the only help against double counting."))
    if len(str(event.get("order_id", ""))) > 64:  # noqa: PLR2004 - mapping section 2
        found.append(Problem("order_id", "Longer than 64 characters."))
    if not any(key in event for key in _MATCH_KEYS):
        found.append(Problem("", "No match key: such an event can never be matched."))
    return found


def error_name(path: str) -> str:
    """The vendor's name for a fault of that field."""
    return _ERRORS.get(path.split(".", maxsplit=1)[0], "InvalidField")


def _exactly_one(event: Mapping[str, object], one: str, other: str) -> list[Problem]:
    if (one in event) != (other in event):
        return []
    return [Problem(one, f"Give exactly one of {one} and {other}.")]


def _needed(event: Mapping[str, object]) -> list[str]:
    needed = []
    if "tracker_id" in event:
        needed.append("event_name")
    if "upixel_id" in event:
        needed.append("referrer_url")
    if event.get("event_name") == "purchase":
        needed.append("value")
    if "value" in event or "currency" in event:
        needed += ["value", "currency"]
    if "adid" in event or "adid_type" in event:
        needed += ["adid", "adid_type"]
    return list(dict.fromkeys(needed))


def _id_form(event: Mapping[str, object]) -> list[Problem]:
    adid, kind = event.get("adid"), str(event.get("adid_type"))
    if not isinstance(adid, str):
        return []
    if kind == "TDID":
        return [problem.under("adid") for problem in GUID(adid)]
    lengths = _LENGTHS.get(kind)
    if lengths is None or len(adid) in lengths:
        return []
    return [Problem("adid", f"Not {' or '.join(map(str, lengths))} characters, as {kind} has.")]
