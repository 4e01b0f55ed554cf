"""What can be done about an event that is not sent, and why a field is dropped: in words."""

from __future__ import annotations

from typing import Final

REMEDIES: Final = {
    "not_targeted": "its destinations name other vendors",
    "source_mismatch": "the account takes events of another action_source",
    "event_excluded": "the account's events.only or events.except leave it out",
    "unmapped_event": "give the names that matter a meaning in the account's events.names",
    "reserved_event": "give it another name in the account's events.names",
    "consent_denied": "the user said no",
    "consent_missing": "send consent.ad_user_data, and what the account's consent.require names",
    "limited_data_use": "say where the user is: consent.region, or user.country and user.state",
    "page_url_missing": "send page.url, or set the account's default_page_url",
    "app_id_missing": "send app.app_id, or set the account's app_id",
    "lead_id_missing": "send lead.lead_id",
    "value_missing": "send value",
    "currency_missing": "send currency, or set the advertiser's in advertisers",
    "currency_unlisted": "convert it, or set the account's unlisted_currency to drop_value",
    "request_too_large": "send less: one event is more than a request may hold",
}
"""By reason of a skip or rule of a rejection. Fields in them are the event's."""

_TEXT: Final = "not a text"
_ID: Final = "neither text nor a whole number"
_DIGEST: Final = "or a SHA-256 digest in hex"
_DEVICE: Final = "no device id: 16 to 64 hex digits and dashes, not all zeros"
_URL: Final = "no absolute http(s) URL of at most 4,096 characters"
_MONEY: Final = "no number of 0 or more"
_GRANT: Final = "neither granted nor denied"
FORMS: Final = {
    "user.email": f"not an e-mail address {_DIGEST}",
    "user.phone": f"not a phone number with its country (E.164) {_DIGEST}",
    "user.external_id": _ID,
    "user.first_name": _TEXT,
    "user.last_name": _TEXT,
    "user.zip": _TEXT,
    "user.city": _TEXT,
    "user.state": _TEXT,
    "user.country": "not a country's two letters (ISO 3166-1 alpha-2)",
    "user.ip_address": "not a public address",
    "user.user_agent": _TEXT,
    "user.locale": _TEXT,
    "user.client_id": _ID,
    "user.idfa": f"{_DEVICE}; or its user did not allow tracking",
    "user.idfv": _DEVICE,
    "user.gaid": _DEVICE,
    "user.att_status": "not a status of App Tracking Transparency",
    "user.tdid": "not a GUID of 36 characters",
    "user.uid2": "not 44 characters",
    "user.euid": "not 44 characters",
    "user.ramp_id": "neither 49 nor 70 characters",
    "action_source": "none of web, app, offline, crm",
    "customer_type": "neither new nor returning",
    "destinations": "not a list",
    "session_id": _ID,
    "order_id": _ID,
    "page.url": _URL,
    "page.referrer": _URL,
    "attribution.attribution_share": "not a number from 0 to 1",
    "items": "not a list of at most 500 objects that hold something",
    "items.item_id": _ID,
    "items.price": _MONEY,
    "items.quantity": _MONEY,
    "click_ids": "not texts or whole numbers by name",
    "properties": "more than 50, or no single values",
    "consent.ad_storage": _GRANT,
    "consent.ad_user_data": _GRANT,
    "consent.ad_personalization": _GRANT,
}
_OTHER_FORM: Final = "not in a form that can be used"


def why_dropped(path: str) -> str:
    """The form that the event's field ``path`` failed."""
    return FORMS.get(path) or FORMS.get(path.partition(".")[0]) or _OTHER_FORM
