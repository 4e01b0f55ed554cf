"""Drives one lane: acquires its budgets, fills and sends its requests, hands the answers back.

The lane decides, this performs. One task a lane, asleep while there is nothing to do; one task for
each request in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence

from forwarder.credentials import Credential
from forwarder.destinations.contract import Account
from forwarder.http.port import FailureKind, HttpClient, HttpFailure
from forwarder.kafka.port import TopicPartition
from forwarder.lane.budget import Budget, Permit, acquire
from forwarder.lane.lane import Attempt, Lane
from forwarder.lease import Lease


class Driver:
    """``changed`` is called after every step of the lane, so that its owner looks after writes,
    counts and room; ``requested`` with account, seconds and deliveries of every request. Nothing
    is sent once ``end`` was called, or while the lease is not held.
    """

    def __init__(
        self,
        account: Account,
        partition: TopicPartition,
        lane: Lane,
        budgets: Sequence[Budget],
        credential: Callable[[], Credential],
        lease: Lease,
        http: HttpClient,
        *,
        request_timeout: float,
        now: Callable[[], float],
        changed: Callable[[Driver], None],
        requested: Callable[[str, float, int], None],
    ) -> None:
        self.account = account
        self.partition = partition
        self.lane = lane
        self.budgets = budgets
        self.held_back = False
        """Set while this lane's dead letters or retries are not acknowledged."""
        self._credential = credential
        self._lease = lease
        self._http = http
        self._request_timeout = request_timeout
        self._now = now
        self._changed = changed
        self._requested = requested
        self._wake = asyncio.Event()
        self.over = False
        """Fenced: this lane is another owner's now, and nothing may be written for it."""
        self._sending: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._drive(), name=f"lane-{account.name}")
        self.failed: BaseException | None = None
        """What ended a task before its time: a fault of ours, never of a vendor."""
        self._task.add_done_callback(self._ended)

    def nudge(self) -> None:
        """Something changed that the lane may act on."""
        self._wake.set()

    async def end(self, time_limit: float) -> None:
        """Start no request any more, and wait for those in flight, then cut them off."""
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._sending:
            await asyncio.wait(self._sending, timeout=time_limit)
        self._cut_off()

    def abandon(self) -> None:
        """Fence: what still comes back changes nothing."""
        self.over = True
        self._cut_off()

    def _cut_off(self) -> None:
        self._task.cancel()
        for task in self._sending:
            task.cancel()

    async def _drive(self) -> None:
        while True:
            await self._until_due()
            permit = await acquire(self.budgets)
            attempt = None
            try:
                if self._lease.held:
                    attempt = self.lane.take(self._now(), self._credential())
                    self._changed(self)
            finally:
                if attempt is None:
                    permit.unused()
            if attempt is not None:
                self._start(attempt, permit)
            else:
                await asyncio.sleep(0)  # it may find nothing again and again, and others must run

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = self._now()
            at = self.lane.wake_at(now) if self._may_send() else math.inf
            if at <= now:
                return
            timer = None if at == math.inf else loop.call_later(at - now, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    def _may_send(self) -> bool:
        return self._lease.held and not self.held_back

    def _start(self, attempt: Attempt, permit: Permit) -> None:
        task = asyncio.create_task(self._send(attempt, permit))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        task.add_done_callback(self._ended)

    async def _send(self, attempt: Attempt, permit: Permit) -> None:
        try:
            started = self._now()
            answer = await self._http.send(attempt.request, self._request_timeout, self._permitted)
            now = self._now()
            if isinstance(answer, HttpFailure) and answer.kind is FailureKind.WITHHELD:
                self.lane.withdrawn(attempt, now)
            else:
                self.lane.answered(attempt, answer, now)
                self._requested(self.account.name, now - started, len(attempt.deliveries))
        finally:
            permit.release()
        self._wake.set()
        self._changed(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A cancelled task keeps the frames that it was cancelled in, and these the lane with all
        that waited in it: a cycle, which the collector would find only after hours.
        """
        if not task.cancelled():
            self.failed = self.failed or task.exception()
            return
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()

    def _permitted(self) -> bool:
        return self._lease.held
