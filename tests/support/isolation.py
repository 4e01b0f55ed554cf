"""Accounts in trouble beside two that are well, and a steady stream of events for them."""

from __future__ import annotations

import asyncio
import re
import time

from aiokafka import AIOKafkaProducer

RATE = 100
"""Events a second, each for every account that takes part."""
HEALTHY = ("well-one", "well-two")
TROUBLE: dict[str, dict[str, object]] = {
    "hangs": {"hang": True},
    "resets": {"reset": True},
    "revoked": {"status": 401},
    "throttled": {"code": 40100},
}
EVENT = (
    '{"event_id":"%d-%d","event_name":"purchase","event_time":%.3f,"advertiser":"%s",'
    '"user":{"email":"buyer@example.com"},"page":{"url":"https://shop.example/thanks"}}'
)


def source(name: str) -> str:
    """The pixel of an account."""
    return re.sub("[^A-Z]", "", name.upper()).ljust(12, "X")


def account(name: str, *advertisers: str) -> dict[str, object]:
    return {
        "destination": "tiktok",
        "advertisers": list(advertisers),
        "event_source": "web",
        "event_source_id": source(name),
        "access_token": f"token-of-{name}",
        # So that a tenth of the latency is more than what a busy machine adds.
        "batch": {"linger": "1s"},
    }


async def publish(producer: AIOKafkaProducer, topic: str, advertiser: str, seconds: float) -> int:
    """At a steady rate, until the broker has them; ids begin with the millisecond."""
    number, began = 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        while number < elapsed * RATE:
            now = time.time()
            event = EVENT % (now * 1000, number, now, advertiser)
            await producer.send(topic, event.encode(), partition=number % 24)
            number += 1
        await asyncio.sleep(0.01)
    await producer.flush()
    return number
