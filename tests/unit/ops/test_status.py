from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.ops import catalogue
from forwarder.ops.catalogue import CATALOGUE, Kind
from forwarder.ops.gauges import readings
from forwarder.ops.status import (
    LAST_VERDICTS,
    MINUTES,
    DeadLetters,
    LastHour,
    RetryStatus,
    Sparkline,
    Status,
    Verdicts,
    to_json,
)
from forwarder.ops.words import count, moment, plural, size, span
from tests.support import statuses


class TestSparkline:
    def test_counts_fall_into_their_minute(self) -> None:
        line = Sparkline(0.0)
        line.add(10, 2)
        line.add(59.9, 1)
        line.add(60, 5)
        assert line.points(65)[-2:] == (3, 5)
        assert len(line.points(65)) == MINUTES

    def test_quiet_minutes_are_zero(self) -> None:
        line = Sparkline(0.0)
        line.add(0, 1)
        assert line.points(185)[-4:] == (1, 0, 0, 0)

    def test_after_an_hour_all_is_forgotten(self) -> None:
        line = Sparkline(0.0)
        line.add(0, 9)
        assert sum(line.points(3599)) == 9
        assert sum(line.points(3600)) == 0
        assert sum(line.points(1e9)) == 0

    def test_a_clock_set_back_loses_nothing(self) -> None:
        line = Sparkline(600.0)
        line.add(600, 1)
        line.add(30, 1)
        assert line.points(600)[-1] == 2

    @given(st.lists(st.floats(0, 7200), max_size=30))
    def test_it_holds_what_the_last_hour_held(self, times: list[float]) -> None:
        line, now = Sparkline(0.0), 7200.0
        for at in sorted(times):
            line.add(at, 1)
        first = math.floor(now / 60) - MINUTES + 1
        assert sum(line.points(now)) == sum(at // 60 >= first for at in times)


def test_dead_letters_of_the_last_hour_most_first() -> None:
    letters = LastHour()
    letters.add(0, "acme", "expired", 1)
    letters.add(1800, "acme", "rejected", 2)
    letters.add(1800, "", "invalid_event", 7)
    assert letters.counts(1800) == (
        DeadLetters("", "invalid_event", 7),
        DeadLetters("acme", "rejected", 2),
        DeadLetters("acme", "expired", 1),
    )
    assert [row.reason for row in letters.counts(3700)] == ["invalid_event", "rejected"]
    assert letters.counts(9000) == ()


def test_last_verdicts_newest_first() -> None:
    verdicts = Verdicts()
    for number in range(20):
        verdicts.add(number, "delivered", str(number))
    latest = verdicts.latest()
    assert [last.code for last in latest] == ["19", "18", "17", "16", "15"]
    assert len(latest) == LAST_VERDICTS


def test_as_json() -> None:
    shown = json.loads(to_json(statuses.trouble()))
    account = shown["accounts"][3]
    assert account["name"] == "nova-pixel"
    assert account["lane"]["breaker"] == "open"
    assert account["lane"]["last_verdicts"][0] == {
        "at": statuses.NOW,
        "verdict": "misconfigured",
        "code": "40105",
    }
    assert shown["router"]["partitions"][0] == {"partition": 0, "lag": 0}


class TestGauges:
    def read(self, status: Status) -> dict[tuple[str, ...], float]:
        return {(r.metric.name, *r.labels): r.value for r in readings(status)}

    def test_every_reading_is_a_gauge_with_its_labels(self) -> None:
        for reading in readings(statuses.two_hundred()):
            assert reading.metric.kind is Kind.GAUGE
            assert len(reading.labels) == len(reading.metric.labels)

    def test_no_gauge_is_forgotten(self) -> None:
        read = {reading.metric for reading in readings(statuses.two_hundred())}
        gauges = {metric for metric in CATALOGUE if metric.kind is Kind.GAUGE}
        assert gauges - read == {catalogue.BUILD_INFO}

    def test_nothing_is_read_twice(self) -> None:
        found = [(r.metric.name, *r.labels) for r in readings(statuses.two_hundred())]
        assert len(found) == len(set(found))

    def test_a_lane(self) -> None:
        found = self.read(statuses.trouble())
        assert found["forwarder_waiting", "nova-pixel"] == 48_211
        assert found["forwarder_breaker_open", "nova-pixel", "misconfigured"] == 1
        assert found["forwarder_breaker_open", "acme-pixel", ""] == 0
        assert found["forwarder_next_request_seconds", "nova-pixel"] == 130
        assert found["forwarder_account_info", "nova-pixel", "tiktok", "active"] == 1

    def test_what_is_not_known_is_absent_rather_than_zero(self) -> None:
        account = replace(statuses.idle("acme", "tiktok"), lane=None, credential_loaded_at=None)
        names = {name[0] for name in self.read(statuses.status(account)) if "acme" in name}
        assert names == {"forwarder_account_info", "forwarder_test_code_active"}
        quiet = self.read(statuses.status(statuses.idle("acme", "tiktok")))
        assert ("forwarder_seconds_to_expiry", "acme") not in quiet
        assert quiet["forwarder_waiting", "acme"] == 0

    def test_the_replica(self) -> None:
        status = replace(
            statuses.three(),
            kafka_reachable=False,
            retries=(RetryStatus("1h", 3, 77.0),),
        )
        found = self.read(status)
        assert found["forwarder_kafka_reachable",] == 0
        assert found["forwarder_retry_overdue_seconds", "1h"] == 77
        assert found["forwarder_events_lag", "3"] == 0
        assert found["forwarder_commit_age_seconds", "sender"] == 0.8
        assert found["forwarder_budget_used_ratio", "tiktok-app"] == 0.62
        assert found["forwarder_loop_lag_seconds",] == 0.004

    def test_a_sender_alone_has_no_lag_to_tell(self) -> None:
        found = self.read(replace(statuses.three(), router=None))
        assert not [name for name in found if name[0] == "forwarder_events_lag"]


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (-3, "0 s"),
            (0.4, "0 s"),
            (59.9, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (86_400, "1 d"),
            (187_200, "2 d 4 h"),
        ],
    )
    def test_spans(self, seconds: float, words: str) -> None:
        assert span(seconds) == words

    def test_moments_name_the_day_when_it_is_not_today(self) -> None:
        assert moment(statuses.NOW, statuses.NOW) == "12:03 UTC"
        assert moment(statuses.NOW - 86_400, statuses.NOW) == "20 Nov 12:03 UTC"

    def test_numbers(self) -> None:
        assert [count(n) for n in (0, 1234, 1_240_000)] == ["0", "1,234", "1.2 M"]
        assert [size(n) for n in (812, 1434, 3 << 30, 5 << 40)] == [
            "812 B",
            "1.4 KiB",
            "3.0 GiB",
            "5120.0 GiB",
        ]
        assert [plural(n, "account") for n in (0, 1, 2)] == [
            "0 accounts",
            "1 account",
            "2 accounts",
        ]
