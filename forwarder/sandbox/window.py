"""An exact sliding window: every arrival is remembered until it is too old to matter."""

from __future__ import annotations

import math
from collections import deque

from forwarder.sandbox.contract import Limit


class SlidingWindow:
    """Counts arrivals in the ``per`` seconds that end now, (now - per, now].

    Refused arrivals count too: a caller that keeps knocking is not let in. ``worst`` is the
    fullest window so far; since windows that end at an arrival are the fullest, it is exact.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.worst = 0
        self._arrivals: deque[float] = deque()

    def arrive(self, now: float) -> bool:
        """Count one arrival; whether the limit still holds. ``now`` never goes back."""
        self._arrivals.append(now)
        self._forget(now)
        self.worst = max(self.worst, len(self._arrivals))
        return len(self._arrivals) <= self.limit.requests

    def room_in(self, now: float) -> int:
        """Whole seconds, at least 1, until an arrival would be within the limit again."""
        self._forget(now)
        excess = len(self._arrivals) - self.limit.requests
        if excess < 0:
            return 1
        oldest_that_matters = self._arrivals[excess]
        return max(1, math.ceil(oldest_that_matters + self.limit.per - now))

    def change(self, limit: Limit) -> None:
        """Go on with another limit; ``worst`` starts anew, since it was measured by the old one."""
        if limit != self.limit:
            self.limit = limit
            self.worst = 0

    def _forget(self, now: float) -> None:
        while self._arrivals and self._arrivals[0] <= now - self.limit.per:
            self._arrivals.popleft()
