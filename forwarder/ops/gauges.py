"""The gauges of ``/metrics``, read from the same status that the page shows."""

from __future__ import annotations

from collections.abc import Iterator

from forwarder.ops import catalogue
from forwarder.ops.catalogue import MetricDef
from forwarder.ops.metrics import Reading
from forwarder.ops.status import AccountStatus, LaneStatus, Status


def readings(status: Status) -> Iterator[Reading]:
    """Every gauge that ``status`` has a value for. What is not known is left out, not 0."""
    yield Reading(catalogue.KAFKA_REACHABLE, (), float(status.kafka_reachable))
    yield Reading(catalogue.LOOP_LAG, (), status.loop_lag)
    for role, age in status.commit_age.items():
        yield Reading(catalogue.COMMIT_AGE, (role,), age)
    for budget, used in status.budgets.items():
        yield Reading(catalogue.BUDGET_USED, (budget,), used)
    for retry in status.retries:
        yield Reading(catalogue.RETRY_OVERDUE, (retry.tier,), retry.overdue)
    for part in status.router.partitions if status.router else ():
        yield Reading(catalogue.EVENTS_LAG, (str(part.partition),), part.lag)
    for account in status.accounts:
        yield from _account(account)


def _account(account: AccountStatus) -> Iterator[Reading]:
    name = account.name
    labels = (name, account.destination, account.state)
    yield Reading(catalogue.ACCOUNT_INFO, labels, 1.0)
    yield Reading(catalogue.TEST_CODE, (name,), float(account.test_code))
    if account.credential_loaded_at is not None:
        yield Reading(catalogue.CREDENTIAL_LOADED, (name,), account.credential_loaded_at)
    if account.lane is not None:
        yield from _lane(name, account.lane)


def _lane(name: str, lane: LaneStatus) -> Iterator[Reading]:
    closed = lane.breaker == "closed"
    yield Reading(catalogue.WAITING, (name,), lane.waiting)
    yield Reading(catalogue.BREAKER_OPEN, (name, "" if closed else lane.reason), float(not closed))
    optional: tuple[tuple[MetricDef, float | None], ...] = (
        (catalogue.OLDEST_WAITING, lane.oldest_seconds),
        (catalogue.SECONDS_TO_EXPIRY, lane.expires_in),
        (catalogue.NEXT_REQUEST, lane.next_request_in),
    )
    for metric, value in optional:
        if value is not None:
            yield Reading(metric, (name,), value)
