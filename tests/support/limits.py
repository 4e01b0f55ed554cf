"""Accounts with limits of every size, more waiting than they allow, and what the vendors count."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from forwarder.lane.budget import Plan, plan
from tests.support.deployment import Deployment
from tests.support.load import worst_window

MARGIN = 0.02
PAUSE = 3.5
ONE_EACH = {"batch": {"events": 1}}
"""One event a request, so that what waits lasts."""


@dataclass(frozen=True)
class Limited:
    """A vendor's limit and the accounts that share it. ``source``: what the sandbox counts by."""

    requests: int
    per: float
    accounts: tuple[str, ...]
    source: str
    concurrency: int

    @property
    def plan(self) -> Plan:
        return plan(self.requests, self.per, MARGIN, self.concurrency)


LIMITS = (
    Limited(20, 10.0, ("small",), "SOURCESMALL1", 8),
    Limited(60, 10.0, ("middle",), "SOURCEMIDDLE", 8),
    Limited(600, 60.0, ("large",), "SOURCELARGE1", 8),
    Limited(60, 10.0, ("one", "two", "three"), "SOURCESHARED", 24),
)


def accounts() -> dict[str, dict[str, object]]:
    """The accounts of ``LIMITS``. Those that share one have one token and one pixel, so that the
    sandbox counts them together.
    """
    return {
        name: {
            "destination": "tiktok",
            "advertisers": ["acme"],
            "event_source": "web",
            "event_source_id": limit.source,
            "access_token": f"token-of-{limit.source}",
            "budgets": ["together"] if len(limit.accounts) > 1 else [_budget(limit)],
            "concurrency": 8,
            **ONE_EACH,
        }
        for limit in LIMITS
        for name in limit.accounts
    }


def budgets() -> dict[str, object]:
    (shared,) = (limit for limit in LIMITS if len(limit.accounts) > 1)
    return {"together": _budget(shared)}


def _budget(limit: Limited) -> dict[str, object]:
    return {"requests": limit.requests, "per": f"{limit.per:g}s"}


def deployment(bootstrap: str, prefix: str, directory: Path, **more: object) -> Deployment:
    return Deployment(bootstrap, prefix, directory, accounts(), budgets=budgets(), **more)


def impose(deployed: Deployment, latency: str = "150ms") -> None:
    """Let the sandbox count by these limits."""
    for limit in LIMITS:
        rate = {"requests": limit.requests, "per": limit.per}
        deployed.sandbox.behave(
            destination="tiktok", account=limit.source, rate=rate, latency=latency
        )


def arrivals(deployed: Deployment) -> Mapping[str, Sequence[float]]:
    """By source: when each request came, epoch seconds."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for line in deployed.sandbox.simulator.ledger.received("tiktok"):
        row = orjson.loads(line)
        source = next(x.source for x in LIMITS if row["account"].startswith(x.source))
        found[source][row["request"]] = row["received_at"]
    return {source: sorted(times.values()) for source, times in found.items()}


@dataclass(frozen=True)
class Use:
    """How a limit was used. ``worst``: requests in its fullest window; ``refused``: by the vendor;
    ``still``: seconds of each time without requests that is longer than ``PAUSE`` of them take;
    ``share``: of what the arithmetic allows in the rest of the time.
    """

    limit: Limited
    worst: int
    refused: int
    still: Sequence[float]
    share: float


def use(deployed: Deployment, since: float, until: float) -> list[Use]:
    """What became of each limit between two times in epoch seconds."""
    books: dict[str, Any] = deployed.sandbox.simulator.ledger.report()["accounts"]  # type: ignore[assignment]
    by_source = {book["vendor_id"]: book for book in books.values()}
    seen = arrivals(deployed)
    return [
        _use(limit, by_source[limit.source], seen.get(limit.source, ()), (since, until))
        for limit in LIMITS
    ]


def _use(
    limit: Limited,
    book: Mapping[str, Any],
    times: Sequence[float],
    span: tuple[float, float],
) -> Use:
    since, until = span
    within = [at for at in times if since <= at <= until]
    edges = [since, *within, until]
    gaps = [after - before for before, after in itertools.pairwise(edges)]
    still = [gap for gap in gaps if gap > PAUSE / limit.plan.rate]
    moving = until - since - sum(still)
    return Use(
        limit,
        max(book["worst_window"]["requests"], worst_window(times, limit.per)),
        sum(book["refusals"].values()),
        still,
        len(within) / (limit.plan.rate * moving) if moving > 0 else 0.0,
    )
