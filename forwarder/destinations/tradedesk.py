"""The Trade Desk real-time conversions (vendor page *tradedesk*): settings, signed requests, and
what each answer means.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

import orjson
from pydantic import AfterValidator, Field, field_validator, model_validator

from forwarder.consent import ConsentPolicy, evaluate, us_region
from forwarder.credentials import Credential, SecretSource
from forwarder.destinations import tradedesk_answers
from forwarder.destinations import tradedesk_event as shape
from forwarder.destinations.contract import (
    Account,
    Ask,
    Destination,
    Item,
    MatchKey,
    Reading,
    Rejected,
    Skipped,
    Traits,
)
from forwarder.destinations.event_names import EventNames
from forwarder.destinations.settings import (
    AccountSettings,
    BaseUrl,
    BatchSettings,
    BudgetSettings,
    Sources,
    Text,
    Url,
)
from forwarder.destinations.values import filled, money_text, scope, sized
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.units import Count, Duration, Size

_PATH = "/track/realtimeconversion"
_HEAD = b'{"data":['
_TAIL = b"]}"
_MAX_REQUEST = 28_600_000  # bytes [S]
_PURCHASE = "purchase"
_NAMES = {
    _PURCHASE: _PURCHASE,
    "add_to_cart": "addtocart",
    "begin_checkout": "startcheckout",
    "add_to_wishlist": "wishlistitem",
    "view_item": "viewitem",
    "view_cart": "viewcart",
    "view_item_list": "searchcategory",
    "search": "searchitem",
    "page_view": "sitevisit",
    "login": "login",
    "contact": "messagebusiness",
    "find_location": "direction",
}


_TDS = frozenset(f"td{number}" for number in range(1, 11))


def _state(region: str) -> str:
    if re.fullmatch("US-[A-Z]{2}", region):
        return region
    raise ValueError("must be a state of the US; write it as US-CA")


def _td(key: str) -> str:
    if key in _TDS:
        return key
    raise ValueError(f"{key} is none of td1 to td10")


def _td_path(path: str) -> str:
    shape.td_value(path)
    return path


class TradeDeskBatch(BatchSettings):
    """No cap on the number of events is published. [S]"""

    events: Count = 500
    bytes: Size = Field(default=1 << 20, gt=0, le=_MAX_REQUEST)


class TradeDeskSettings(AccountSettings):
    """One advertiser's (or merchant's) tracker or universal pixel."""

    secret_fields: ClassVar[tuple[str, ...]] = ("secret_key", "data_provider_secret_key")

    destination: Literal["tradedesk"] = "tradedesk"
    budgets: tuple[BudgetSettings | str, ...] = Field(
        default=(BudgetSettings(requests=600, per=60.0),), min_length=1
    )
    concurrency: Count = 4
    batch: TradeDeskBatch = TradeDeskBatch()
    max_event_age: Duration = Field(default=24 * 3600.0, gt=0)
    base_url: BaseUrl = "https://insight.adsrvr.org"
    advertiser_id: Text | None = None
    merchant_id: Text | None = None
    tracker_id: Text | None = None
    upixel_id: Text | None = None
    secret_key: SecretSource | None = None
    auth: Literal["signature", "none"] | None = None
    """Unset: ``signature`` when a secret is configured."""
    data_provider_secret_key: SecretSource | None = None
    td: dict[Annotated[str, AfterValidator(_td)], Annotated[str, AfterValidator(_td_path)]] = Field(
        default_factory=dict
    )
    id_order: tuple[shape.IdType, ...] = ()
    location: shape.Location = "none"
    ldu_region: Annotated[str, AfterValidator(_state)] | None = None
    sources: Sources = ("web", "app", "offline", "crm")
    on_partial: Literal["resend", "accept"] = "resend"
    default_page_url: Url | None = None

    @field_validator("id_order")
    @classmethod
    def _once(cls, order: tuple[shape.IdType, ...]) -> tuple[shape.IdType, ...]:
        if len(set(order)) < len(order):
            raise ValueError("names an id type twice; keep the first of them")
        return order

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        broken = [
            *_exactly_one(advertiser_id=self.advertiser_id, merchant_id=self.merchant_id),
            *_exactly_one(tracker_id=self.tracker_id, upixel_id=self.upixel_id),
        ]
        if self.signs and self.secret_key is None:
            broken.append("auth: signature needs secret_key; set it, or write auth: none")
        if broken:  # in one line: there is one place for all of them
            raise ValueError(", and ".join(broken))
        return self

    @property
    def signs(self) -> bool:
        """Whether requests are signed."""
        if self.auth is None:
            return bool(self.secrets())
        return self.auth == "signature"


def _exactly_one(**given: str | None) -> Iterator[str]:
    """What is wrong, if anything."""
    present = [key for key, value in given.items() if value is not None]
    if len(present) != 1:
        found = "both are" if present else "neither is"
        yield f"exactly one of {' and '.join(given)} is needed, and {found} set"


def signature(secret: str, body: bytes) -> str:
    """``TtdSignature`` over the exact bytes that are sent."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha1")).decode()


