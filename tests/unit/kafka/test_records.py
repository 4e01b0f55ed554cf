from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.kafka import records
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.kafka.port import Headers, Outgoing, Record
from forwarder.kafka.records import MalformedHeaders, Progress, Trouble

AT = 1_763_700_000.5
TIME = "2025-11-21T04:40:00.500Z"


def record(*headers: tuple[str, bytes | None], value: bytes | None = b"{}") -> MemoryRecord:
    return MemoryRecord("conversions", 3, 42, 1_763_700_000_000, b"key", value, headers)


def fresh(source: Record) -> Outgoing:
    """Of an event that happened when its record was made."""
    at = source.timestamp / 1000
    return records.fresh(source, at, at)


def ours(headers: Headers) -> dict[str, str]:
    return {name: (raw or b"").decode() for name, raw in headers if name.startswith("forwarder-")}


def read_back(headers: Headers) -> Progress:
    return records.read_progress(record(*headers))


class TestFresh:
    def test_it_carries_what_the_event_had_and_its_origin_alone(self) -> None:
        source = record(("traceparent", b"00-1"), ("x", b"y"))
        made = fresh(source)
        assert (made.key, made.value, made.timestamp) == (b"key", b"{}", source.timestamp)
        assert list(made.headers) == [
            ("traceparent", b"00-1"),
            ("x", b"y"),
            ("forwarder-origin", b"conversions/3/42"),
        ]

    def test_our_names_on_the_events_topic_are_ignored(self) -> None:
        forged = record(("forwarder-attempts", b"7"), ("forwarder-origin", b"x/0/1"))
        assert ours(fresh(forged).headers) == {"forwarder-origin": "conversions/3/42"}

    def test_it_is_read_as_a_first_try(self) -> None:
        assert read_back(fresh(record()).headers) == Progress(origin="conversions/3/42")

    @pytest.mark.parametrize(
        ("off", "kept"), [(-86_401, False), (-86_399, True), (0, True), (599, True), (601, False)]
    )
    def test_a_timestamp_that_no_clock_can_have_given_gives_way_to_the_events(
        self, off: float, kept: bool
    ) -> None:
        source = record()
        at = source.timestamp / 1000 - off
        made = records.fresh(source, event_time=at, now=at)
        assert made.timestamp == (source.timestamp if kept else at * 1000)


PROGRESS = Progress(
    origin="conversions/0/1",
    attempts=3,
    retries=2,
    replays=1,
    run="run-1",
    first_failed_at=AT,
    last_failed_at=AT + 60,
    account="acme",
)


class TestTroubled:
    def test_every_header_of_the_readmes_table(self) -> None:
        described = records.event_headers(
            event_id="e1", event_name="purchase", event_time=AT, advertiser="acme", order_id=None
        )
        made = records.troubled(
            record(),
            PROGRESS,
            Trouble("rejected", "40002", "value: not a number"),
            destination="a-vendor",
            described=described,
        )
        assert ours(made.headers) == {
            "forwarder-origin": "conversions/0/1",
            "forwarder-account": "acme",
            "forwarder-destination": "a-vendor",
            "forwarder-attempts": "3",
            "forwarder-replays": "1",
            "forwarder-retries": "2",
            "forwarder-reason": "rejected",
            "forwarder-code": "40002",
            "forwarder-message": "value: not a number",
            "forwarder-first-failed-at": TIME,
            "forwarder-last-failed-at": "2025-11-21T04:41:00.500Z",
            "forwarder-run": "run-1",
            "forwarder-event-id": "e1",
            "forwarder-event-name": "purchase",
            "forwarder-event-time": TIME,
            "forwarder-advertiser": "acme",
        }
        assert (made.key, made.value, made.timestamp) == (b"key", b"{}", None)

    def test_it_is_read_as_it_was_written(self) -> None:
        made = records.troubled(record(), PROGRESS, Trouble("transient"))
        assert read_back(made.headers) == PROGRESS

    def test_headers_are_replaced_and_never_grow(self) -> None:
        first = records.troubled(record(("x", b"y")), PROGRESS, Trouble("transient"))
        again = record(*first.headers)
        second = records.troubled(again, PROGRESS, Trouble("transient"))
        assert list(second.headers) == list(first.headers)

    def test_a_record_may_lose_its_value(self) -> None:
        made = records.troubled(record(), PROGRESS, Trouble("oversize"), keep_value=False)
        assert (made.key, made.value) == (b"key", None)

    def test_invalid_records_name_no_account(self) -> None:
        nobody = Progress(origin="conversions/0/1")
        headers = ours(records.troubled(record(), nobody, Trouble("invalid_event")).headers)
        assert not {"forwarder-account", "forwarder-destination"} & headers.keys()

    @given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=3000))
    def test_they_stay_within_their_limits(self, message: str, event_id: str, order: str) -> None:
        described = records.event_headers(
            event_id=event_id, event_name=message, event_time=AT, advertiser=order, order_id=order
        )
        made = records.troubled(
            record(),
            replace(PROGRESS, origin=event_id or "o", run=message or "r"),
            Trouble("rejected", order, message),
            described=described,
        )
        assert all(len(value or b"") <= 256 for _, value in made.headers)
        assert sum(len(name) + len(value or b"") for name, value in made.headers) <= 2048
        assert all(isinstance(text, str) for text in ours(made.headers).values())


