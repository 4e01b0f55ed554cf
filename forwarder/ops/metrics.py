"""Counting and exporting. Hot paths add to plain dictionaries and lists, in bulk; what Prometheus
reads is made from them at scrape time.

Everything here belongs to the event loop. Only the text is rendered in a thread (``page``), since
some ten thousand lines would hold up the loop; it reads copies, or values that may be one count
behind one another.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from forwarder.ops import catalogue
from forwarder.ops.catalogue import Kind, MetricDef

OTHER: Final = "other"
"""The label value that stands for all values past the limit."""

MAX_CODES: Final = 40
"""Distinct vendor codes that one account shows."""

MAX_FIELDS: Final = 200
MAX_LABEL: Final = 64
CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class Reading(NamedTuple):
    """One sample of a gauge. ``labels``: values in the order of the catalogue."""

    metric: MetricDef
    labels: tuple[str, ...]
    value: float


Source = Callable[[], Iterable[Reading]]
"""Gives the gauges at scrape time. Called in the event loop; must not block."""


class Counts:
    """One counter with labels: label values to count."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], n: float) -> None:
        self.values[labels] = self.values.get(labels, 0.0) + n


class Histogram:
    """Values counted into buckets."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_many(self, values: Iterable[float]) -> None:
        """Ages of one request's deliveries come nearly sorted, so sorting them and looking up the
        few bounds costs less for each value than a look-up for each value. A value below 0 (the
        clocks of two machines) counts as 0, since a sum must not fall.
        """
        ordered = sorted(values)
        below = 0
        for index, bound in enumerate(self.bounds):
            if below == len(ordered):
                return self._add_sum(ordered)
            upto = bisect_right(ordered, bound, below)
            self.counts[index] += upto - below
            below = upto
        self.counts[-1] += len(ordered) - below
        return self._add_sum(ordered)

    def _add_sum(self, ordered: Sequence[float]) -> None:
        self.total += sum(ordered[bisect_left(ordered, 0.0) :])


class Labels:
    """Values that come from outside, as label values: at most ``limit`` of them, then ``other``."""

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int) -> None:
        self._known: dict[str, str] = {}
        self._limit = limit

    def bounded(self, value: str) -> str:
        known = self._known.get(value)
        if known is None:
            if len(self._known) >= self._limit or len(value) > MAX_LABEL:
                return OTHER
            known = self._known[value] = value
        return known


class AccountMetrics:
    """The metrics of one account. Get it once and keep it: its methods look up no labels."""

    __slots__ = (
        "_age",
        "_batch",
        "_codes",
        "_delivered",
        "_latency",
        "_outcomes",
        "_requests",
        "_retries",
        "_seconds",
        "destination",
        "name",
    )

    def __init__(self, name: str, destination: str) -> None:
        self.name = name
        self.destination = destination
        self._delivered = ("delivered", "")
        self._outcomes: dict[tuple[str, str], int] = {self._delivered: 0}
        self._requests: dict[tuple[str, str], int] = {}
        self._retries: dict[str, int] = {}
        self._codes = Labels(MAX_CODES)
        self._seconds = Histogram(catalogue.REQUEST_SECONDS.buckets)
        self._batch = Histogram(catalogue.BATCH_EVENTS.buckets)
        self._latency = Histogram(catalogue.DELIVERY_SECONDS.buckets)
        self._age = Histogram(catalogue.EVENT_AGE.buckets)

    def delivered(self, n: int) -> None:
        self._outcomes[self._delivered] += n

    def ended(self, outcomes: Mapping[tuple[str, str], int]) -> None:
        """Deliveries that ended, by (outcome, reason): what a lane's tally holds."""
        for key, n in outcomes.items():
            self._outcomes[key] = self._outcomes.get(key, 0) + n

    def answered(self, requests: Mapping[tuple[str, str], int]) -> None:
        """Requests by (verdict, vendor code): what a lane's tally holds."""
        for (verdict, code), n in requests.items():
            key = (verdict, self._codes.bounded(code))
            self._requests[key] = self._requests.get(key, 0) + n

    def retrying(self, tier: str, n: int) -> None:
        """``tier``: ``1m``, ``10m`` or ``1h``."""
        self._retries[tier] = self._retries.get(tier, 0) + n

    def request(self, seconds: float, events: int) -> None:
        """One request: how long its answer took, and how many deliveries were in it."""
        self._seconds.observe(seconds)
        self._batch.observe(events)

    def latencies(self, seconds: Iterable[float]) -> None:
        """Seconds from append to delivery, of deliveries that were delivered."""
        self._latency.observe_many(seconds)

    def ages(self, seconds: Iterable[float]) -> None:
        """Seconds since the events' own times, of deliveries that were delivered."""
        self._age.observe_many(seconds)

    def outcomes(self) -> Mapping[tuple[str, str], int]:
        """Deliveries that ended so far, by (outcome, reason)."""
        return self._outcomes

    def counters(self) -> Iterator[Reading]:
        for (outcome, reason), n in list(self._outcomes.items()):
            labels = (self.name, self.destination, outcome, reason)
            yield Reading(catalogue.DELIVERIES, labels, n)
        for (verdict, code), n in list(self._requests.items()):
            yield Reading(catalogue.REQUESTS, (self.name, verdict, code), n)
        for tier, n in list(self._retries.items()):
            yield Reading(catalogue.RETRYING, (self.name, tier), n)

    def histograms(self) -> Iterator[tuple[MetricDef, Histogram]]:
        yield catalogue.REQUEST_SECONDS, self._seconds
        yield catalogue.BATCH_EVENTS, self._batch
        yield catalogue.DELIVERY_SECONDS, self._latency
        yield catalogue.EVENT_AGE, self._age


