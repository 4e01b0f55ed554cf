"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder.deadletters.moments import moment

NOW = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31t09:00:00z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T09:00:00.250+02:00", datetime(2026, 1, 31, 7, 0, 0, 250000, tzinfo=UTC)),
        (" 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 21, 7, 30, 15, tzinfo=UTC)),
        ("1.5d", datetime(2026, 11, 19, 21, 30, 15, tzinfo=UTC)),
        ("now", datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)),
        ("Today", datetime(2026, 11, 21, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_what_is_understood(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected.timestamp()


@pytest.mark.parametrize("text", ["", "soon", "2h ago", "-2h", "31.01.2026", "2026-13-01"])
def test_what_is_no_time_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write .*yesterday"):
        moment(text, NOW)


def test_a_time_without_a_zone_could_be_anywhere() -> None:
    with pytest.raises(ValueError, match="has no time zone; write 2026-01-31T09:00:00Z for UTC"):
        moment("2026-01-31T09:00:00", NOW)
