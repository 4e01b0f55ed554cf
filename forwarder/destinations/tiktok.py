"""TikTok Events API 2.0 (vendor page *tiktok*): settings, requests, and what each answer means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal, Self

import orjson
from pydantic import Field, model_validator

from forwarder.consent import ConsentPolicy, evaluate
from forwarder.credentials import Credential, SecretSource
from forwarder.destinations import tiktok_answers, tiktok_event, tiktok_keys, tiktok_names
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
    Text,
    Url,
)
from forwarder.destinations.values import scope, sized
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.units import Count, Duration

_PATH = "/open_api/v1.3/event/track/"
_MAX_EVENTS = 1000
_DAY = 86400.0


class TikTokBatch(BatchSettings):
    """No byte limit is published. [?]"""

    events: int = Field(default=_MAX_EVENTS, gt=0, le=_MAX_EVENTS)


class TikTokSettings(AccountSettings):
    """One pixel, app, offline event set or CRM event set."""

    secret_fields: ClassVar[tuple[str, ...]] = ("access_token",)

    destination: Literal["tiktok"] = "tiktok"
    budgets: tuple[BudgetSettings | str, ...] = Field(
        default=(BudgetSettings(requests=600, per=60.0),), min_length=1
    )
    concurrency: Count = 8
    batch: TikTokBatch = TikTokBatch()
    max_event_age: Duration = Field(default=28 * _DAY, gt=0)
    base_url: BaseUrl = "https://business-api.tiktok.com"
    event_source: Literal["web", "app", "offline", "crm"] = "web"
    event_source_id: Text
    access_token: SecretSource
    test_event_code: Text | None = None
    content_type: Literal["product", "product_group"] = "product"
    external_id_case: Literal["keep", "lower"] = "keep"
    default_page_url: Url | None = None
    app_id: Text | None = None
    shop_id: Text | None = None
    unlisted_currency: Literal["reject", "drop_value"] = "reject"
    pass_properties: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _names_that_offline_takes(self) -> Self:
        if self.event_source == "offline":
            for event, name in self.events.names.items():
                if name not in tiktok_names.OFFLINE:
                    raise ValueError(
                        f"events.names: {event}: an offline event set takes standard names only, "
                        f"and {name} is none; use one of {', '.join(sorted(tiktok_names.OFFLINE))}"
                    )
        return self


def _names(settings: TikTokSettings) -> EventNames:
    source, events = settings.event_source, settings.events
    if events.custom is None and source == "crm":
        events = events.model_copy(update={"custom": "pass"})
    table = tiktok_names.APP if source == "app" else tiktok_names.WEB
    return EventNames(events, table, partial(tiktok_names.custom, source))


def _defaults(settings: TikTokSettings) -> tiktok_event.Defaults:
    return tiktok_event.Defaults(
        page_url=settings.default_page_url,
        app_id=settings.app_id,
        shop_id=settings.shop_id,
        content_type=settings.content_type,
        lower_external_id=settings.external_id_case == "lower",
        drop_unlisted_value=settings.unlisted_currency == "drop_value",
        pass_properties=tuple(
            name for name in settings.pass_properties if name not in tiktok_event.MAPPED_PROPERTIES
        ),
    )


class TikTokAccount(Account):
    """One event source with its token."""

    def __init__(self, name: str, settings: TikTokSettings, consent: ConsentPolicy) -> None:
        super().__init__(name, settings, consent)
        self._source = settings.event_source
        self._names = _names(settings)
        self._defaults = _defaults(settings)
        self._matches = tiktok_event.MATCHES[settings.event_source]
        self._url = settings.base_url + _PATH
        envelope = {"event_source": self._source, "event_source_id": settings.event_source_id}
        if settings.test_event_code is not None:
            envelope["test_event_code"] = settings.test_event_code
        self._head = orjson.dumps(envelope)[:-1] + b',"data":['
        self._room = settings.batch.bytes - self.overhead()

    def applies(self, event: ConversionEvent) -> Skipped | None:
        terms = self._terms(event)
        return terms if isinstance(terms, Skipped) else None

    def _terms(self, event: ConversionEvent) -> tuple[str, bool | None] | Skipped:
        """TikTok's name of the event, and whether its use is limited."""
        if event.action_source != self._source:
            return Skipped("source_mismatch")
        name = self._names.of(event.event_name)
        if isinstance(name, Skipped):
            return name
        skip, limited = evaluate(event.consent, self.consent)
        if skip is not None:
            return Skipped(skip)
        if limited and self._source in ("offline", "crm"):
            return Skipped("limited_data_use")  # no field could say so there
        if not self._matches(event):
            return Skipped("no_match_key")
        return name, limited

    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        terms = self._terms(event)
        if isinstance(terms, Skipped):
            return terms
        name, limited = terms
        data = tiktok_event.data(event, name, self._source, limited, self._defaults)
        if isinstance(data, Rejected):
            return data
        return sized(Item(orjson.dumps(data)), self._room)

    def request(self, items: Sequence[Item], credential: Credential) -> HttpRequest:
        body = self._head + b",".join([item.json for item in items]) + b"]}"
        headers = {
            "Access-Token": credential.secrets["access_token"],
            "Content-Type": "application/json",
        }
        return HttpRequest("POST", self._url, headers, body)

    def overhead(self) -> int:
        return len(self._head) + len(b"]}")

    def match_keys(self) -> Sequence[MatchKey]:
        return tiktok_keys.MATCH_KEYS[self._source]

    def read(self, answer: HttpAnswer, count: int, now: float) -> Reading:
        return tiktok_answers.read(answer, count, now)


class TikTok(Destination):
    """Dedup: source id, name and event id, for 48 h; documented for all sources but apps."""

    name: ClassVar[str] = "tiktok"
    asks: ClassVar[tuple[Ask, ...]] = (
        Ask("event_source_id", "the pixel's id, from TikTok Events Manager", "C4ABCDEFGHIJ"),
        Ask("access_token", "the pixel's Events API access token", "0123456789abcdef"),
    )
    traits: ClassVar[Traits] = Traits(dedups=True, dedup_window=2 * _DAY, batches=True)
    settings_model: ClassVar[type[AccountSettings]] = TikTokSettings

    def account(self, name: str, settings: AccountSettings, consent: ConsentPolicy) -> Account:
        assert isinstance(settings, TikTokSettings)
        return TikTokAccount(name, settings, consent)

    def traits_of(self, settings: AccountSettings) -> Traits:
        assert isinstance(settings, TikTokSettings)
        return replace(self.traits, dedups=settings.event_source != "app")

    def credential_scope(self, settings: AccountSettings, credential: Credential) -> str:  # noqa: ARG002 - the token is all
        return scope(self.name, credential.secrets["access_token"])
