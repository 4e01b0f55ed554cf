"""Thrad conversions (vendor page *thrad*): settings, requests, and what each answer means."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import orjson
from pydantic import AfterValidator, Field, field_validator

from forwarder.consent import ConsentPolicy, evaluate
from forwarder.credentials import Credential, SecretSource
from forwarder.destinations import thrad_answers
from forwarder.destinations.contract import (
    Account,
    Ask,
    Destination,
    Item,
    MatchKey,
    Preflight,
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
)
from forwarder.destinations.values import filled, number, query_value, scope, sized, utc
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.units import Count, Duration

_BASE_URL = "https://events.thrad.ai"
_ADVERTISER_API_URL = "https://api.thrad.ai"
_ADVERTISER_KEY = "ak_"
_PURCHASE = "purchase_completed"
_NAMES = {
    "purchase": _PURCHASE,
    "sign_up": "registration_completed",
    "generate_lead": "lead_created",
    "schedule": "appointment_scheduled",
    "start_trial": "trial_started",
    "subscribe": "subscription_created",
}
_DAY = 86400.0


def _path(path: str) -> str:
    if re.fullmatch(r"/[^\s?#]*", path):
        return path
    raise ValueError("must be the path of a URL; write it as /api/conversion")


class ThradBatch(BatchSettings):
    @field_validator("events")
    @classmethod
    def _one(cls, events: int) -> int:
        if events > 1:
            raise ValueError("thrad takes one event a request; remove it, or write 1")
        return events


class ThradSettings(AccountSettings):
    """One key for conversions."""

    secret_fields: ClassVar[tuple[str, ...]] = ("api_key", "advertiser_api_key")

    destination: Literal["thrad"] = "thrad"
    budgets: tuple[BudgetSettings | str, ...] = Field(
        default=(BudgetSettings(requests=1000, per=3600.0),), min_length=1
    )
    concurrency: Count = 2
    batch: ThradBatch = ThradBatch()
    max_event_age: Duration = Field(default=28 * _DAY, gt=0)
    base_url: BaseUrl = _BASE_URL
    path: Annotated[str, AfterValidator(_path)] = "/api/conversion"
    api_key: SecretSource
    sources: Sources = ("web", "app", "offline", "crm")
    tag_id: Text | None = None
    default_value: Mapping[Text, Annotated[Decimal, Field(ge=0, lt=10**12)]] = Field(
        default_factory=dict
    )
    advertiser_api_key: SecretSource | None = None
    advertiser_api_url: BaseUrl | None = None
    """Unset: Thrad's own, or ``base_url`` where that is not Thrad's."""

    @field_validator("default_value")
    @classmethod
    def _never_for_purchases(cls, values: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        if _PURCHASE in values:
            raise ValueError(f"{_PURCHASE} takes no default; its value is the event's own")
        return values


class ThradAccount(Account):
    """One key. One conversion a request: an item is its body."""

    def __init__(self, name: str, settings: ThradSettings, consent: ConsentPolicy) -> None:
        super().__init__(name, settings, consent)
        self._own = settings
        self._sources = frozenset(settings.sources)
        self._names = EventNames(settings.events, _NAMES)
        self._default_value = {key: number(value) for key, value in settings.default_value.items()}
        self._url = settings.base_url + settings.path

    def applies(self, event: ConversionEvent) -> Skipped | None:
        terms = self._terms(event)
        return terms if isinstance(terms, Skipped) else None

    def _terms(self, event: ConversionEvent) -> tuple[str, str, bool] | Skipped:
        """The event's type, its click id, and whether its use is limited."""
        if event.action_source not in self._sources:
            return Skipped("source_mismatch")
        type_ = self._names.of(event.event_name)
        if isinstance(type_, Skipped):
            return type_
        skip, limited = evaluate(event.consent, self.consent)
        if skip is not None:
            return Skipped(skip)
        click_id = event.click_ids.get("thrad_click_id") or query_value(
            event.page.url, "thrad_click_id"
        )
        if not click_id:
            return Skipped("no_click_id")
        return type_, click_id, limited is True

    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        terms = self._terms(event)
        if isinstance(terms, Skipped):
            return terms
        type_, click_id, limited = terms
        if event.value is None and type_ == _PURCHASE:
            return Rejected("value_missing", f"{_PURCHASE} needs a value")
        currency = event.currency or event.defaults.currency
        if not currency:
            return Rejected("currency_missing", "a currency is needed: the event's or advertiser's")
        conversion = {
            "click_id": click_id,
            "conversion_time": utc(math.floor(event.event_time)),
            "conversion_value": self._value(event, type_),
            "currency": currency,
            "event_type": type_,
            "order_id": event.order_id,
            "event_id": event.event_id,
            **({} if limited else self._context(event)),
        }
        key = _idempotency_key(self.name, event.event_id, type_)
        return sized(Item(orjson.dumps(filled(conversion)), key), self.settings.batch.bytes)

    def _value(self, event: ConversionEvent, type_: str) -> int | float:
        return self._default_value.get(type_, 0) if event.value is None else number(event.value)

    def _context(self, event: ConversionEvent) -> dict[str, object]:
        return {
            "tag_id": self._own.tag_id,
            "page_url": event.page.url,
            "referrer": event.page.referrer,
            "user_agent": event.user.user_agent,
            "session_id": _impersonal(event.session_id),
            "client_id": _impersonal(event.user.client_id),
        }

    def request(self, items: Sequence[Item], credential: Credential) -> HttpRequest:
        (item,) = items
        headers = {
            "Authorization": f"Bearer {credential.secrets['api_key']}",
            "Content-Type": "application/json",
            "Idempotency-Key": item.idempotency_key,
        }
        return HttpRequest("POST", self._url, headers, item.json)

    def overhead(self) -> int:
        return 0

    def read(self, answer: HttpAnswer, count: int, now: float) -> Reading:  # noqa: ARG002 - always 1
        return thrad_answers.read(answer, now)

    def match_keys(self) -> Sequence[MatchKey]:
        return (MatchKey("click_id", ("click_ids.thrad_click_id", "page.url")),)

    def preflight(self, credential: Credential) -> Preflight | None:
        """``GET /v1/ad_account`` with the account's ``ak_`` key: no other key may go there."""
        secrets = credential.secrets
        key = secrets.get("advertiser_api_key") or secrets.get("api_key", "")
        if not key.startswith(_ADVERTISER_KEY):
            return None
        url = f"{self._advertiser_api_url()}/v1/ad_account"
        return Preflight(HttpRequest("GET", url, {"Authorization": f"Bearer {key}"}, b""))

    def _advertiser_api_url(self) -> str:
        if self._own.advertiser_api_url is not None:
            return self._own.advertiser_api_url
        return _ADVERTISER_API_URL if self._own.base_url == _BASE_URL else self._own.base_url


def _impersonal(id_: str | None) -> str | None:
    return None if id_ is None or "@" in id_ else id_


def _idempotency_key(account: str, event_id: str, type_: str) -> str:
    """The same for every retry, redelivery and replay of one conversion."""
    return hashlib.sha256(orjson.dumps([account, event_id, type_])).hexdigest()[:32]


class Thrad(Destination):
    """Dedup by ``Idempotency-Key`` and click id; for how long is not stated."""

    name: ClassVar[str] = "thrad"
    asks: ClassVar[tuple[Ask, ...]] = (
        Ask("api_key", "the key for conversions, from Thrad", "0123456789abcdef"),
    )
    traits: ClassVar[Traits] = Traits(dedups=True, dedup_window=None, batches=False)
    settings_model: ClassVar[type[AccountSettings]] = ThradSettings

    def account(self, name: str, settings: AccountSettings, consent: ConsentPolicy) -> Account:
        assert isinstance(settings, ThradSettings)
        return ThradAccount(name, settings, consent)

    def credential_scope(self, settings: AccountSettings, credential: Credential) -> str:  # noqa: ARG002 - the key is all
        return scope(self.name, credential.secrets["api_key"])
