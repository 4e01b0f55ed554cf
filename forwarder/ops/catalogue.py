"""Every metric, once: name, kind, labels, meaning. Nothing is exported that does not stand here;
the README's table, the alerts and the dashboard are checked against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricDef:
    """One metric. ``labels`` in the order in which values are given; ``buckets``: upper bounds of
    a histogram, ascending, without infinity.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    def series(self) -> tuple[str, ...]:
        """Names as queries write them: a histogram is read through three series."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _counter(name: str, labels: str, text: str) -> MetricDef:
    return MetricDef(name, Kind.COUNTER, tuple(labels.split()), text)


def _gauge(name: str, labels: str, text: str) -> MetricDef:
    return MetricDef(name, Kind.GAUGE, tuple(labels.split()), text)


def _histogram(name: str, labels: str, text: str, buckets: tuple[float, ...]) -> MetricDef:
    return MetricDef(name, Kind.HISTOGRAM, tuple(labels.split()), text, buckets)


_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0

RECORDS: Final = _counter(
    "forwarder_records_total",
    "topic outcome",
    "Records that the router settled: routed, skipped, requeued, or the reason of the dead letter.",
)
DELIVERIES: Final = _counter(
    "forwarder_deliveries_total",
    "account destination outcome reason",
    "Deliveries that ended: delivered, skipped or dead_lettered, with the reason.",
)
REQUESTS: Final = _counter(
    "forwarder_requests_total",
    "account verdict code",
    "Requests that were answered or failed, by what the answer means and the vendor's code.",
)
REQUEST_SECONDS: Final = _histogram(
    "forwarder_request_seconds",
    "account",
    "From writing a request to the end of its answer.",
    (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0),
)
BATCH_EVENTS: Final = _histogram(
    "forwarder_batch_events",
    "account",
    "Deliveries in one request.",
    (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000),
)
DELIVERY_SECONDS: Final = _histogram(
    "forwarder_delivery_seconds",
    "account",
    "From a record's append to its delivery.",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 300, 900, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY),
)
EVENT_AGE: Final = _histogram(
    "forwarder_event_age_seconds",
    "account",
    "Age of an event, by its own time, when it is delivered.",
    (1, 10, _MINUTE, 300, 900, _HOUR, 6 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 28 * _DAY),
)
WAITING: Final = _gauge(
    "forwarder_waiting", "account", "Deliveries that wait in the account's queue."
)
OLDEST_WAITING: Final = _gauge(
    "forwarder_oldest_waiting_seconds", "account", "Age of the oldest waiting record."
)
SECONDS_TO_EXPIRY: Final = _gauge(
    "forwarder_seconds_to_expiry",
    "account",
    "Until the oldest waiting delivery is too old for the vendor. Absent when nothing waits.",
)
RETRYING: Final = _counter(
    "forwarder_retrying_total", "account tier", "Deliveries that were put into a retry topic."
)
BUDGET_USED: Final = _gauge(
    "forwarder_budget_used_ratio",
    "budget",
    "Requests sent in the last window of the budget, as a part of what it allows.",
)
NEXT_REQUEST: Final = _gauge(
    "forwarder_next_request_seconds",
    "account",
    "Until the account may send again. Absent when nothing waits.",
)
BREAKER_OPEN: Final = _gauge(
    "forwarder_breaker_open",
    "account reason",
    "1 while the breaker is open or probing, with the reason; 0 with an empty reason when closed.",
)
CREDENTIAL_LOADED: Final = _gauge(
    "forwarder_credential_loaded_timestamp_seconds",
    "account",
    "When the credential in use was read.",
)
EVENTS_LAG: Final = _gauge(
    "forwarder_events_lag", "partition", "Records of the events topic that are not yet routed."
)
COMMIT_AGE: Final = _gauge(
    "forwarder_commit_age_seconds", "role", "Since the last acknowledged commit."
)
REBALANCES: Final = _counter(
    "forwarder_rebalances_total", "role", "Times that partitions were given to this replica anew."
)
LOOP_LAG: Final = _gauge(
    "forwarder_loop_lag_seconds", "", "Longest delay of the event loop lately."
)
RETRY_OVERDUE: Final = _gauge(
    "forwarder_retry_overdue_seconds",
    "tier",
    "How long the first record of a retry topic is past due; 0 when it is not.",
)
UNKNOWN_FIELDS: Final = _counter(
    "forwarder_unknown_fields_total", "", "Fields of events that the schema does not know."
)
DROPPED_FIELDS: Final = _counter(
    "forwarder_dropped_fields_total",
    "field",
    "Optional fields that did not have their normal form and were left out.",
)
ACCOUNT_INFO: Final = _gauge(
    "forwarder_account_info",
    "account destination state",
    "Always 1: joins an account to its destination and its state.",
)
TEST_CODE: Final = _gauge(
    "forwarder_test_code_active",
    "account",
    "1 while the account sends with a test code, so that nothing counts at the vendor.",
)
KAFKA_REACHABLE: Final = _gauge(
    "forwarder_kafka_reachable", "", "1 while the brokers answer, else 0."
)
WRITE_FAILURES: Final = _counter(
    "forwarder_write_failures_total",
    "topic",
    "Writes to a queue, retry or dead-letter topic that failed or were not acknowledged in time.",
)
BUILD_INFO: Final = _gauge(
    "forwarder_build_info", "version config_hash", "Always 1: what runs, and with which settings."
)

CATALOGUE: Final[tuple[MetricDef, ...]] = (
    RECORDS,
    DELIVERIES,
    REQUESTS,
    REQUEST_SECONDS,
    BATCH_EVENTS,
    DELIVERY_SECONDS,
    EVENT_AGE,
    WAITING,
    OLDEST_WAITING,
    SECONDS_TO_EXPIRY,
    RETRYING,
    BUDGET_USED,
    NEXT_REQUEST,
    BREAKER_OPEN,
    CREDENTIAL_LOADED,
    EVENTS_LAG,
    COMMIT_AGE,
    REBALANCES,
    LOOP_LAG,
    RETRY_OVERDUE,
    UNKNOWN_FIELDS,
    DROPPED_FIELDS,
    ACCOUNT_INFO,
    TEST_CODE,
    KAFKA_REACHABLE,
    WRITE_FAILURES,
    BUILD_INFO,
)


def markdown(catalogue: Iterable[MetricDef] = CATALOGUE) -> str:
    """The catalogue as a Markdown table, for the README and the documentation."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in catalogue:
        labels = " ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"