class TestRequeued:
    def test_it_keeps_counts_and_the_first_failure_but_not_the_reason(self) -> None:
        made = records.requeued(record(("traceparent", b"00-1")), PROGRESS)
        assert read_back(made.headers) == replace(PROGRESS, account=None)
        assert "forwarder-reason" not in ours(made.headers)
        assert ("traceparent", b"00-1") in made.headers
        assert made.timestamp == record().timestamp


class TestMalformed:
    @pytest.mark.parametrize(
        "header",
        [
            ("forwarder-attempts", b""),
            ("forwarder-attempts", b"-1"),
            ("forwarder-attempts", b"1.5"),
            ("forwarder-attempts", b"1" * 5000),
            ("forwarder-attempts", b"0" * 5000),
            ("forwarder-attempts", "٣".encode()),
            ("forwarder-attempts", b"\xff"),
            ("forwarder-attempts", None),
            ("forwarder-replays", b"many"),
            ("forwarder-retries", b" 1"),
            ("forwarder-first-failed-at", b"yesterday"),
            ("forwarder-first-failed-at", b"2025-11-21T04:40:00"),
            ("forwarder-first-failed-at", b"0001-01-01T00:00:00+23:59"),
            ("forwarder-first-failed-at", b"9999-12-31T23:59:59-23:59"),
            ("forwarder-last-failed-at", b"\xff"),
            ("forwarder-last-failed-at", None),
            ("forwarder-account", b"\xff"),
            ("forwarder-run", None),
        ],
    )
    def test_each_is_named(self, header: tuple[str, bytes | None]) -> None:
        with pytest.raises(MalformedHeaders, match=header[0]):
            records.read_progress(record(("forwarder-origin", b"conversions/0/1"), header))

    @pytest.mark.parametrize("value", [None, b"\xff"])
    def test_an_origin_alone_may_be_malformed_too(self, value: bytes | None) -> None:
        with pytest.raises(MalformedHeaders, match="forwarder-origin"):
            records.read_progress(record(("forwarder-origin", value)))

    def test_an_origin_is_needed(self) -> None:
        with pytest.raises(MalformedHeaders, match="forwarder-origin"):
            records.read_progress(record(("forwarder-attempts", b"1")))

    def test_headers_of_others_are_none_of_our_business(self) -> None:
        headers = [("forwarder-origin", b"conversions/0/1"), ("x", None), ("y", b"\xff")]
        assert records.read_progress(record(*headers)).attempts == 0

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    list(ours(records.troubled(record(), PROGRESS, Trouble("r", "c", "m")).headers))
                ),
                st.none() | st.binary(max_size=40),
            ),
            max_size=8,
        )
    )
    def test_whatever_is_there_it_is_read_or_named(
        self, headers: list[tuple[str, bytes | None]]
    ) -> None:
        try:
            progress = records.read_progress(record(*headers))
        except MalformedHeaders:
            return
        made = records.troubled(record(), progress, Trouble("transient"))
        assert read_back(made.headers).attempts == progress.attempts


class TestFailed:
    def test_the_first_failure_starts_the_clock(self) -> None:
        once = records.failed(Progress(origin="o"), AT)
        twice = records.failed(once, AT + 5)
        assert (twice.first_failed_at, twice.last_failed_at) == (AT, AT + 5)


class TestCut:
    @given(st.text(max_size=400), st.integers(0, 300))
    def test_never_inside_a_character(self, text: str, limit: int) -> None:
        made = records.cut(text, limit)
        assert len(made) <= limit
        assert text.encode(errors="replace").startswith(made)
        made.decode()


class TestOversize:
    def test_only_our_headers_and_a_short_key_are_left(self) -> None:
        big = fresh(record(("x", b"y" * 1_000_000), value=b"v" * 1_000_000))
        made = records.oversize(big, AT, "acme", "tiktok", {"forwarder-event-id": "e1"})
        assert ours(made.headers) == {
            "forwarder-origin": "conversions/3/42",
            "forwarder-destination": "tiktok",
            "forwarder-event-id": "e1",
            "forwarder-reason": "oversize",
            "forwarder-code": "local.oversize",
            "forwarder-first-failed-at": TIME,
            "forwarder-last-failed-at": TIME,
            "forwarder-account": "acme",
        }
        assert all(name.startswith("forwarder-") for name, _ in made.headers)
        assert (made.key, made.value) == (b"key", None)

    def test_a_long_key_goes_too(self) -> None:
        big = fresh(record())._replace(key=b"k" * 5000)
        assert records.oversize(big, AT, None, None, {}).key is None

    def test_what_it_was_before_is_told_once_and_no_more(self) -> None:
        progress = Progress("o", account="old", first_failed_at=AT - 60)
        described = {"forwarder-event-id": "e1"}
        letter = records.troubled(
            record(), progress, Trouble("rejected", "40002", "no e-mail"), described=described
        )
        made = records.oversize(letter, AT, "acme", "tiktok", {"forwarder-event-id": "other"})
        names = [name for name, _ in made.headers]
        assert len(names) == len(set(names))
        told = ours(made.headers)
        assert "forwarder-message" not in told
        assert told["forwarder-first-failed-at"] == records.rfc3339(AT - 60)
        assert told["forwarder-account"] == "acme"
        assert told["forwarder-event-id"] == "e1"

    def test_it_keeps_to_the_bound_of_all_headers(self) -> None:
        long = {f"forwarder-{name}": "é" * 200 for name in "abcdefghij"}
        made = records.oversize(fresh(record()), AT, "acme", "tiktok", long)
        assert sum(len(name) + len(value or b"") for name, value in made.headers) <= 2048
        assert {"forwarder-reason", "forwarder-account"} <= {name for name, _ in made.headers}
