"""Two readings of the vendors' pages, ours and the sandbox's: what one sends the other takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from forwarder.credentials import read_credential
from forwarder.destinations.contract import Item, Verdict
from forwarder.event import decode
from forwarder.http.port import HttpAnswer
from forwarder.sandbox.settings_sample import SAMPLES, sample_settings
from forwarder.sandbox.simulator import Simulator
from forwarder.settings import advertiser_defaults, bind_accounts, load

Json = dict[str, Any]
NOW = 1_795_262_400.0
MORE_ACCOUNTS = """\
  demo-app:
    destination: tiktok
    advertisers: [demo]
    event_source: app
    event_source_id: "7001"
    access_token: app-token
  demo-offline:
    destination: tiktok
    advertisers: [demo]
    event_source: offline
    event_source_id: "7002"
    access_token: offline-token
  demo-crm:
    destination: tiktok
    advertisers: [demo]
    event_source: crm
    event_source_id: "7003"
    access_token: crm-token
    pass_properties: [plan]
  demo-pixel-ttd:
    destination: tradedesk
    advertisers: [demo]
    merchant_id: m1
    upixel_id: u1
    secret_key: another-secret
    location: alpha3
    default_page_url: https://shop.example/
    td: {td1: properties.plan, td2: value}
"""


def event(**changes: object) -> Json:
    full: Json = {
        "event_id": "order-1",
        "event_name": "purchase",
        "event_time": "2026-11-21T11:59:00Z",
        "advertiser": "demo",
        "value": "249.95000000000002",
        "currency": "usd",
        "order_id": "o-1",
        "user": {
            "email": [" ALICE_abc@gmail.com ", "bob@example.com"],
            "phone": "(+1)2133734253",
            "external_id": "user_123",
            "first_name": "Jane",
            "last_name": "O'Neil",
            "city": "Târgu Mureș",
            "state": "US-CA",
            "zip": "90001-1234",
            "country": "US",
            "metro": "803",
            "ip_address": "203.0.113.1",
            "user_agent": "Mozilla/5.0",
            "locale": "en_US",
            "client_id": "c.1",
            "tdid": "12345678-1234-1234-1234-1234567890ab",
            "uid2_token": "token",
            "idfa": "ea7583cd-a667-48bc-b806-42ecb2b48606",
            "gaid": "AAAAAA-2222-1111-8787-809E92233BA0",
            "idfv": "EA7583CD-A667-48BC-B806-42ECB2B48606",
            "att_status": "authorized",
        },
        "click_ids": {
            "ttclid": "E.C.P.1",
            "ttp": "p1",
            "thrad_click_id": "click-1",
            "ttd_impression_id": "12345678-1234-1234-1234-1234567890ab",
        },
        "session_id": "s1",
        "shop_id": "shop",
        "search_term": "shoe",
        "description": "autumn",
        "customer_type": "returning",
        "page": {"url": "https://shop.example/thanks?e=a@b.c", "referrer": "https://shop.example/"},
        "app": {"app_id": "7001", "name": "Shop", "version": "1.0"},
        "lead": {"lead_id": "l1", "lead_event_source": "hubspot"},
        "attribution": {"callback": "cb", "is_retargeting": False, "attribution_share": 0.5},
        "items": [
            {"item_id": 17, "item_name": "Shoe", "price": "59.90", "quantity": 2},
            {"item_id": "hat", "item_brand": "Acme", "item_category": "hats", "quantity": 1.5},
        ],
        "consent": {
            "ad_storage": "granted",
            "ad_user_data": "granted",
            "us_privacy": "1YNN",
            "tcf": "CPabc.def",
            "gdpr_applies": False,
            "gpp": "DBAA~x",
            "gpp_sid": [7],
        },
        "properties": {"plan": "gold", "big": 1e9},
    }
    return {**full, **changes}


EVENTS = {
    "web": event(),
    "app": event(action_source="app"),
    "offline": event(action_source="offline"),
    "crm": event(action_source="crm"),
    "limited": event(consent={"limited_data_use": True, "region": "US-CA"}),
    "lead": event(event_name="generate_lead", value=None, items=[]),
    "search": event(event_name="search", items=[], search_term="hat"),
    "bare": event(
        user={"email": "a@b.co", "ip_address": "203.0.113.9"}, items=[], page={}, app={}, lead={}
    ),
}


async def deliver(folder: Path, value: bytes) -> tuple[dict[str, Verdict], Json]:
    """What every account that takes the event is answered, and what the sandbox complains of."""
    path = folder / "settings.yaml"
    path.write_text(sample_settings("http://vendors") + MORE_ACCOUNTS)
    settings = load(path, {})
    found = decode(value, advertiser_defaults(settings), NOW)
    simulator = Simulator(lambda: 0.0, samples=SAMPLES)
    verdicts: dict[str, Verdict] = {}
    for name, account in bind_accounts(settings).items():
        item = account.applies(found) or account.prepare(found)
        if not isinstance(item, Item):
            continue
        credential = read_credential(account.settings.secrets(), NOW, None, {}).credential
        assert credential is not None
        answer = await simulator.answer(account.request([item], credential))
        assert isinstance(answer, HttpAnswer)
        verdicts[name] = account.read(answer, 1, NOW).verdict
    books = simulator.ledger.report()["accounts"]
    assert isinstance(books, dict)
    return verdicts, {name: book["violations"] for name, book in books.items()}


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_sent_is_delivered_without_a_violation(name: str, tmp_path: Path) -> None:
    verdicts, violations = asyncio.run(deliver(tmp_path, orjson.dumps(EVENTS[name])))
    assert verdicts
    assert set(verdicts.values()) == {Verdict.DELIVERED}, violations
    assert not any(violations.values()), violations


def test_the_events_reach_every_account_and_thus_every_rule(tmp_path: Path) -> None:
    reached = {
        account
        for value in EVENTS.values()
        for account in asyncio.run(deliver(tmp_path, orjson.dumps(value)))[0]
    }
    assert reached == {
        *("demo-pixel", "demo-ttd", "demo-thrad"),
        *("demo-app", "demo-offline", "demo-crm", "demo-pixel-ttd"),
    }
