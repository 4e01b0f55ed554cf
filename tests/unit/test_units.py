from __future__ import annotations

import pytest

from forwarder.units import duration, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("20s", 20),
        ("5m", 300),
        ("24h", 86400),
        ("28d", 28 * 86400),
        ("1.5h", 5400),
        (" 7 s ", 7),
        ("0", 0),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "7", "s", "-1s", "1w", "1 hour", "1h30m", "1e3s", True, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is a number and a unit: 500ms 20s 5m 24h 28d"):
        duration(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "s", "9" * 5000 + "d", 1e30])
def test_a_duration_has_an_upper_limit(text: object) -> None:
    with pytest.raises(ValueError, match="must be at most 36500d"):
        duration(text)


@pytest.mark.parametrize("text", ["1025GiB", "9" * 400, "9" * 5000 + "KiB"])
def test_a_size_has_an_upper_limit(text: object) -> None:
    with pytest.raises(ValueError, match="must be at most 1024GiB"):
        size(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("256KiB", 256 << 10), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("10B", 10), ("10", 10), (7, 7)],
)
def test_sizes(text: object, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "1MB", "1.5MiB", "-1KiB", "KiB", True, None, 1.5])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="a size is a whole number and a unit: 256KiB 1MiB"):
        size(text)