class Metrics:
    """All metrics of one process, on a registry of its own."""

    def __init__(self, *, version: str, config_hash: str) -> None:
        self._accounts: dict[str, AccountMetrics] = {}
        self._counts = {
            metric: Counts() for metric in catalogue.CATALOGUE if metric.kind is Kind.COUNTER
        }
        self._counts[catalogue.UNKNOWN_FIELDS].add((), 0)
        self._fields = Labels(MAX_FIELDS)
        self._build = Reading(catalogue.BUILD_INFO, (version, config_hash), 1.0)
        self._sources: list[Source] = []
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    # -- counting ---------------------------------------------------------------------------
    def account(self, name: str, destination: str) -> AccountMetrics:
        """The account's own metrics; the same object every time."""
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = AccountMetrics(name, destination)
        return found

    def records(self, topic: str, outcome: str, n: int = 1) -> None:
        """Records that the router settled. ``outcome``: ``routed`` (to at least one queue),
        ``skipped`` (every account skips it), ``requeued`` (from a retry topic), or the reason of
        the dead letter.
        """
        self._counts[catalogue.RECORDS].add((topic, outcome), n)

    def outcomes_of(self, topic: str) -> Counter[str]:
        """Records of ``topic`` that were settled, by outcome."""
        values = self._counts[catalogue.RECORDS].values
        return Counter({out: int(n) for (name, out), n in values.items() if name == topic})

    def rebalanced(self, role: str) -> None:
        self._counts[catalogue.REBALANCES].add((role,), 1)

    def unknown_fields(self, n: int) -> None:
        self._counts[catalogue.UNKNOWN_FIELDS].add((), n)

    def dropped_fields(self, fields: Mapping[str, int]) -> None:
        """Paths of dropped fields. List positions are left out of the label."""
        for path, n in fields.items():
            field = self._fields.bounded(_without_positions(path))
            self._counts[catalogue.DROPPED_FIELDS].add((field,), n)

    def write_failed(self, topic: str) -> None:
        self._counts[catalogue.WRITE_FAILURES].add((topic,), 1)

    def watch(self, source: Source) -> None:
        """Ask ``source`` for gauges at every scrape."""
        self._sources.append(source)

    # -- exporting --------------------------------------------------------------------------
    def page(self) -> Callable[[], bytes]:
        """Read the gauges now; the function returned renders the text, in any thread."""
        gauges = [reading for source in self._sources for reading in source()]

        def render() -> bytes:
            ours = _Families(self._families(gauges))
            return generate_latest(ours) + generate_latest(self._process)

        return render

    def _families(self, gauges: Iterable[Reading]) -> Iterable[Metric]:
        families = {metric: _family(metric) for metric in catalogue.CATALOGUE}
        for reading in (self._build, *gauges, *self._counters()):
            metric = reading.metric
            labels = dict(zip(metric.labels, reading.labels, strict=True))
            families[metric].add_sample(metric.name, labels, reading.value)
        for account in list(self._accounts.values()):
            for metric, histogram in account.histograms():
                _add_histogram(families[metric], account.name, histogram)
        return families.values()

    def _counters(self) -> Iterator[Reading]:
        for account in list(self._accounts.values()):
            yield from account.counters()
        for metric, counts in self._counts.items():
            for labels, n in list(counts.values.items()):
                yield Reading(metric, labels, n)


class _Families(Collector):
    """Ready families, in the shape that prometheus_client renders."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._ready = families

    def collect(self) -> Iterable[Metric]:
        return self._ready


def _family(metric: MetricDef) -> Metric:
    # prometheus_client adds "_total" to the name of a counter's family by itself.
    return Metric(metric.name.removesuffix("_total"), metric.help, metric.kind.value)


def _add_histogram(family: Metric, account: str, histogram: Histogram) -> None:
    counts = list(histogram.counts)
    if not any(counts):
        return
    name, below = family.name, 0
    for bound, count in zip((*histogram.bounds, float("inf")), counts, strict=True):
        below += count
        le = "+Inf" if bound == float("inf") else str(float(bound))
        family.add_sample(f"{name}_bucket", {"account": account, "le": le}, below)
    family.add_sample(f"{name}_sum", {"account": account}, histogram.total)
    family.add_sample(f"{name}_count", {"account": account}, below)


@lru_cache(maxsize=4096)
def _without_positions(path: str) -> str:
    """``items[3].price`` and ``items.3.price`` are one field: ``items.price``."""
    return re.sub(r"\[\d+\]|\.\d+(?=\.|$)", "", path)
