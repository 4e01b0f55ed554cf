"""What GA4 and Segment write reaches the vendors through a real Kafka: translated on the way in,
or by the router from a topic that holds it as it is."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    Event,
    eventually,
)
from tests.unit.sources.build import sample

ACCOUNTS = {"acme-pixel": TIKTOK, "acme-ttd": TRADEDESK, "acme-thrad": THRAD}
EACH = 20


def orders(number: int) -> list[Event]:
    """Segment calls, one of them about a person only."""
    now = datetime.now(UTC).isoformat()
    made = [
        sample("segment_track") | {"messageId": f"m{n}", "timestamp": now} for n in range(number)
    ]
    for n, call in enumerate(made):
        call["properties"] = {**call["properties"], "order_id": f"o{n}"}
    return [*made, sample("segment_identify")]


def hits(number: int) -> list[Event]:
    """GA4 payloads with one purchase each."""
    made = []
    for n in range(number):
        payload = sample("ga4_measurement_protocol")
        (purchase,) = payload["events"][1:]
        del purchase["timestamp_micros"]
        purchase["params"] |= {"event_id": f"g{n}", "transaction_id": f"o{n}"}
        micros = int(time.time() * 1e6)
        made.append(payload | {"timestamp_micros": micros, "events": [purchase]})
    return made


async def arrive(deployment: Deployment) -> None:
    """Every vendor gets each event once."""
    vendors = ("tiktok", "tradedesk", "thrad")
    for vendor in vendors:

        async def all_there(name: str = vendor) -> bool:
            return len(await deployment.event_ids(name)) >= EACH

        await eventually(all_there, 40, what=vendor)
    for vendor in vendors:
        seen = await deployment.event_ids(vendor)
        assert set(seen.values()) == {1}
        assert len(seen) == EACH
    report = await deployment.report()
    assert not any(book["violations"] for book in report["accounts"].values())


async def test_segment_calls_are_published_as_events(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    async with Deployment(kafka_bootstrap, unique, tmp_path, ACCOUNTS) as deployment:
        await deployment.run("topics", "create")
        lines = b"".join(json.dumps(call).encode() + b"\n" for call in orders(EACH))
        told = await deployment.run("publish", "-", "--from", "segment", given=lines)
        assert "identify calls hold no event: 1 left out" in told
        worker = await deployment.start()
        await arrive(deployment)
        worker.terminate()
        assert await worker.ended() == 0


async def test_a_topic_of_ga4_payloads_is_read_as_it_is(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    kafka = {"events_format": "ga4"}
    async with Deployment(kafka_bootstrap, unique, tmp_path, ACCOUNTS, kafka=kafka) as deployment:
        await deployment.run("topics", "create")
        several = sample("ga4_measurement_protocol")
        lines = b"".join(json.dumps(hit).encode() + b"\n" for hit in [*hits(EACH), several])
        told = await deployment.run("publish", "-", "--no-validate", given=lines)
        assert f"{EACH + 1} events published" in told
        found = await deployment.run("preview", "--coverage", "--topic", "--json", code=3)
        (told,) = [json.loads(line) for line in found.splitlines() if line.startswith("{")]
        assert (told["events"], told["invalid"]) == (EACH + 1, 1)
        assert [one["request"] for one in told["accounts"]] == [EACH] * 3
        worker = await deployment.start()
        await arrive(deployment)

        async def buried() -> bool:
            refused = 'outcome="invalid_event"'
            metrics = await worker.metrics()
            return any(n == 1 for name, n in metrics.items() if refused in name)

        await eventually(buried, 10, what="the payload with several events as a dead letter")
        worker.terminate()
        assert await worker.ended() == 0
