"""The time of day as a worker takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MOST_AHEAD: Final = 600.0


class TimeOfDay:
    """Epoch seconds that do not go back: lanes wait for times, and where the clock of a machine is
    set back by an hour, they would wait for an hour.

    While that clock is behind what was told, this one goes at half its pace. Where it is behind by
    more than ``MOST_AHEAD`` seconds this one goes back, too, and whoever sees that starts anew.
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        """``steady``: seconds that only grow."""
        self._wall = wall
        self._steady = steady
        self._at = steady()
        self._told = wall()

    def __call__(self) -> float:
        wall, at = self._wall(), self._steady()
        slowed = self._told + (at - self._at) / 2
        self._at = at
        self._told = wall if not wall <= slowed <= wall + MOST_AHEAD else slowed
        return self._told
