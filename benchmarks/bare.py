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
    ip_address: str | None = None
    user_agent: str | None = None


class ClickIds(BaseModel):
    ttclid: str | None = None
    ttp: str | None = None


class Page(BaseModel):
    url: str | None = None
    referrer: str | None = None


class Item(BaseModel):
    item_id: str | None = None
    item_name: str | None = None
    price: float | None = None
    quantity: int | None = None


class Event(BaseModel):
    event_id: str
    event_name: str
    event_time: int
    advertiser: str
    action_source: str = "web"
    user: User = User()
    click_ids: ClickIds = ClickIds()
    page: Page = Page()
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None
    items: list[Item] = []


def sha256(text: str | None) -> str | None:
    return hashlib.sha256(text.strip().lower().encode()).hexdigest() if text else None


def mapped(event: Event) -> bytes:
    user = event.user
    return orjson.dumps(
        {
            "event": "CompletePayment",
            "event_time": event.event_time,
            "event_id": event.event_id,
            "user": {
                "email": sha256(user.email),
                "phone": sha256(user.phone),
                "external_id": sha256(user.external_id),
                "ttclid": event.click_ids.ttclid,
                "ttp": event.click_ids.ttp,
                "ip": user.ip_address,
                "user_agent": user.user_agent,
            },
            "page": {"url": event.page.url, "referrer": event.page.referrer},
            "properties": {
                "value": event.value,
                "currency": event.currency,
                "order_id": event.order_id,
                "content_type": "product",
                "contents": [
                    {
                        "content_id": item.item_id,
                        "content_name": item.item_name,
                        "price": item.price,
                        "quantity": item.quantity,
                    }
                    for item in event.items
                ],
            },
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
