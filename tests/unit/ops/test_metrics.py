from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from forwarder.ops import catalogue
from forwarder.ops.catalogue import CATALOGUE, Kind, markdown
from forwarder.ops.metrics import MAX_CODES, OTHER, Histogram, Metrics, Reading

Labels = dict[str, str]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", config_hash="abc")


def samples(metrics: Metrics, name: str) -> list[tuple[Labels, float]]:
    """Samples of one series, as Prometheus reads them."""
    text = metrics.page()().decode()
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def one(metrics: Metrics, name: str) -> float:
    ((_, value),) = samples(metrics, name)
    return value


class TestCatalogue:
    def test_it_holds_every_metric_of_the_promise(self) -> None:
        promised = """forwarder_records_total forwarder_deliveries_total forwarder_requests_total
            forwarder_request_seconds forwarder_batch_events forwarder_delivery_seconds
            forwarder_event_age_seconds forwarder_waiting forwarder_oldest_waiting_seconds
            forwarder_seconds_to_expiry forwarder_retrying_total forwarder_budget_used_ratio
            forwarder_next_request_seconds forwarder_breaker_open
            forwarder_credential_loaded_timestamp_seconds forwarder_events_lag
            forwarder_commit_age_seconds forwarder_rebalances_total forwarder_loop_lag_seconds
            forwarder_retry_overdue_seconds forwarder_unknown_fields_total
            forwarder_dropped_fields_total forwarder_build_info"""
        assert set(promised.split()) <= {metric.name for metric in CATALOGUE}

    def test_names_are_unique_and_say_their_kind(self) -> None:
        assert max(Counter(metric.name for metric in CATALOGUE).values()) == 1
        for metric in CATALOGUE:
            assert metric.name.startswith("forwarder_")
            assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
            assert metric.help.endswith(".")
            assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
            assert list(metric.buckets) == sorted(set(metric.buckets))

    def test_a_histogram_is_read_through_three_series(self) -> None:
        assert catalogue.BATCH_EVENTS.series() == (
            "forwarder_batch_events_bucket",
            "forwarder_batch_events_sum",
            "forwarder_batch_events_count",
        )
        assert catalogue.WAITING.series() == ("forwarder_waiting",)

    def test_as_a_table(self) -> None:
        lines = markdown().splitlines()
        assert lines[0] == "| metric | kind | labels | meaning |"
        assert len(lines) == 2 + len(CATALOGUE)
        assert (
            "| `forwarder_waiting` | gauge | `account` "
            "| Deliveries that wait in the account's queue. |" in lines
        )


class TestCounting:
    def test_deliveries_carry_account_destination_outcome_and_reason(
        self, metrics: Metrics
    ) -> None:
        account = metrics.account("acme", "tiktok")
        account.delivered(500)
        account.ended({("delivered", ""): 2, ("skipped", "unmapped_event"): 3})
        found = {
            (labels["outcome"], labels["reason"]): value
            for labels, value in samples(metrics, "forwarder_deliveries_total")
            if labels["account"] == "acme" and labels["destination"] == "tiktok"
        }
        assert found == {("delivered", ""): 502, ("skipped", "unmapped_event"): 3}

    def test_an_account_without_deliveries_shows_zero_so_that_rates_start_there(
        self, metrics: Metrics
    ) -> None:
        metrics.account("acme", "tiktok")
        assert one(metrics, "forwarder_deliveries_total") == 0

    def test_the_same_account_is_the_same_object(self, metrics: Metrics) -> None:
        assert metrics.account("a", "tiktok") is metrics.account("a", "tiktok")

    def test_requests_by_verdict_and_code(self, metrics: Metrics) -> None:
        account = metrics.account("acme", "tiktok")
        account.answered({("delivered", "0"): 4, ("throttled", "40100"): 1})
        account.answered({("delivered", "0"): 1})
        found = {
            (labels["verdict"], labels["code"]): value
            for labels, value in samples(metrics, "forwarder_requests_total")
        }
        assert found == {("delivered", "0"): 5, ("throttled", "40100"): 1}

    def test_codes_of_an_account_are_bounded(self, metrics: Metrics) -> None:
        account, quiet = metrics.account("acme", "tiktok"), metrics.account("quiet", "tiktok")
        for code in range(1000):
            account.answered({("rejected", str(code)): 1})
        account.answered({("rejected", "0"): 1, ("rejected", "x" * 65): 1})
        quiet.answered({("rejected", "999"): 1})
        found = {
            (labels["account"], labels["code"]): value
            for labels, value in samples(metrics, "forwarder_requests_total")
        }
        assert len(found) == MAX_CODES + 2
        assert found["acme", OTHER] == 1000 - MAX_CODES + 1
        assert found["acme", "0"] == 2
        assert found["quiet", "999"] == 1

    def test_counters_without_account(self, metrics: Metrics) -> None:
        metrics.records("conversions", "routed", 500)
        metrics.records("conversions", "routed")
        metrics.rebalanced("router")
        metrics.unknown_fields(3)
        metrics.write_failed("conversions.dlq")
        metrics.account("acme", "tiktok").retrying("10m", 2)
        assert samples(metrics, "forwarder_records_total") == [
            ({"topic": "conversions", "outcome": "routed"}, 501)
        ]
        assert samples(metrics, "forwarder_rebalances_total") == [({"role": "router"}, 1)]
        assert samples(metrics, "forwarder_unknown_fields_total") == [({}, 3)]
        assert samples(metrics, "forwarder_write_failures_total") == [
            ({"topic": "conversions.dlq"}, 1)
        ]
        assert samples(metrics, "forwarder_retrying_total") == [
            ({"account": "acme", "tier": "10m"}, 2)
        ]

    def test_dropped_fields_are_counted_without_list_positions(self, metrics: Metrics) -> None:
        metrics.dropped_fields({"items[0].price": 1, "items[17].price": 2, "user.email.3": 1})
        found = {
            labels["field"]: value
            for labels, value in samples(metrics, "forwarder_dropped_fields_total")
        }
        assert found == {"items.price": 3, "user.email": 1}

    def test_dropped_fields_are_bounded(self, metrics: Metrics) -> None:
        for number in range(5000):
            metrics.dropped_fields({f"properties.p{number}": 1})
        found = samples(metrics, "forwarder_dropped_fields_total")
        assert len(found) <= 201
        assert sum(value for _, value in found) == 5000


