"""The event, version 1: one schema for all producers (``interface.md``), read leniently.

STUB of the names that everybody may build on. Required fields and the money rules make an event
invalid; every other field that fails its normal form is dropped, noted in ``dropped``, and the
event goes on. Attributes hold normal forms (``mapping.md`` section 1) or ``None``/empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

MAX_BYTES = 1 << 20
ActionSource = Literal["web", "app", "offline", "crm"]
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class AdvertiserDefaults:
    """What an advertiser's events take where they say nothing. ``phone_region``: alpha-2."""

    currency: str | None = None
    phone_region: str | None = None


class FieldError(NamedTuple):
    """One broken rule: the field's path as the producer writes it, and the rule in words."""

    path: str
    rule: str


class InvalidEvent(Exception):
    """The record is no event. ``reason`` is the dead letter's; no value stands in the text."""

    def __init__(
        self,
        reason: Literal["invalid_event", "undecodable", "unsupported_version", "oversize"],
        errors: Sequence[FieldError],
    ) -> None:
        super().__init__("; ".join(f"{e.path}: {e.rule}" for e in errors))
        self.reason = reason
        self.errors = tuple(errors)


def decode(
    value: bytes | None,
    advertisers: Mapping[str, AdvertiserDefaults],
    now: float,
    appended_at: float | None = None,
) -> ConversionEvent:
    """The event in a record's value (plain or Confluent-framed JSON).

    ``advertisers``: defaults by advertiser, ``"*"`` for all others. ``now``, ``appended_at``: epoch
    seconds; ``event_time`` may be at most 10 min after the later of the two.
    Raises ``InvalidEvent``.
    """
    raise NotImplementedError


def decode_checked(value: bytes, advertisers: Mapping[str, AdvertiserDefaults]) -> ConversionEvent:
    """The event in a record that ``decode`` has accepted before: same result, less work."""
    raise NotImplementedError


class User:
    emails: tuple[str, ...]  # normal e-mails or digests, at most 10
    phones: tuple[str, ...]  # E.164 or digests, at most 10
    external_ids: tuple[str, ...]  # trimmed, case kept, or digests
    first_name: str | None  # as given, trimmed (a digest lower-cased); normal.name() makes the form
    last_name: str | None
    zip: str | None
    city: str | None
    state: str | None  # "US-CA" -> "CA" when the prefix equals country
    country: str | None  # alpha-2, upper-case
    metro: str | None
    ip: str | None
    user_agent: str | None
    locale: str | None
    client_id: str | None
    idfa: str | None  # as given; dropped when att_status denies it
    idfv: str | None
    gaid: str | None
    att_status: str | None  # upper-case
    tdid: str | None
    uid2: str | None
    uid2_token: str | None
    euid: str | None
    euid_token: str | None
    ramp_id: str | None


class Page:
    url: str | None
    referrer: str | None


class App:
    app_id: str | None
    name: str | None
    version: str | None


class Lead:
    lead_id: str | None
    lead_event_source: str | None


class Attribution:
    callback: str | None
    campaign_id: str | None
    ad_id: str | None
    creative_id: str | None
    is_retargeting: bool | None
    attributed: bool | None
    attribution_type: str | None
    attribution_provider: str | None
    attribution_share: float | None


class Item:
    item_id: str | None
    item_name: str | None
    item_brand: str | None
    item_category: str | None
    price: Decimal | None  # money form
    quantity: Decimal | None  # >= 0; may be a fraction


class Consent:
    ad_storage: bool | None  # granted?
    ad_user_data: bool | None
    ad_personalization: bool | None
    limited_data_use: bool | None
    gdpr_applies: bool | None
    tcf: str | None  # only when the pattern fits
    us_privacy: str | None
    gpp: str | None
    gpp_sid: tuple[int, ...]
    region: str | None


class ConversionEvent:
    schema_version: str
    event_id: str
    event_name: str  # as published, trimmed
    event_time: float  # epoch seconds
    advertiser: str
    action_source: ActionSource
    destinations: tuple[str, ...] | None  # None: all
    user: User  # nested blocks are always there, empty when absent
    click_ids: Mapping[str, str]
    session_id: str | None
    shop_id: str | None
    order_id: str | None
    search_term: str | None
    description: str | None
    customer_type: Literal["new", "returning"] | None
    page: Page
    app: App
    lead: Lead
    attribution: Attribution
    value: Decimal | None  # money form
    currency: str | None  # own, upper-case; with a value and none of its own: the advertiser's
    items: tuple[Item, ...]  # at most 500
    consent: Consent
    properties: Mapping[str, Scalar]
    defaults: AdvertiserDefaults

    def unknown_fields(self) -> Sequence[str]:
        """Paths of fields that the schema does not know."""
        raise NotImplementedError

    @property
    def dropped(self) -> Sequence[str]:
        """Paths of fields that were given and dropped, as far as they were looked at."""
        raise NotImplementedError
