"""The parts of an event, in normal forms (mapping section 1). An absent field is ``None``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import ClassVar, Final, TypeVar

from forwarder import normal
from forwarder.event.reading import (
    Block,
    Dropped,
    Forms,
    boolean,
    lazy,
    matching,
    of_length,
    of_text,
    one_of,
    says_nothing,
    share,
    text,
)
from forwarder.money import money, quantity
from forwarder.normal import identifier

V = TypeVar("V")
Scalar = str | int | float | bool
MAX_ITEMS: Final = 500
MAX_PROPERTIES: Final = 50
_JSON_INTEGERS: Final = range(-(1 << 63), 1 << 64)
"""What every reader of JSON holds without loss."""
_WITHOUT_PERMISSION: Final = frozenset({"DENIED", "RESTRICTED", "NOT_DETERMINED"})


class User(Block):
    """Who did it. ``phone_region``: alpha-2, for phone numbers where ``country`` is silent."""

    PATH = "user."
    FORMS: ClassVar[Forms] = {
        "first_name": of_text(normal.text_or_digest),
        "last_name": of_text(normal.text_or_digest),
        "zip": of_text(normal.text_or_digest),
        "city": text,
        "state": text,
        "country": of_text(normal.country),
        "metro": identifier,
        "user_agent": text,
        "locale": text,
        "client_id": identifier,
        "idfa": of_text(normal.device_id_or_digest),
        "idfv": of_text(normal.device_id),
        "gaid": of_text(normal.device_id_or_digest),
        "att_status": one_of(
            "AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE", case=str.upper
        ),
        "tdid": of_text(normal.guid),
        "uid2": of_length(44),
        "uid2_token": identifier,
        "euid": of_length(44),
        "euid_token": identifier,
        "ramp_id": of_length(49, 70),
    }
    LAZY: ClassVar[Mapping[str, str]] = {
        "emails": "email",
        "phones": "phone",
        "external_ids": "external_id",
        "ip": "ip_address",
    }
    first_name: str | None = None  # as given, or a digest; ``normal.name`` makes the form
    last_name: str | None = None
    zip: str | None = None  # as given, or a digest; ``normal.zip_code`` makes the form
    city: str | None = None
    state: str | None = None  # without its country's prefix
    country: str | None = None
    metro: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    client_id: str | None = None
    idfa: str | None = None  # raw in the case given, or a digest; None without permission
    idfv: str | None = None
    gaid: str | None = None  # raw in the case given, or a digest
    att_status: str | None = None
    tdid: str | None = None
    uid2: str | None = None
    uid2_token: str | None = None
    euid: str | None = None
    euid_token: str | None = None
    ramp_id: str | None = None

    def __init__(self, given: object, dropped: Dropped, phone_region: str | None = None) -> None:
        super().__init__(given, dropped)
        self._phone_region = phone_region
        if self.state is not None and "-" in self.state:
            self.state = normal.state(self.state, self.country)
        if self.idfa is not None and self.att_status in _WITHOUT_PERMISSION:
            self.idfa = None
            self._drop("idfa")

    @lazy
    def emails(self) -> tuple[str, ...]:
        """Normal e-mail addresses or digests, at most 10."""
        return self._many("email", normal.email)

    @lazy
    def phones(self) -> tuple[str, ...]:
        """E.164 or digests, at most 10."""
        return self._many("phone", self._phone)

    def _phone(self, number: str) -> str | None:
        return normal.phone(number, self.country or self._phone_region)

    @lazy
    def external_ids(self) -> tuple[str, ...]:
        """Trimmed, in the case given, or digests; at most 10."""
        return self._many("external_id", normal.id_or_digest, integers=True)

    @lazy
    def ip(self) -> str | None:
        """A public address."""
        given = self._given.get("ip_address")
        address = normal.ip(given) if isinstance(given, str) else None
        if address is None and not says_nothing(given):
            self._drop("ip_address")
        return address

    def _many(
        self, key: str, form: Callable[[str], str | None], *, integers: bool = False
    ) -> tuple[str, ...]:
        given = self._given.get(key)
        if given is None:
            return ()
        if isinstance(given, str) and (one := form(given)) is not None:
            return (one,)
        many = normal.many(given, form, integers=integers)
        if many.dropped:
            self._drop(key)
        return many.forms


class Page(Block):
    """Where it happened on the web."""

    PATH = "page."
    FORMS: ClassVar[Forms] = {"url": of_text(normal.url), "referrer": of_text(normal.url)}
    url: str | None = None
    referrer: str | None = None


class App(Block):
    """Where it happened in an app."""

    PATH = "app."
    FORMS: ClassVar[Forms] = {"app_id": identifier, "name": text, "version": text}
    app_id: str | None = None
    name: str | None = None
    version: str | None = None


class Lead(Block):
    """The lead of a CRM event."""

    PATH = "lead."
    FORMS: ClassVar[Forms] = {"lead_id": identifier, "lead_event_source": text}
    lead_id: str | None = None
    lead_event_source: str | None = None


class Attribution(Block):
    """What a measurement partner says of the ad behind an app event."""

    PATH = "attribution."
    FORMS: ClassVar[Forms] = {
        "callback": identifier,
        "campaign_id": identifier,
        "ad_id": identifier,
        "creative_id": identifier,
        "is_retargeting": boolean,
        "attributed": boolean,
        "attribution_type": text,
        "attribution_provider": text,
        "attribution_share": share,
    }
    callback: str | None = None
    campaign_id: str | None = None
    ad_id: str | None = None
    creative_id: str | None = None
    is_retargeting: bool | None = None
    attributed: bool | None = None
    attribution_type: str | None = None
    attribution_provider: str | None = None
    attribution_share: float | None = None  # 0 to 1


class Item(Block):
    """A row of the order. ``price`` is that of one unit; ``quantity`` may be a fraction."""

    PATH = "items."
    FORMS: ClassVar[Forms] = {
        "item_id": identifier,
        "item_name": text,
        "item_brand": text,
        "item_category": text,
        "price": money,
        "quantity": quantity,
    }
    item_id: str | None = None
    item_name: str | None = None
    item_brand: str | None = None
    item_category: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None

    def __bool__(self) -> bool:
        """Whether it holds anything that the schema knows."""
        return not self.__dict__.keys().isdisjoint(self.FORMS)


_GRANTED: Final = {"granted": True, "denied": False}


def _granted(value: object) -> bool | None:
    return _GRANTED.get(value.strip().lower()) if isinstance(value, str) else None


def _sections(value: object) -> tuple[int, ...] | None:
    """Section ids of a GPP string."""
    if isinstance(value, list) and all(type(one) is int for one in value):
        return tuple(value)
    return None


def _region(value: object) -> str | None:
    given = text(value)
    return None if given is None else given.upper()


class Consent(Block):
    """What the user agreed to: ``True`` granted, ``False`` denied, ``None`` unsaid. The three
    strings are there only when they have their standard's shape (mapping section 4).
    """

    PATH = "consent."
    FORMS: ClassVar[Forms] = {
        "ad_storage": _granted,
        "ad_user_data": _granted,
        "ad_personalization": _granted,
        "limited_data_use": boolean,
        "gdpr_applies": boolean,
        "tcf": matching(r"C[\w.-]+"),
        "us_privacy": matching(r"1[YNyn-]{3}"),
        "gpp": matching(r"[\w~.-]+"),
        "gpp_sid": _sections,
        "region": _region,
    }
    ad_storage: bool | None = None
    ad_user_data: bool | None = None
    ad_personalization: bool | None = None
    limited_data_use: bool | None = None
    gdpr_applies: bool | None = None
    tcf: str | None = None
    us_privacy: str | None = None
    gpp: str | None = None
    gpp_sid: tuple[int, ...] = ()
    region: str | None = None  # upper-case


NO_USER: Final = User(None, {})
NO_PAGE: Final = Page(None, {})
NO_APP: Final = App(None, {})
NO_LEAD: Final = Lead(None, {})
NO_ATTRIBUTION: Final = Attribution(None, {})
NO_CONSENT: Final = Consent(None, {})
"""Absent blocks. Every event has some: they are shared."""


def read_items(given: object, dropped: Dropped) -> tuple[Item, ...]:
    """At most 500 rows; one that holds nothing we know is no row."""
    if not isinstance(given, list):
        if not says_nothing(given):
            dropped["items"] = None
        return ()
    rows = [Item(row, dropped) for row in given[:MAX_ITEMS]]
    kept = tuple(row for row in rows if row)
    if len(kept) < len(given):
        dropped["items"] = None
    return kept


def read_click_ids(given: object, dropped: Dropped) -> Mapping[str, str]:
    """All of them, also those that no destination knows yet."""
    return _mapping(given, "click_ids", identifier, dropped)


def read_properties(given: object, dropped: Dropped) -> Mapping[str, Scalar]:
    """At most 50 scalars, unchanged."""
    read: Mapping[str, Scalar] = _mapping(given, "properties", _scalar, dropped)
    if len(read) <= MAX_PROPERTIES:
        return read
    dropped["properties"] = None
    return dict(list(read.items())[:MAX_PROPERTIES])


def _mapping(
    given: object, path: str, form: Callable[[object], V | None], dropped: Dropped
) -> dict[str, V]:
    """The entries of a free-form object. Their names are the producer's: all are noted as one."""
    if not isinstance(given, dict):
        if not says_nothing(given):
            dropped[path] = None
        return {}
    read: dict[str, V] = {}
    for key, one in given.items():
        value = form(one)
        if value is not None:
            read[key] = value
        elif not says_nothing(one):
            dropped[path] = None
    return read


def _scalar(value: object) -> Scalar | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, bool) or (isinstance(value, int) and value in _JSON_INTEGERS):
        return value
    return None
