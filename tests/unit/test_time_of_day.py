"""The time of day, and a machine whose clock is set."""

from __future__ import annotations

from forwarder.time_of_day import MOST_AHEAD, TimeOfDay


class Machine:
    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.steady = 50.0
        self.now = TimeOfDay(lambda: self.wall, lambda: self.steady)

    def go_on(self, seconds: float) -> float:
        self.wall += seconds
        self.steady += seconds
        return self.now()


def test_it_is_that_of_the_machine() -> None:
    machine = Machine()
    assert machine.go_on(0) == machine.wall
    assert machine.go_on(3.5) == machine.wall
    machine.wall += 7200  # set ahead
    assert machine.go_on(1) == machine.wall


def test_a_clock_that_is_set_back_is_waited_for_at_half_the_pace() -> None:
    machine = Machine()
    start = machine.now()
    machine.wall -= 60
    assert machine.now() == start
    assert machine.go_on(10) == start + 5
    assert machine.go_on(100) == start + 55
    assert machine.go_on(10) == start + 60 == machine.wall
    assert machine.go_on(10) == machine.wall


def test_a_clock_that_was_wrong_by_far_is_followed_back() -> None:
    machine = Machine()
    machine.wall -= MOST_AHEAD + 1
    assert machine.now() == machine.wall
    assert machine.go_on(1) == machine.wall
