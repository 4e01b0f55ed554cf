"""A vendor's limit, kept exactly: at most ``requests`` in *any* window of ``per`` seconds.

A bucket of capacity C that is refilled at R lets C + R*W through in the worst window of W seconds,
and K requests that were let through before it and are still under way can land in it late. So

    C + R*W + K <= N*(1 - margin),   C = max(1, N/50),   K = its slots <= max(1, N/20)

A slot is held from before the token is taken until the answer came, so K bounds what is under way.
The bucket starts empty: what a former owner let through and what this one does never add up to more
than one bucket would. A token that was not needed goes back together with its slot and is used
before a new one, so tokens kept back and requests under way are never more than K together.

``aiolimiter`` was meant to be the bucket. Under a clock that moves from timer to timer it never
comes to rest (a rest smaller than the clock can tell keeps its waker firing at the same instant),
and it cannot say when the next token is due; the bucket here is a few lines, pure, and can.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from forwarder.lane.bucket import Bucket

LEAST: Final = 4
SLICES: Final = 60
EARLY: Final = 1e-6
"""Seconds by which a timer may fire early and still count; the bucket then owes the difference."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a limit allows: ``capacity`` tokens at once, ``slots`` requests in flight, and ``rate``
    requests per second in the long run.
    """

    requests: int
    per: float
    capacity: float
    slots: int
    rate: float


def plan(requests: int, per: float, margin: float, concurrency: int) -> Plan:
    """``concurrency``: the lower one of the budget's own and the sum of its accounts'.

    Raises ``ValueError`` when so little is allowed that nothing could ever be sent.
    """
    usable = requests * (1 - margin)
    if usable < LEAST:
        raise ValueError(
            f"a budget of {requests} requests per {per:g} s can never send: less its margin of "
            f"{margin:.0%} it must allow at least {LEAST}; raise requests, and per with it"
        )
    capacity = max(1.0, requests / 50)
    slots = max(1, min(concurrency, requests // 20))
    return Plan(requests, per, capacity, slots, (usable - capacity - slots) / per)


@dataclass(frozen=True, slots=True)
class Reach:
    """How many requests per second an account can send, and the budget that sets it."""

    rate: float
    budget: str
    why: str


def reachable_rate(plans: Sequence[tuple[str, Plan]]) -> Reach:
    """The slowest of an account's budgets, by (name, plan); a shared one is shared by its accounts.

    Raises ``ValueError`` without any budget.
    """
    name, slowest = min(plans, key=lambda named: named[1].rate)
    why = (
        f"{slowest.requests} per {slowest.per:g} s, less the margin, {slowest.capacity:g} at once "
        f"and {slowest.slots} in flight"
    )
    return Reach(slowest.rate, name, why)


class Usage:
    """Requests let through in the last window, to a sixtieth of it."""

    __slots__ = ("_counts", "_slice")

    def __init__(self, per: float) -> None:
        self._slice = per / SLICES
        self._counts: deque[list[int]] = deque()

    def add(self, now: float, number: int) -> None:
        index = int(now / self._slice)
        if not self._counts or self._counts[-1][0] != index:
            self._counts.append([index, 0])
        self._counts[-1][1] += number
        self._forget(index)

    def total(self, now: float) -> int:
        self._forget(int(now / self._slice))
        return max(0, sum(count for _, count in self._counts))

    def _forget(self, index: int) -> None:
        while self._counts and self._counts[0][0] <= index - SLICES:
            self._counts.popleft()


class Budget:
    """One limit and its single owner, in one event loop, whose clock it keeps.

    Made anew at every change of owner: it starts empty. ``shared``: it is a named one
    that several accounts may draw on. Lanes get slots and tokens in the order in which they ask.
    """

    def __init__(
        self,
        name: str,
        requests: int,
        per: float,
        margin: float,
        concurrency: int,
        *,
        shared: bool = False,
    ) -> None:
        """Inside a running loop. Raises ``ValueError`` as ``plan`` does."""
        self.name = name
        self.shared = shared
        self.plan = plan(requests, per, margin, concurrency)
        self._loop = asyncio.get_running_loop()
        self._bucket = Bucket(self.plan.capacity, self.plan.rate, self._loop.time())
        self._usage = Usage(per)
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._in_use = 0
        self._spare = 0
        self._not_before = 0.0
        self._throttled: dict[str, float] = {}

    def __repr__(self) -> str:
        return (
            f"<Budget {self.name}: {self._in_use} of {self.plan.slots} slots, {self._spare} left>"
        )

    @property
    def used_ratio(self) -> float:
        """Requests of the last window, as a part of what the vendor allows."""
        return self._usage.total(self._loop.time()) / self.plan.requests

    def next_at(self, now: float) -> float:
        """When the next request may leave, on the clock of ``now``, if a slot is free by then."""
        ready = self._not_before if self._spare else max(self._bucket.ready_at(), self._not_before)
        return now + max(0.0, ready - self._loop.time())

    def throttled(self, account: str, wait: float) -> None:
        """The vendor told ``account`` to wait so many seconds. One account may have a limit of its
        own; only a second one within the window says that it is this limit.
        """
        now = self._loop.time()
        within = {a: at for a, at in self._throttled.items() if now - at < self.plan.per}
        self._throttled = within | {account: now}
        if len(self._throttled) > 1:
            self._not_before = max(self._not_before, now + wait)

    async def enter(self) -> None:
        """Wait for this lane's turn, a slot, and a token. Cancelled, it has taken nothing."""
        async with self._turn:
            while self._in_use >= self.plan.slots:
                await self._until(None)
            self._in_use += 1
            try:
                await self._token()
            except BaseException:
                self.leave(unused=False)
                raise

    def leave(self, *, unused: bool) -> None:
        """Give the slot back, and ``unused`` the token too."""
        self._in_use -= 1
        if unused:
            self._spare += 1
            self._usage.add(self._loop.time(), -1)
        self._changed.set()

    async def _token(self) -> None:
        while True:
            now = self._loop.time()
            ready = self._not_before
            if not self._spare:
                ready = max(ready, self._bucket.ready_at())
            if now >= ready - EARLY:
                break
            await self._until(ready)
        if self._spare:
            self._spare -= 1
        else:
            self._bucket.take(now)
        self._usage.add(now, 1)

    async def _until(self, at: float | None) -> None:
        """Wait for a change, at most until ``at``. Only the lane whose turn it is waits here."""
        self._changed.clear()
        timer = None if at is None else self._loop.call_at(at, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()


class Permit:
    """A slot and a token of every budget of one account: one request may be sent."""

    __slots__ = ("_budgets",)

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._budgets = budgets

    def release(self) -> None:
        """The request has ended. May be called twice."""
        self._end(unused=False)

    def unused(self) -> None:
        """No request was sent: the tokens go back as well. May be called twice."""
        self._end(unused=True)

    def _end(self, *, unused: bool) -> None:
        budgets, self._budgets = self._budgets, ()
        for budget in budgets:
            budget.leave(unused=unused)


async def acquire(budgets: Sequence[Budget]) -> Permit:
    """Wait until every one of ``budgets`` lets a request through.

    In one fixed order, so that no two lanes wait for each other: an account's own first, so that
    one which waits for itself keeps nothing from those that it shares a budget with.
    """
    entered: list[Budget] = []
    try:
        for budget in budgets if len(budgets) == 1 else sorted(budgets, key=_in_order):
            await budget.enter()
            entered.append(budget)
    except BaseException:
        Permit(entered).unused()
        raise
    return Permit(entered)


def throttled(budgets: Sequence[Budget], account: str, wait: float) -> None:
    """The vendor told ``account``, which draws on these, to wait so many seconds. Its own budget
    is its own affair; a shared one may be the limit that was meant.
    """
    for budget in budgets:
        if budget.shared:
            budget.throttled(account, wait)


def _in_order(budget: Budget) -> tuple[bool, str]:
    return budget.shared, budget.name
