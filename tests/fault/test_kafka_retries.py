"""Retry topics, ages, accounts that are gone, and groups that lost their place."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from forwarder.kafka.port import Outgoing, TopicSpec
from forwarder.kafka.records import rfc3339
from tests.support.broker import Broker
from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    Event,
    eventually,
    says,
)
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken
from tests.support.topics import create, header, put, records

HOUR = 3600.0


def record(event: Event, headers: Mapping[str, object] | None = None, age: float = 0.0) -> Outgoing:
    """The event's record, written ``age`` seconds ago. Headers by the end of their names."""
    ours = {"origin": "elsewhere/0/0"} | dict(headers or {})
    written = int((time.time() - age) * 1000)
    named = [(f"forwarder-{name}", str(value).encode()) for name, value in ours.items()]
    return Outgoing(b"key", json.dumps(event).encode(), named, written)


async def test_retries_come_back_when_they_are_due_and_end_when_they_must(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    accounts = {
        "acme-pixel": TIKTOK,
        "acme-ttd": {**TRADEDESK, "state": "paused"},
        "acme-thrad": {**THRAD, "concurrency": 1},
    }
    async with Deployment(
        broker.bootstrap, unique, tmp_path, accounts, delivery=QUICK
    ) as deployment:
        retry, dead = f"{unique}.retry.1m", f"{unique}.dlq"
        # With the clients' times in place of the broker's, a minute can have passed already.
        await create(broker.bootstrap, TopicSpec(retry, 1, -1, {}))
        await deployment.run("topics", "create")
        worker = await deployment.start()
        due_at = time.time() + 4
        ours = {"account": "acme-pixel", "attempts": 3, "retries": 1, "replays": 0}
        soon, later, gone, broken = purchases(4, destinations=["tiktok"])
        await put(
            broker.bootstrap,
            retry,
            [
                record(gone, ours | {"account": "gone", "destination": "tiktok"}, age=70),
                record(broken, ours | {"attempts": "many"}, age=65),
                record(soon, ours, age=56),
                record(later, ours, age=30),
            ],
        )
        # The second one fails whenever it is sent, and all its chances are used up but for this.
        deployment.sandbox.behave(destination="thrad", status=503, fraction=0.5)
        spent = {"attempts": 8, "retries": 3, "first-failed-at": rfc3339(time.time() - 13 * HOUR)}
        first, failing, third = purchases(3, 10)
        await put(
            broker.bootstrap,
            f"{unique}.queue.acme-thrad",
            [record(first), record(failing, ours | spent), record(third)],
        )
        old = purchases(1, 20, event_time=time.time() - 25 * HOUR)
        await put(broker.bootstrap, f"{unique}.queue.acme-ttd", [record(one) for one in old])

        async def all_dead() -> bool:
            return len(await records(broker.bootstrap, dead)) == 4

        await eventually(all_dead, 30, what=worker.tail())
        letters = await records(broker.bootstrap, dead)
        assert sorted((header(one, "reason"), header(one, "code")) for one in letters) == [
            ("exhausted", "503"),
            ("expired", "local.max_event_age"),
            ("invalid_event", "local.malformed_headers"),
            ("unknown_account", "local.unknown_account"),
        ]
        (unknown,) = [one for one in letters if header(one, "reason") == "unknown_account"]
        assert header(unknown, "destination") == "tiktok"
        assert set(taken(deployment, "thrad")) == {"e10", "e12"}
        (arrived,) = await deployment.received("tiktok")
        assert arrived["event_id"] == "e0"
        assert due_at - 0.1 <= arrived["received_at"] < due_at + 3


async def test_groups_that_lost_their_place_wait_to_be_told(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    """A queue or an events topic with old records and no offset would all be sent again."""
    accounts = {"acme-pixel": TIKTOK, "gone": {**TIKTOK, "access_token": "token-of-gone"}}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, accounts, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        del deployment.accounts["gone"]
        deployment.write_settings()
        assert f"{unique}.queue.gone" in await deployment.run("topics", "diff", code=None)
        queue, events = f"{unique}.queue.acme-pixel", f"{unique}-events"
        one, other = purchases(2)
        await put(broker.bootstrap, queue, [record(one, age=2 * HOUR)])
        senders = await deployment.start("--role", "sender")
        await says(senders, "no_offset", account="acme-pixel")
        await put(broker.bootstrap, events, [record(other, age=2 * HOUR)])
        said = await deployment.run("run", "--role", "router", code=2)
        assert "kafka.start_from" in said
        assert "older than 1 h" in said
        assert not taken(deployment, "tiktok")

        senders.terminate()
        await senders.ended()
        await deployment.start(env={"FORWARDER_KAFKA__START_FROM": "earliest"})
        await eventually(lambda: set(taken(deployment, "tiktok")) == {"e0", "e1"}, 20)
