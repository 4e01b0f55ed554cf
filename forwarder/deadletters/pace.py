"""How many records an account's queue may be given now. Pure.

A queue is fed only while less waits in it than one request holds: then live traffic never waits
more than one request longer, and the lane's own budget sets the pace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from forwarder.lane.bucket import Bucket
from forwarder.lane.state import decode

BURST: Final = 1.0
"""Seconds of a rate that may be saved up."""
WAITED_LONG: Final = 15.0


class Room(NamedTuple):
    """``waiting``: records between what the senders have committed and the queue's ``end``.
    ``metadata``: what they keep with the commit.
    """

    waiting: int
    end: int
    metadata: str = ""

    def words(self) -> str:
        kept = decode(self.metadata)
        blocked = f", breaker open ({kept.reason})" if kept.breaker == "open" else ""
        return f"{self.waiting} there{blocked}"


class Pace:
    """``batches``: deliveries that a request of each account holds. ``rate``: records a second, of
    the whole run. ``shares``: records a second that an account's queue gets, however long it is.
    """

    def __init__(
        self,
        batches: Mapping[str, int],
        now: float,
        *,
        rate: float | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        self._batches = batches
        self._rate = None if rate is None else _bucket(rate, now)
        self._shares = {name: _bucket(share, now) for name, share in (shares or {}).items()}
        self._fed_at: dict[str, float] = {}
        self._started = now

    def allowed(self, account: str, waiting: int, now: float) -> int:
        """How many records more; ``given`` must be told how many it were."""
        batch = self._batches[account]
        room = max(0, batch - waiting)
        share = self._shares.get(account)
        if share is not None:
            room = max(room, min(batch, share.available(now)))
        return room if self._rate is None else min(room, self._rate.available(now))

    def given(self, account: str, number: int, now: float) -> None:
        self._fed_at[account] = now
        if self._rate is not None:
            self._rate.take(now, number)
        share = self._shares.get(account)
        if share is not None:
            share.take(now, min(number, share.available(now)))

    def stuck(self, account: str, now: float) -> bool:
        """Whether the account's queue has had no room for long."""
        return now - self._fed_at.get(account, self._started) >= WAITED_LONG


def _bucket(rate: float, now: float) -> Bucket:
    return Bucket(max(1.0, rate * BURST), rate, now)
