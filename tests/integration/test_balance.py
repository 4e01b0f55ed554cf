"""Promise 2 on a real Kafka: one outcome for every event and account, and the sum is right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    WorkerProcess,
    eventually,
    web_purchases,
)

EVENTS = 20_000
DELIVERIES = re.compile(
    r'forwarder_deliveries_total\{account="([^"]+)",destination="[^"]+",outcome="([^"]+)",'
    r'reason="([^"]*)"\}'
)
RECORDS = re.compile(r'forwarder_records_total\{outcome="([^"]+)",topic="([^"]+)"\}')
ACCOUNTS = {
    "acme-pixel": TIKTOK,
    "acme-ttd": TRADEDESK,
    "acme-thrad": {
        **THRAD,
        "budgets": [{"requests": 100_000, "per": "10s", "concurrency": 64}],
        "concurrency": 64,
    },
}


def shop(number: int) -> list[dict[str, Any]]:
    """Events of which one in ten each is invalid, for nobody, without a click id, without a match
    key, older than any vendor takes, or for TikTok alone."""
    events: list[dict[str, Any]] = [dict(event) for event in web_purchases(number)]
    for index, event in enumerate(events):
        match index % 10:
            case 0:
                event["value"] = -1
            case 1:
                event["advertiser"] = "nobody"
            case 2:
                del event["click_ids"]
            case 3:
                event["user"] = {}
            case 4:
                event["event_time"] -= 40 * 86400
            case 5:
                event["destinations"] = ["tiktok"]
    return events


async def outcomes(worker: WorkerProcess) -> dict[str, Counter[tuple[str, str]]]:
    """By account: (outcome, reason) -> deliveries."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for name, value in (await worker.metrics()).items():
        if match := DELIVERIES.match(name):
            account, outcome, reason = match.groups()
            found.setdefault(account, Counter())[outcome, reason] += int(value)
    return found


async def test_every_event_has_one_outcome_at_every_account(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    tenth = EVENTS // 10
    async with Deployment(kafka_bootstrap, unique, tmp_path, ACCOUNTS) as deployment:
        await deployment.run("topics", "create")
        deployment.sandbox.behave(destination="thrad", rate={"requests": 1_000_000, "per": 1})
        worker = await deployment.start()
        await deployment.publish(shop(EVENTS), "--no-validate")
        routed = EVENTS - 2 * tenth

        async def all_ended() -> bool:
            found = await outcomes(worker)
            return {sum(counts.values()) for counts in found.values()} == {routed}

        await eventually(all_ended, 90, what=f"all ended: {worker.tail(1500)}")
        found = await outcomes(worker)
        assert found["acme-pixel"] == {
            ("delivered", ""): routed - 2 * tenth,
            ("skipped", "no_match_key"): tenth,
            ("dead_lettered", "expired"): tenth,
        }
        assert found["acme-ttd"] == {
            ("delivered", ""): routed - 3 * tenth,
            ("skipped", "no_match_key"): tenth,
            ("skipped", "not_targeted"): tenth,
            ("dead_lettered", "expired"): tenth,
        }
        assert found["acme-thrad"] == {
            ("delivered", ""): routed - 3 * tenth,
            ("skipped", "no_click_id"): tenth,
            ("skipped", "not_targeted"): tenth,
            ("dead_lettered", "expired"): tenth,
        }
        records = {
            match[1]: int(value)
            for name, value in (await worker.metrics()).items()
            if (match := RECORDS.match(name))
        }
        assert records == {"routed": routed, "invalid_event": tenth, "unrouted": tenth}
        for destination, delivered in (("tiktok", 2), ("tradedesk", 3), ("thrad", 3)):
            seen = await deployment.event_ids(destination)
            assert len(seen) == routed - delivered * tenth
            assert set(seen.values()) == {1}
        accounts = (await deployment.report())["accounts"].values()
        assert [account["violations"] for account in accounts] == [{}, {}, {}]
