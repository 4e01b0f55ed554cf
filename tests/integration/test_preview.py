"""What ``preview`` shows is what the vendors receive, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    eventually,
    web_purchases,
)

EVENTS = 5
RICH: Any = {
    "items": [{"item_id": "sku-1", "item_name": "Schuh", "price": "9.95", "quantity": 2}],
    "user": {
        "email": [" Ada@Example.com ", "ada@example.org"],
        "phone": "(213) 373-4253",
        "ip_address": "203.0.113.7",
        "user_agent": "Mozilla/5.0",
        "city": "Târgu Mureș",
        "country": "us",
        "tdid": "7f9a4b1e-3f39-4b62-9d0e-2b4a0f9f3c11",
    },
    "consent": {"ad_user_data": "granted", "us_privacy": "1YNN"},
}


async def test_the_body_of_preview_is_the_body_received(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    one_each = {"events": 1}
    accounts = {
        "acme-pixel": {**TIKTOK, "batch": one_each},
        "acme-ttd": {**TRADEDESK, "batch": one_each},
        "acme-thrad": THRAD,
    }
    events = web_purchases(EVENTS, **RICH)
    async with Deployment(kafka_bootstrap, unique, tmp_path, accounts) as deployment:
        lines = b"".join(orjson.dumps(event) + b"\n" for event in events)
        shown = await deployment.run("preview", "-", "--reveal", given=lines)
        await deployment.run("topics", "create")
        await deployment.publish(events)
        await deployment.start()
        for name, account in accounts.items():
            destination = str(account["destination"])

            async def all_there(destination: str = destination) -> bool:
                return len(await deployment.received(destination)) == EVENTS

            await eventually(all_there, 30)
            rows = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
            bodies = {
                orjson.dumps(row["request"]["body"]) for row in rows if row.get("account") == name
            }
            received = {row["body"].encode() for row in await deployment.received(destination)}
            assert bodies == received
            assert len(bodies) == EVENTS
