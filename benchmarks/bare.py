"""The yardsticks: the least that does the same job with the same libraries, and nothing more.

    python -m benchmarks.bare loop URL BOOTSTRAP TOPIC N           batches of 1,000
    python -m benchmarks.bare loop URL BOOTSTRAP TOPIC N 1 16      one event per POST, 16 at once
    python -m benchmarks.bare post URL N 16                        POSTs alone, 16 at once

``loop``: aiokafka's ``getmany``, a pydantic model, the vendor's JSON with hashed identifiers, and
aiohttp. No queue, limit, retry, metric or commit; on uvloop, as the worker. Prints ``ready``, waits
for a line, works until N events are sent, prints ``done`` and waits for its input to end.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from decimal import Decimal
from typing import Literal

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from pydantic import BaseModel

BATCH = 1000


class User(BaseModel):
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    metro: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    client_id: str | None = None
    idfa: str | None = None
    idfv: str | None = None
    gaid: str | None = None
    att_status: str | None = None
    tdid: str | None = None
    uid2: str | None = None
    uid2_token: str | None = None
    euid: str | None = None
    euid_token: str | None = None
    ramp_id: str | None = None


class Page(BaseModel):
    url: str | None = None
    referrer: str | None = None


class App(BaseModel):
    app_id: str | None = None
    name: str | None = None
    version: str | None = None


class Lead(BaseModel):
    lead_id: str | None = None
    lead_event_source: str | None = None


class Attribution(BaseModel):
    callback: str | None = None
    campaign_id: str | None = None
    ad_id: str | None = None
    attribution_share: float | None = None


class Consent(BaseModel):
    ad_storage: Literal["granted", "denied"] | None = None
    ad_user_data: Literal["granted", "denied"] | None = None
    ad_personalization: Literal["granted", "denied"] | None = None
    limited_data_use: bool | None = None
    gdpr_applies: bool | None = None
    tcf: str | None = None


class Item(BaseModel):
    item_id: str | None = None
    item_name: str | None = None
    item_brand: str | None = None
    item_category: str | None = None
    price: float | None = None
    quantity: int | None = None


class Event(BaseModel):
    """The event, version 1, with plain types; what every event of the benchmark has is required.
    No default is a model: pydantic would copy it for each event.
    """

    schema_version: str = "1"
    event_id: str
    event_name: str
    event_time: int
    advertiser: str
    action_source: Literal["web", "app", "offline", "crm"] = "web"
    destinations: list[str] | None = None
    user: User
    click_ids: dict[str, str]
    session_id: str | None = None
    shop_id: str | None = None
    order_id: str | None = None
    search_term: str | None = None
    description: str | None = None
    customer_type: Literal["new", "returning"] | None = None
    page: Page
    app: App | None = None
    lead: Lead | None = None
    attribution: Attribution | None = None
    value: Decimal | None = None
    currency: str | None = None
    items: list[Item]
    consent: Consent | None = None
    properties: dict[str, str | int | float | bool] | None = None


def sha256(text: str | None) -> str | None:
    return hashlib.sha256(text.strip().lower().encode()).hexdigest() if text else None


def present(block: dict[str, object]) -> dict[str, object]:
    """The vendor refuses nulls."""
    return {key: value for key, value in block.items() if value is not None}


def mapped(event: Event) -> bytes:
    user = event.user
    return orjson.dumps(
        {
            "event": "CompletePayment",
            "event_time": event.event_time,
            "event_id": event.event_id,
            "user": present(
                {
                    "email": sha256(user.email),
                    "phone": sha256(user.phone),
                    "external_id": sha256(user.external_id),
                    "ttclid": event.click_ids.get("ttclid"),
                    "ttp": event.click_ids.get("ttp"),
                    "ip": user.ip_address,
                    "user_agent": user.user_agent,
                    "locale": user.locale,
                    "first_name": sha256(user.first_name),
                    "last_name": sha256(user.last_name),
                    "zip_code": sha256(user.zip),
                    "city": user.city,
                    "state": user.state,
                    "country": user.country,
                }
            ),
            "page": present({"url": event.page.url, "referrer": event.page.referrer}),
            "properties": present(
                {
                    "value": None if event.value is None else float(event.value),
                    "currency": event.currency,
                    "order_id": event.order_id,
                    "shop_id": event.shop_id,
                    "search_string": event.search_term,
                    "description": event.description,
                    "content_type": "product",
                    "contents": [row(item) for item in event.items],
                }
            ),
        }
    )


def row(item: Item) -> dict[str, object]:
    return present(
        {
            "content_id": item.item_id,
            "content_name": item.item_name,
            "content_category": item.item_category,
            "brand": item.item_brand,
            "price": item.price,
            "quantity": item.quantity,
        }
    )


HEADERS = {"Access-Token": "secret", "Content-Type": "application/json"}
HEAD = b'{"event_source":"web","event_source_id":"C4ABCDEFGHIJ","data":['


async def post(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    async with session.post(url, data=body, headers=HEADERS) as answer:
        read = await answer.json(loads=orjson.loads)
        assert read["code"] == 0


def body_of(items: list[bytes]) -> bytes:
    return HEAD + b",".join(items) + b"]}"


async def loop(
    url: str, bootstrap: str, topic: str, number: int, batch: int = BATCH, at_once: int = 8
) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=512 * 1024,
        fetch_max_bytes=8 << 20,
    )
    await consumer.start()
    async with aiohttp.ClientSession() as session:
        await begin()
        slots = asyncio.Semaphore(at_once)
        items: list[bytes] = []
        sent = 0
        async with asyncio.TaskGroup() as posts:
            while sent < number:
                polled = await consumer.getmany(timeout_ms=250, max_records=4000)
                for records in polled.values():
                    for record in records:
                        items.append(mapped(Event.model_validate_json(record.value)))
                        if len(items) == batch or sent + len(items) == number:
                            await slots.acquire()
                            posts.create_task(_post(session, url, body_of(items), slots))
                            sent += len(items)
                            items = []
        finish()
    await consumer.stop()


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, slots: asyncio.Semaphore
) -> None:
    try:
        await post(session, url, body)
    finally:
        slots.release()


async def posts(url: str, number: int, at_once: int) -> None:
    item = b'{"event":"CompletePayment","event_id":"%016d-%09d","user":{"email":"%s"}}'
    async with aiohttp.ClientSession() as session:
        await begin()
        slots = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as tasks:
            for n in range(number):
                await slots.acquire()
                body = body_of([item % (0, n, b"a" * 400)])
                tasks.create_task(_post(session, url, body, slots))
        finish()


async def begin() -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def finish() -> None:
    print("done", flush=True)
    sys.stdin.read()


def main(kind: str, url: str, *rest: str) -> None:
    if kind == "loop":
        bootstrap, topic, *numbers = rest
        uvloop.run(loop(url, bootstrap, topic, *map(int, numbers)))
    else:
        number, at_once = map(int, rest)
        uvloop.run(posts(url, number, at_once))


if __name__ == "__main__":
    main(*sys.argv[1:])
