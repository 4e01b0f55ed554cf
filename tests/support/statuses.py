"""Statuses to look at: three calm accounts, and two hundred in every state there is."""

from __future__ import annotations

import math
from dataclasses import replace

from forwarder.ops.status import (
    AccountStatus,
    DeadLetters,
    LaneStatus,
    LastVerdict,
    PartitionStatus,
    RetryStatus,
    RouterStatus,
    Status,
)

NOW = 1_795_262_580.0  # 2026-11-21 12:03 UTC
HOUR = 3600.0
CLOSED = LaneStatus(
    breaker="closed",
    reason="",
    code="",
    since_at=None,
    until_at=None,
    not_before_at=None,
    waiting=0,
    waiting_bytes=0,
    in_flight=0,
    oldest_seconds=None,
    expires_in=None,
    next_request_in=None,
    last_verdicts=(),
)
DESTINATIONS = ("tiktok", "tradedesk", "thrad")


def verdicts(*pairs: tuple[str, str]) -> tuple[LastVerdict, ...]:
    return tuple(LastVerdict(NOW - 3 * i, *pair) for i, pair in enumerate(pairs))


GOOD = verdicts(*[("delivered", "0")] * 5)


def rate(seed: int, top: int) -> tuple[int, ...]:
    return tuple(int(top * (1 + math.sin(seed + minute / 7)) / 2) for minute in range(60))


def delivering(name: str, destination: str, waiting: int = 1834, seed: int = 1) -> AccountStatus:
    lane = replace(
        CLOSED,
        waiting=waiting,
        waiting_bytes=waiting * 773,
        in_flight=3,
        oldest_seconds=4.2,
        expires_in=2.4e6,
        next_request_in=0.1,
        last_verdicts=GOOD,
    )
    return AccountStatus(name, destination, "active", lane, 0.62, rate(seed, 480), NOW - 9 * HOUR)


def idle(name: str, destination: str) -> AccountStatus:
    return AccountStatus(
        name, destination, "active", replace(CLOSED, last_verdicts=GOOD), 0.0, (0,) * 60, NOW - HOUR
    )


def blocked(name: str, destination: str, waiting: int = 48_211) -> AccountStatus:
    lane = replace(
        CLOSED,
        breaker="open",
        reason="misconfigured",
        code="40105",
        since_at=NOW - 41 * 60,
        until_at=NOW + 130,
        waiting=waiting,
        waiting_bytes=waiting * 773,
        oldest_seconds=41 * 60,
        expires_in=27 * 24 * HOUR,
        next_request_in=130.0,
        last_verdicts=verdicts(*[("misconfigured", "40105")] * 4, ("delivered", "0")),
    )
    counts = rate(2, 300)[:20] + (0,) * 40
    return AccountStatus(name, destination, "active", lane, 0.0, counts, NOW - 9 * HOUR)


def probing(name: str, destination: str) -> AccountStatus:
    account = blocked(name, destination, 912)
    assert account.lane is not None
    lane = replace(account.lane, breaker="probing", reason="transient", code="503", until_at=None)
    return replace(account, lane=replace(lane, in_flight=1))


def throttled(name: str, destination: str) -> AccountStatus:
    account = delivering(name, destination, 7_400, 3)
    assert account.lane is not None
    lane = replace(
        account.lane,
        not_before_at=NOW + 240,
        next_request_in=240.0,
        oldest_seconds=700,
        in_flight=0,
        last_verdicts=verdicts(("throttled", "40100"), ("throttled", "40100"), ("delivered", "0")),
    )
    return replace(account, lane=lane, budget_used=0.94)


def expiring(name: str, destination: str) -> AccountStatus:
    account = delivering(name, destination, 1_240_000, 4)
    assert account.lane is not None
    lane = replace(account.lane, expires_in=4_900.0, oldest_seconds=22 * HOUR)
    return replace(account, lane=lane, budget_used=0.93)


def status(*accounts: AccountStatus) -> Status:
    return Status(
        version="0.1.0",
        config_hash="4be01c9f2a77",
        at=NOW,
        started_at=NOW - 53 * HOUR,
        draining=False,
        ready=True,
        kafka_reachable=True,
        accounts=accounts,
        router=RouterStatus(tuple(PartitionStatus(n, 0) for n in range(8)), 0.4),
        retries=(RetryStatus("1m", 12, 0), RetryStatus("10m", 3, 0), RetryStatus("1h", 0, 0)),
        dead_letters=(),
        budgets={"tiktok-app": 0.62},
        commit_age={"router": 0.4, "sender": 0.8},
        loop_lag=0.004,
    )


def three() -> Status:
    return status(
        delivering("acme-pixel", "tiktok"),
        delivering("acme-ttd", "tradedesk", 12, 5),
        idle("acme-thrad", "thrad"),
    )


def trouble() -> Status:
    return status(*three().accounts, blocked("nova-pixel", "tiktok"))


def _member(n: int) -> AccountStatus:
    name, destination = f"advertiser-{n:03d}-{DESTINATIONS[n % 3]}", DESTINATIONS[n % 3]
    special = {
        7: blocked(name, destination),
        31: probing(name, destination),
        58: expiring(name, destination),
        59: throttled(name, destination),
        60: throttled(name, destination),
        90: replace(delivering(name, destination), test_code=True),
        120: replace(delivering(name, destination, 5_000), state="paused"),
        121: replace(delivering(name, destination, 44), state="draining"),
        150: blocked("a-very-long-name-" + "of-an-account-" * 3 + "64x", destination),
    }
    if n in special:
        return special[n]
    if n % 4 == 3:
        return AccountStatus(name, destination, "active", None, None, (0,) * 60, NOW - HOUR)
    return idle(name, destination) if n % 5 == 0 else delivering(name, destination, n * 37, n)


def two_hundred() -> Status:
    lags = tuple(PartitionStatus(n, 0 if n % 5 else 1_204 * n) for n in range(24))
    retries = (
        RetryStatus("1m", 1_204, 0),
        RetryStatus("10m", 318, 412),
        RetryStatus("1h", 5_002, 0),
    )
    letters = (
        DeadLetters("advertiser-007-thrad", "rejected", 1_204),
        DeadLetters("", "invalid_event", 311),
        DeadLetters("advertiser-058-tradedesk", "expired", 17),
    )
    return replace(
        status(*(_member(n) for n in range(200))),
        router=RouterStatus(lags, 2.2),
        retries=retries,
        dead_letters=letters,
    )
