"""Settings of accounts: defaults as documented, and mistakes told before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Traits
from forwarder.destinations.settings import BudgetSettings
from tests.unit.destinations.build import Tree, account

DAY = 86400


@pytest.mark.parametrize(
    ("destination", "defaults"),
    [
        (
            "tiktok",
            {
                "state": "active",
                "base_url": "https://business-api.tiktok.com",
                "event_source": "web",
                "budgets": (BudgetSettings(requests=600, per=60),),
                "concurrency": 8,
                "max_event_age": 28 * DAY,
                "test_event_code": None,
                "content_type": "product",
                "external_id_case": "keep",
                "default_page_url": None,
                "app_id": None,
                "shop_id": None,
                "unlisted_currency": "reject",
                "pass_properties": (),
            },
        ),
        (
            "tradedesk",
            {
                "base_url": "https://insight.adsrvr.org",
                "budgets": (BudgetSettings(requests=600, per=60),),
                "concurrency": 4,
                "max_event_age": DAY,
                "data_provider_secret_key": None,
                "td": {},
                "id_order": (),
                "location": "none",
                "ldu_region": None,
                "sources": ("web", "app", "offline", "crm"),
                "on_partial": "resend",
                "default_page_url": None,
                "signs": True,
            },
        ),
        (
            "thrad",
            {
                "base_url": "https://events.thrad.ai",
                "budgets": (BudgetSettings(requests=1000, per=3600),),
                "concurrency": 2,
                "max_event_age": 28 * DAY,
                "sources": ("web", "app", "offline", "crm"),
                "path": "/api/conversion",
                "tag_id": None,
                "default_value": {},
                "advertiser_api_key": None,
            },
        ),
    ],
)
def test_defaults(destination: str, defaults: dict[str, Any]) -> None:
    settings = account(destination).settings
    assert {name: getattr(settings, name) for name in defaults} == defaults


@pytest.mark.parametrize(
    ("destination", "events"), [("tiktok", 1000), ("tradedesk", 500), ("thrad", 1)]
)
def test_batches(destination: str, events: int) -> None:
    batch = account(destination).settings.batch
    assert (batch.events, batch.bytes, batch.linger) == (events, 1 << 20, 0.2)
    smaller = account(destination, {"batch": {"bytes": "512KiB"}}).settings.batch
    assert (smaller.events, smaller.bytes) == (events, 1 << 19)


@pytest.mark.parametrize(
    ("destination", "secrets"),
    [
        ("tiktok", {"access_token"}),
        ("tradedesk", {"secret_key"}),
        ("thrad", {"api_key"}),
    ],
)
def test_secrets(destination: str, secrets: set[str]) -> None:
    assert account(destination).settings.secrets().keys() == secrets


def test_all_secrets() -> None:
    for destination, key in (
        ("tradedesk", "data_provider_secret_key"),
        ("thrad", "advertiser_api_key"),
    ):
        assert key in account(destination, {key: {"value": "x"}}).settings.secrets()


@pytest.mark.parametrize(
    ("destination", "settings", "place", "said"),
    [
        ("tiktok", {"event_source_id": None}, "event_source_id", "required"),
        ("tiktok", {"access_token": None}, "access_token", "required"),
        ("tiktok", {"event_source_id": ""}, "event_source_id", "at least 1"),
        ("tiktok", {"batch": {"events": 1001}}, "batch.events", "1000"),
        ("tiktok", {"event_source": "shop"}, "event_source", "'web', 'app', 'offline' or 'crm'"),
        ("tiktok", {"default_page_url": "shop.example"}, "default_page_url", "absolute URL"),
        ("tiktok", {"default_page_url": "http://[x"}, "default_page_url", "absolute URL"),
        ("tiktok", {"base_url": "https://a.example/?x=1"}, "base_url", "remove query"),
        ("tiktok", {"base_url": "https://u:p@a.example"}, "base_url", "remove query"),
        ("tiktok", {"base_url": "ftp://a.example"}, "base_url", "absolute URL"),
        ("tiktok", {"colour": "red"}, "colour", "not permitted"),
        (
            "tiktok",
            {"event_source": "offline", "events": {"names": {"purchase": "Sale"}}},
            "",
            "events.names: purchase: an offline event set takes standard names only",
        ),
        (
            "tiktok",
            {"events": {"names": {"AddToCart": "A", "product_added": "B"}}},
            "events.names",
            "AddToCart and product_added are read as one",
        ),
        (
            "tiktok",
            {"events": {"only": ["Foo Bar", "foo_bar"]}},
            "events.only",
            "Foo Bar and foo_bar are read as one",
        ),
        ("tiktok", {"events": {"except": ["a", "A"]}}, "events.except", "a and A are read as one"),
        ("tiktok", {"events": {"names": {"a": ""}}}, "events.names.a", "at least 1"),
        ("tradedesk", {"merchant_id": "m"}, "", "exactly one of advertiser_id and merchant_id"),
        ("tradedesk", {"advertiser_id": None}, "", "exactly one of advertiser_id and merchant_id"),
        ("tradedesk", {"upixel_id": "u"}, "", "exactly one of tracker_id and upixel_id"),
        ("tradedesk", {"tracker_id": None}, "", "exactly one of tracker_id and upixel_id"),
        ("tradedesk", {"auth": "signature", "secret_key": None}, "", "needs secret_key"),
        (
            "tradedesk",
            {"data_provider_secret_key": {"value": "x"}, "secret_key": None},
            "",
            "needs secret_key",
        ),
        ("tradedesk", {"td": {"td11": "order_id"}}, "td.td11.[key]", "td11 is none of"),
        ("tradedesk", {"td": {"td1": "user.email"}}, "td.td1", "user.email is the user's"),
        ("tradedesk", {"td": {"td1": "user"}}, "td.td1", "user is the user's"),
        ("tradedesk", {"td": {"td1": "items"}}, "td.td1", "no single value"),
        ("tradedesk", {"td": {"td1": "properties"}}, "td.td1", "no single value"),
        ("tradedesk", {"td": {"td1": "page.__class__"}}, "td.td1", "no single value"),
        ("tradedesk", {"id_order": ["TDID", "TDID"]}, "id_order", "twice"),
        ("tradedesk", {"id_order": ["DAID"]}, "id_order.0", "'TDID'"),
        ("tradedesk", {"ldu_region": "CA"}, "ldu_region", "US-CA"),
        ("tradedesk", {"sources": []}, "sources", "at least 1"),
        ("tradedesk", {"batch": {"bytes": "100MiB"}}, "batch.bytes", "28600000"),
        ("thrad", {"api_key": None}, "api_key", "required"),
        ("thrad", {"batch": {"events": 2}}, "batch.events", "one event a request"),
        ("thrad", {"path": "api/conversion"}, "path", "/api/conversion"),
        ("thrad", {"default_value": {"lead_created": -1}}, "default_value.lead_created", "0"),
        (
            "thrad",
            {"default_value": {"purchase_completed": 1}},
            "default_value",
            "takes no default",
        ),
        ("thrad", {"default_value": {"lead_created": "NaN"}}, "default_value.lead_created", ""),
    ],
)
def test_a_mistake(destination: str, settings: Tree, place: str, said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        account(destination, settings)
    found = raised.value.errors()
    assert [".".join(map(str, error["loc"])) for error in found] == [place]
    assert said in found[0]["msg"]


def test_all_mistakes_of_an_account_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as raised:
        account("tradedesk", {"tracker_id": None, "advertiser_id": None})
    (found,) = raised.value.errors()
    assert "advertiser_id and merchant_id" in found["msg"]
    assert "tracker_id and upixel_id" in found["msg"]
    with pytest.raises(ValidationError) as raised:
        account("tradedesk", {"td": {"td1": "user.email", "td11": "order_id", "td2": "items"}})
    places = {".".join(map(str, error["loc"])) for error in raised.value.errors()}
    assert places == {"td.td1", "td.td11.[key]", "td.td2"}


def test_traits() -> None:
    assert {name: kind.traits for name, kind in DESTINATIONS.items()} == {
        "tiktok": Traits(dedups=True, dedup_window=2 * DAY, batches=True),
        "tradedesk": Traits(dedups=False, dedup_window=None, batches=True),
        "thrad": Traits(dedups=True, dedup_window=None, batches=False),
    }


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_a_destination_is_known_by_its_name(name: str) -> None:
    assert DESTINATIONS[name].name == name
    assert account(name).name == f"acme-{name}"
