"""Dead letters and settings for tests, made with the code that makes the real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from forwarder.deadletters.explain import Today
from forwarder.destinations import DESTINATIONS
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.kafka.port import Outgoing
from forwarder.kafka.records import Progress, Trouble, event_headers, troubled
from forwarder.routing import Routing
from forwarder.settings import Settings, advertiser_defaults, bind_accounts, load

NOW = 1_795_000_000.0
DLQ = "conversions.dlq"
SETTINGS = """\
advertisers: {acme: {currency: USD, phone_region: US}}
accounts:
  acme-pixel: {destination: tiktok, advertisers: [acme], event_source_id: C4ABCDEFGHIJ,
    access_token: hush}
  acme-ttd: {destination: tradedesk, advertisers: [acme], advertiser_id: abc1234, tracker_id: tr1,
    secret_key: hush}
  acme-thrad: {destination: thrad, advertisers: [acme], api_key: hush}
"""
DESTINATION_OF = {"acme-pixel": "tiktok", "acme-ttd": "tradedesk", "acme-thrad": "thrad"}
TRAITS = {account: DESTINATIONS[kind].traits for account, kind in DESTINATION_OF.items()}


def settings_of(directory: Path, text: str = SETTINGS) -> Settings:
    path = directory / "settings.yaml"
    path.write_text(text)
    return load(path, {})


def today_of(settings: Settings) -> Today:
    accounts = bind_accounts(settings)
    return Today(accounts, Routing(accounts, DESTINATIONS), advertiser_defaults(settings))


def event(number: int = 1, **more: object) -> dict[str, Any]:
    """A purchase that every destination takes, an hour old."""
    return {
        "event_id": f"e{number}",
        "event_name": "purchase",
        "event_time": NOW - 3600,
        "advertiser": "acme",
        "user": {"email": f"user{number}@example.com", "ip_address": "203.0.113.7"},
        "click_ids": {"thrad_click_id": f"click-{number}"},
        "page": {"url": "https://shop.example/thanks"},
        "order_id": f"o{number}",
        "value": "19.90",
        "currency": "USD",
        **more,
    }


def published(number: int = 1, *, offset: int | None = None, **more: Any) -> MemoryRecord:
    value = json.dumps(event(number, **more)).encode()
    at = number if offset is None else offset
    return MemoryRecord("conversions", 0, at, int(NOW * 1000) - 1000, b"k", value, ())


def dead(
    number: int = 1,
    *,
    account: str | None = "acme-pixel",
    destination: str | None = "tiktok",
    reason: str = "rejected",
    code: str = "40002",
    replays: int = 0,
    failed_at: float = NOW - 60,
    value: bytes | None = None,
    described: bool = True,
    origin: str | None = None,
    **more: Any,
) -> Outgoing:
    """A dead letter as sender or router write it. ``value`` in place of the event's JSON."""
    record = published(number, **more)
    if value is not None:
        record = replace(record, value=value)
    body = event(number, **more)
    names = ("event_id", "event_name", "event_time", "advertiser", "order_id")
    headers = event_headers(**{name: body.get(name) for name in names})
    progress = Progress(
        origin=origin or f"conversions/0/{number}",
        attempts=3,
        retries=2,
        replays=replays,
        first_failed_at=failed_at - 10,
        last_failed_at=failed_at,
        account=account,
    )
    trouble = Trouble(reason, code, "the vendor says no")
    made = troubled(
        record,
        progress,
        trouble,
        destination=destination if account else None,
        described=headers if described else None,
    )
    return made._replace(timestamp=int(failed_at * 1000))


def stored(
    outgoing: Outgoing, offset: int = 0, partition: int = 0, topic: str = DLQ
) -> MemoryRecord:
    """As it is read back."""
    return MemoryRecord(
        topic,
        partition,
        offset,
        outgoing.timestamp or 0,
        outgoing.key,
        outgoing.value,
        tuple(outgoing.headers),
    )