class TradeDeskAccount(Account):
    """One tracker or pixel."""

    def __init__(self, name: str, settings: TradeDeskSettings, consent: ConsentPolicy) -> None:
        super().__init__(name, settings, consent)
        self._own = settings
        self._sources = frozenset(settings.sources)
        self._names = EventNames(settings.events, _NAMES)
        self._ids = filled(
            {
                "adv": settings.advertiser_id,
                "merchant_id": settings.merchant_id,
                "tracker_id": settings.tracker_id,
                "upixel_id": settings.upixel_id,
            }
        )
        self._td = [(key, shape.td_value(path)) for key, path in settings.td.items()]
        self._url = settings.base_url + _PATH
        self._room = settings.batch.bytes - self.overhead()

    def _order(self, event: ConversionEvent) -> Sequence[shape.IdType]:
        if self._own.id_order:
            return self._own.id_order
        return shape.APP_ORDER if event.action_source == "app" else shape.WEB_ORDER

    def applies(self, event: ConversionEvent) -> Skipped | None:
        terms = self._terms(event)
        return terms if isinstance(terms, Skipped) else None

    def _terms(self, event: ConversionEvent) -> tuple[str, str | None] | Skipped:
        """The vendor's name of the event, and the region whose law limits its use."""
        if event.action_source not in self._sources:
            return Skipped("source_mismatch")
        name = self._names.of(event.event_name)
        if isinstance(name, Skipped):
            return name
        skip, limited = evaluate(event.consent, self.consent, sends_tcf=True)
        if skip is not None:
            return Skipped(skip)
        region = us_region(event, self._own.ldu_region) if limited else None
        if limited and not region and not (event.consent.tcf or event.consent.gpp):
            return Skipped("limited_data_use")  # nothing could say so
        if not shape.matches(event, self._order(event)):
            return Skipped("no_match_key")
        return name, region

    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        terms = self._terms(event)
        if isinstance(terms, Skipped):
            return terms
        name, region = terms
        if name == _PURCHASE and event.value is None:
            return Rejected("value_missing", "a purchase needs a value")
        url = event.page.url
        if self._own.upixel_id is not None:
            url = url or self._own.default_page_url
            if url is None:
                return Rejected(
                    "page_url_missing", "a universal pixel needs page.url or a default_page_url"
                )
        return sized(Item(orjson.dumps(self._data(event, name, url, region))), self._room)

    def _data(
        self, event: ConversionEvent, name: str, url: str | None, region: str | None
    ) -> dict[str, object]:
        user = event.user
        id_, type_ = shape.adid(user, self._order(event)) or (None, None)
        option = {"policies": ["LDU"], "region": region} if region else None
        data = {
            **self._ids,
            "event_name": name if self._own.upixel_id is None else None,
            "referrer_url": url,
            "value": money_text(event.value),
            "currency": event.currency if event.value is not None else None,
            "adid": id_,
            "adid_type": type_,
            "uid2_token": user.uid2_token,
            "euid_token": user.euid_token,
            "client_ip": user.ip,
            "imp": shape.impression(event),
            "order_id": shape.order_id(event),
            **{key: value(event) for key, value in self._td},
            "items": shape.items(event.items) if event.items else None,
            **shape.location(user, self._own.location),
            "privacy_settings": shape.privacy_settings(event.consent) or None,
            "data_processing_option": option,
        }
        return filled(data)

    def request(self, items: Sequence[Item], credential: Credential) -> HttpRequest:
        body = _HEAD + b",".join([item.json for item in items]) + _TAIL
        headers = {"Content-Type": "application/json"}
        if self._own.signs:
            secrets = credential.secrets
            headers["TtdSignature"] = signature(secrets["secret_key"], body)
            if provider := secrets.get("data_provider_secret_key"):
                headers["TtdSignature-dp"] = signature(provider, body)
        return HttpRequest("POST", self._url, headers, body)

    def overhead(self) -> int:
        return len(_HEAD) + len(_TAIL)

    def match_keys(self) -> Sequence[MatchKey]:
        ids = tuple(shape.FIELD_OF[type_] for type_ in self._own.id_order or shape.WEB_ORDER)
        return (
            MatchKey("adid", ids),
            MatchKey("uid2_token", ("user.uid2_token",)),
            MatchKey("euid_token", ("user.euid_token",)),
            MatchKey("imp", ("click_ids.ttd_impression_id",)),
            MatchKey("client_ip", ("user.ip_address",)),
        )

    def read(self, answer: HttpAnswer, count: int, now: float) -> Reading:
        accept = self._own.on_partial == "accept"
        return tradedesk_answers.read(answer, count, now, accept_rest=accept)


class TradeDesk(Destination):
    """No idempotency key and no dedup contract exist."""

    name: ClassVar[str] = "tradedesk"
    asks: ClassVar[tuple[Ask, ...]] = (
        Ask("advertiser_id", "the advertiser's id at The Trade Desk", "abc1234"),
        Ask("tracker_id", "the id of the real-time conversion tracking tag", "tr1"),
        Ask("secret_key", "the advertiser's secret key, which signs requests", "0123456789abcdef"),
    )
    traits: ClassVar[Traits] = Traits(dedups=False, dedup_window=None, batches=True)
    settings_model: ClassVar[type[AccountSettings]] = TradeDeskSettings

    def account(self, name: str, settings: AccountSettings, consent: ConsentPolicy) -> Account:
        assert isinstance(settings, TradeDeskSettings)
        return TradeDeskAccount(name, settings, consent)

    def credential_scope(self, settings: AccountSettings, credential: Credential) -> str:
        assert isinstance(settings, TradeDeskSettings)
        writer = settings.advertiser_id or settings.merchant_id or ""
        kind = "merchant" if settings.advertiser_id is None else "advertiser"
        return scope(self.name, kind, writer, credential.secrets.get("secret_key", ""))
