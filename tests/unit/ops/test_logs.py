from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from forwarder.ops.logs import (
    ACTIONS,
    MAX_HELD,
    REPEAT,
    Action,
    Level,
    Log,
    _Bridge,
    bridge,
    open_log,
)
from forwarder.ops.scrub import MAX_TEXT, scrub


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(clock: Clock, out: io.StringIO) -> Log:
    return open_log("info", "json", clock, out)


@pytest.fixture
def bridged(log: Log) -> Iterator[None]:
    undo = bridge(log)
    yield
    undo()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


class TestShape:
    def test_one_json_object_a_line(self, log: Log, out: io.StringIO) -> None:
        log.info("breaker_opened", account="acme", reason="misconfigured", until=None, waiting=3)
        (line,) = lines(out)
        assert list(line)[:3] == ["time", "level", "action"]
        del line["time"]
        assert line == {
            "level": "info",
            "action": "breaker_opened",
            "account": "acme",
            "reason": "misconfigured",
            "waiting": 3,
        }

    def test_time_is_utc(self, log: Log, out: io.StringIO) -> None:
        log.info("stopped")
        assert lines(out)[0]["time"].endswith("Z")

    def test_readable_on_a_terminal_unless_told(self, clock: Clock) -> None:
        terminal, told = Terminal(), Terminal()
        open_log("info", None, clock, terminal).info("throttled", account="acme")
        open_log("info", "json", clock, told).info("throttled", account="acme")
        assert "throttled" in terminal.getvalue()
        assert not terminal.getvalue().startswith("{")
        assert lines(told)[0]["action"] == "throttled"

    def test_json_elsewhere_unless_told(self, clock: Clock) -> None:
        pipe, told = io.StringIO(), io.StringIO()
        open_log("info", None, clock, pipe).info("stopped")
        open_log("info", "console", clock, told).info("stopped")
        assert lines(pipe)[0]["action"] == "stopped"
        assert not told.getvalue().startswith("{")

    @pytest.mark.parametrize("level", get_args(Level))
    def test_lines_below_the_level_are_not_written(self, level: Level, clock: Clock) -> None:
        out = io.StringIO()
        log = open_log(level, "json", clock, out)
        log.debug("partitions_assigned")
        log.info("partitions_assigned", role="a")
        log.warning("partitions_assigned", role="b")
        log.error("partitions_assigned", role="c")
        order = list(get_args(Level))
        assert [line["level"] for line in lines(out)] == order[order.index(level) :]
        assert log.debugs == (level == "debug")

    def test_the_catalogue_names_each_action_once(self) -> None:
        assert len(set(ACTIONS)) == len(ACTIONS) == len(get_args(Action))
        wanted = """service_started partitions_assigned partitions_revoked breaker_opened
            breaker_closed throttled credential_changed credential_unreadable kafka_unreachable
            kafka_back write_stalled lease_lost draining stopped"""
        assert set(wanted.split()) <= set(ACTIONS)


class TestRepeats:
    def test_the_same_action_of_the_same_account_once_a_minute(
        self, log: Log, out: io.StringIO, clock: Clock
    ) -> None:
        for second in range(30):
            clock.now = 1000 + second
            log.info("throttled", account="acme", code=str(second))
        assert [line["code"] for line in lines(out)] == ["0"]

    def test_the_last_one_follows_and_says_how_many_more_there_were(
        self, log: Log, out: io.StringIO, clock: Clock
    ) -> None:
        for code in ("a", "b", "c", "d"):
            log.info("throttled", account="acme", code=code)
        clock.now += REPEAT
        log.info("stopped")
        written = [
            (line["action"], line.get("code"), line.get("suppressed")) for line in lines(out)
        ]
        assert written == [("throttled", "a", None), ("throttled", "d", 2), ("stopped", None, None)]

    def test_what_was_held_back_bears_the_time_when_it_happened(
        self, log: Log, out: io.StringIO, clock: Clock
    ) -> None:
        log.info("partitions_assigned", role="router", partitions=1)
        log.info("partitions_assigned", role="router", partitions=2)
        held_at = datetime.now(UTC)
        time.sleep(0.002)
        clock.now += REPEAT
        log.info("stopped")
        _, held, stopped = (datetime.fromisoformat(line["time"]) for line in lines(out))
        assert held <= held_at < stopped

    def test_another_account_role_or_topic_is_no_repeat(self, log: Log, out: io.StringIO) -> None:
        log.info("throttled", account="a")
        log.info("throttled", account="b")
        log.info("partitions_assigned", role="router")
        log.info("partitions_assigned", role="sender", destination="x")
        log.info("partitions_assigned", role="sender", destination="y")
        log.info("write_stalled", topic="t")
        assert len(lines(out)) == 6

    def test_after_the_minute_it_is_written_at_once(
        self, log: Log, out: io.StringIO, clock: Clock
    ) -> None:
        log.info("throttled", account="a")
        clock.now += REPEAT
        log.info("throttled", account="a")
        assert len(lines(out)) == 2

    def test_at_the_end_nothing_is_held_back(self, log: Log, out: io.StringIO) -> None:
        log.info("breaker_opened", account="a")
        log.error("breaker_opened", account="a", reason="again")
        log.flush()
        assert len(lines(out)) == 1
        log.flush(all_held=True)
        assert [line["level"] for line in lines(out)] == ["info", "error"]
        log.flush(all_held=True)
        assert len(lines(out)) == 2

    def test_what_is_held_is_bounded_and_still_written(self, log: Log, out: io.StringIO) -> None:
        log.info("throttled", account="first")
        log.info("throttled", account="first", code="late")
        for number in range(MAX_HELD):
            log.info("throttled", account=f"a{number}")
        assert "late" in [line.get("code") for line in lines(out)]
        assert len(log._held) == MAX_HELD