class TestGauges:
    def test_they_are_asked_at_the_scrape(self, metrics: Metrics) -> None:
        waiting = [7.0]
        metrics.watch(lambda: [Reading(catalogue.WAITING, ("acme",), waiting[0])])
        assert one(metrics, "forwarder_waiting") == 7
        waiting[0] = 9
        assert one(metrics, "forwarder_waiting") == 9

    def test_they_are_read_when_the_page_is_asked_for_not_when_it_is_rendered(
        self, metrics: Metrics
    ) -> None:
        """Rendering happens in a thread, where the lanes must not be touched."""
        asked: list[str] = []

        def source() -> Iterable[Reading]:
            asked.append("now")
            return ()

        metrics.watch(source)
        render = metrics.page()
        assert asked == ["now"]
        render()
        assert asked == ["now"]

    def test_what_runs(self, metrics: Metrics) -> None:
        assert samples(metrics, "forwarder_build_info") == [
            ({"version": "1.2.3", "config_hash": "abc"}, 1)
        ]

    def test_the_process_is_there_too(self, metrics: Metrics) -> None:
        assert one(metrics, "process_resident_memory_bytes") > 0
        assert samples(metrics, "python_info")


class TestHistogram:
    @given(st.lists(st.floats(0, 1e6) | st.sampled_from([1.0, 10.0, 100.0])))
    def test_many_at_once_is_the_same_as_one_by_one(self, values: list[float]) -> None:
        bulk, single = Histogram((1.0, 10.0, 100.0)), Histogram((1.0, 10.0, 100.0))
        bulk.observe_many(values)
        for value in values:
            single.observe(value)
        assert bulk.counts == single.counts
        assert math.isclose(bulk.total, single.total, abs_tol=1e-6)

    def test_a_bound_belongs_to_its_bucket(self) -> None:
        histogram = Histogram((1.0, 2.0))
        histogram.observe_many([1.0, 1.5, 2.0, 2.1])
        assert histogram.counts == [1, 2, 1]

    def test_a_clock_behind_counts_as_zero(self) -> None:
        bulk, single = Histogram((1.0,)), Histogram((1.0,))
        bulk.observe_many([-5.0, 3.0])
        single.observe(-5.0)
        single.observe(3.0)
        assert (bulk.counts, bulk.total) == (single.counts, single.total) == ([1, 1], 3.0)

    def test_exported_buckets_are_cumulative_and_agree_with_the_count(
        self, metrics: Metrics
    ) -> None:
        account = metrics.account("acme", "tiktok")
        account.request(0.2, 500)
        account.request(0.01, 3)
        account.request(99.0, 1)
        buckets = [
            value
            for labels, value in samples(metrics, "forwarder_request_seconds_bucket")
            if labels["account"] == "acme"
        ]
        assert buckets == sorted(buckets)
        assert buckets[0] == 1
        assert buckets[-1] == one(metrics, "forwarder_request_seconds_count") == 3
        assert one(metrics, "forwarder_batch_events_sum") == 504

    def test_ages_and_latencies_are_told_apart(self, metrics: Metrics) -> None:
        account = metrics.account("acme", "tiktok")
        account.latencies([1.0, 2.0])
        account.ages([100.0])
        assert one(metrics, "forwarder_delivery_seconds_count") == 2
        assert one(metrics, "forwarder_event_age_seconds_sum") == 100


def test_every_series_exported_stands_in_the_catalogue(metrics: Metrics) -> None:
    account = metrics.account("acme", "tiktok")
    account.request(1, 1)
    account.latencies([1])
    account.ages([1])
    account.answered({("delivered", "0"): 1})
    known = {name for metric in CATALOGUE for name in metric.series()}
    text = metrics.page()().decode()
    exported = {
        sample.name
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("forwarder_")
    }
    assert exported <= known
