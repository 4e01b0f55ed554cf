"""How late the event loop runs what is due: the first sign of work that blocks it."""

from __future__ import annotations

import asyncio
from typing import Final

STEP: Final = 0.25
KEPT: Final = 30.0


class LoopLag:
    """Measures in a task of its own (``run``) and remembers the worst of the last half minute or
    more, so that a scrape each 15 or 30 s misses nothing.
    """

    def __init__(self) -> None:
        self._worst = self._worst_before = 0.0
        self._turn_at: float | None = None

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + STEP
            await asyncio.sleep(STEP)
            self._measured(loop.time(), loop.time() - due)

    def worst(self) -> float:
        """Seconds of the longest delay lately."""
        return max(self._worst, self._worst_before)

    def _measured(self, now: float, lag: float) -> None:
        if self._turn_at is None or now >= self._turn_at:
            self._worst_before, self._worst = self._worst, 0.0
            self._turn_at = now + KEPT
        self._worst = max(self._worst, lag)