@pytest.mark.usefixtures("bridged")
class TestLibraries:
    def test_their_warnings_come_out_in_the_same_shape(self, out: io.StringIO) -> None:
        logging.getLogger("aiokafka.consumer").warning("partition %d is %s", 3, "gone")
        (line,) = lines(out)
        assert line["action"] == "library"
        assert line["level"] == "warning"
        assert line["logger"] == "aiokafka.consumer"
        assert line["message"] == "partition 3 is gone"

    def test_their_debug_and_info_lines_never_do(self, clock: Clock, out: io.StringIO) -> None:
        undo = bridge(open_log("debug", "json", clock, out))
        logging.getLogger("aiokafka").debug("request with a payload")
        logging.getLogger("aiohttp.access").info("GET /")
        undo()
        assert out.getvalue() == ""

    def test_an_exception_becomes_type_text_and_place_on_one_line(self, out: io.StringIO) -> None:
        try:
            int("someone@example.com")
        except ValueError:
            logging.getLogger("asyncio").exception("a task failed")
        (line,) = lines(out)
        assert line["level"] == "error"
        assert line["error"] == "ValueError: invalid literal for int() with base 10: '***'"
        assert line["where"].startswith("ops/test_logs.py:")
        assert "Traceback" not in out.getvalue()

    def test_credentials_and_identifiers_are_masked(self, out: io.StringIO) -> None:
        logging.getLogger("aiohttp.client").error(
            "POST failed: Access-Token: abc123, "
            "https://u:pw@host/x?email=a@b.example, +49 151 234567"
        )
        text = out.getvalue()
        for secret in ("abc123", "u:pw", "a@b", "151 234567"):
            assert secret not in text

    def test_repeats_are_held_back_by_logger(self, out: io.StringIO) -> None:
        for _ in range(100):
            logging.getLogger("aiokafka.conn").warning("cannot connect")
        logging.getLogger("aiokafka.cluster").warning("no leader")
        assert len(lines(out)) == 2

    def test_a_broken_format_string_does_no_harm(self, log: Log, out: io.StringIO) -> None:
        record = logging.makeLogRecord(
            {"name": "asyncio", "msg": "%d of %d", "args": ("x",), "levelno": 30}
        )
        _Bridge(log, lambda: True).emit(record)
        assert lines(out)[0]["message"] == "%d of %d"

    def test_what_is_normal_at_a_first_start_is_no_error(self, out: io.StringIO) -> None:
        logging.getLogger("aiokafka.consumer.group_coordinator").error(
            "Group Coordinator Request failed: %s", "[Error 15] GroupCoordinatorNotAvailableError"
        )
        (line,) = lines(out)
        assert line["level"] == "info"


def test_libraries_may_be_left_out_until_something_was_said(log: Log, out: io.StringIO) -> None:
    undo = bridge(log, when=lambda: log.spoke)
    logging.getLogger("aiokafka").error("Unable connect to one:9092")
    assert out.getvalue() == ""
    log.info("service_started")
    logging.getLogger("aiokafka").error("Unable connect to two:9092")
    undo()
    assert [line["action"] for line in lines(out)] == ["service_started", "library"]


def test_undoing_the_bridge_leaves_the_loggers_as_they_were(log: Log) -> None:
    logger = logging.getLogger("aiokafka")
    before = (logger.level, logger.propagate, list(logger.handlers))
    undo = bridge(log)
    assert (logger.level, logger.propagate, list(logger.handlers)) != before
    undo()
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


class TestScrub:
    @pytest.mark.parametrize(
        ("text", "kept", "gone"),
        [
            ("Access-Token: abcdef", "Access-Token", "abcdef"),
            ('{"access_token": "abcdef"}', "access_token", "abcdef"),
            ("sasl_plain_password='hunter2'", "sasl_plain_password", "hunter2"),
            ("secret_key=zzz9", "secret_key", "zzz9"),
            ("Authorization: Bearer abcdefghij", "Authorization", "abcdefghij"),
            ("sent Bearer abcdefghij", "sent", "abcdefghij"),
            ("user " + "ab12" * 16 + " refused", "refused", "ab12"),
            ("mail jane.doe+x@example.co.uk bounced", "bounced", "jane"),
            ("phone +1 (415) 555-0100 is odd", "is odd", "555"),
            ("http://me:pw@broker:9092/", "broker:9092", "me:pw"),
            ("GET https://h/p?ip=1.2.3.4 failed", "https://h/p", "1.2.3.4"),
        ],
    )
    def test_what_must_go_goes(self, text: str, kept: str, gone: str) -> None:
        assert kept in scrub(text)
        assert gone not in scrub(text)

    @pytest.mark.parametrize(
        "text",
        [
            "conversions.queue.acme-pixel/0 at offset 1234567890 on broker-1:9092",
            "CommitFailedError: generation 12 is stale",
            "10.0.0.7:9092 does not answer",
            "reading: TopicAuthorizationFailedError: conversions.queue.acme-pixel",
        ],
    )
    def test_what_helps_stays(self, text: str) -> None:
        assert scrub(text) == text

    def test_one_line_of_bounded_length(self) -> None:
        assert scrub("a\nb\t c") == "a b c"
        assert len(scrub("x " * 5000)) == MAX_TEXT
