"""The bar: how fast it goes, and how long it will take."""

from __future__ import annotations

from forwarder.cli.scanning import Bar


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.shown: list[tuple[str, int, int, str]] = []

    def bar(self) -> Bar:
        return Bar("counting", lambda *told: self.shown.append(told), lambda: self.now)


def test_rate_and_time_left() -> None:
    clock = Clock()
    bar = clock.bar()
    bar.at(0, 1000)
    clock.now = 2.0
    bar.at(500, 1000)
    clock.now = 4.0
    bar.at(1000, 1000)
    assert clock.shown[1:] == [
        ("counting", 500, 1000, "250/s, 2 s left"),
        ("counting", 1000, 1000, "250/s"),
    ]


def test_what_was_done_before_is_no_speed() -> None:
    """A run that is resumed has sent something already; counting is faster than sending."""
    clock = Clock()
    bar = clock.bar()
    bar.at(0, 90_000)
    clock.now = 1.0
    bar.at(90_000, 90_000)
    clock.now = 2.0
    bar.at(500, 900, "sending")
    clock.now = 12.0
    bar.at(600, 900, "sending")
    assert clock.shown[-2:] == [
        ("sending", 500, 900, "0/s"),
        ("sending", 600, 900, "10/s, 30 s left"),
    ]


def test_nothing_to_do_is_done() -> None:
    clock = Clock()
    clock.bar().at(0, 0)
    assert clock.shown == [("counting", 0, 1, "0/s")]
