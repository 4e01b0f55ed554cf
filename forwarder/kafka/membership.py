"""What a member tells its listener, and when: the same for every implementation of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from forwarder.kafka.port import Broken, Rebalance, TopicPartition


class Membership:
    """Turns begin and end of rebalances into ``assigned``, ``revoked`` and ``lost``.

    Each set of partitions is given back once, whether the group or ``stop`` asks for it.
    ``settled`` is set while the group is not rebalancing. ``is_member``: whether the group still
    knows this member, as far as it was told. Callbacks get partitions in a fixed order.
    """

    def __init__(self, rebalance: Rebalance, is_member: Callable[[], bool]) -> None:
        self._rebalance = rebalance
        self._is_member = is_member
        self._turn = asyncio.Lock()
        self._over = False
        self._failure: Exception | None = None
        self.failures = 0
        self.held: frozenset[TopicPartition] = frozenset()
        self.settled = asyncio.Event()

    async def began(self) -> None:
        """The group rebalances: give back what is held."""
        self.settled.clear()
        await self._release()

    async def ended(self, partitions: Iterable[TopicPartition]) -> None:
        """The group has settled on ``partitions`` for this member."""
        async with self._turn:
            if not self._over:
                self.held = frozenset(partitions)
                await self._call(self._rebalance.assigned(tuple(sorted(self.held))))
        self.settled.set()

    async def give_up(self) -> None:
        """Give back what is held, and take nothing more."""
        self._over = True
        await self._release()

    def raise_failure(self) -> None:
        """Raise ``Broken`` once for a listener that failed since the last call."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise Broken(f"the rebalance listener failed: {type(failure).__name__}") from failure

    async def wait(self, seconds: float) -> None:
        """Until the group has settled, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self.settled.wait()
        except TimeoutError:
            return

    async def _release(self) -> None:
        async with self._turn:
            if not self.held:
                return
            partitions = tuple(sorted(self.held))
            if self._is_member():
                await self._call(self._rebalance.revoked(partitions))
            else:
                await self._call(self._rebalance.lost(partitions))
            self.held = frozenset()

    async def _call(self, callback: Awaitable[None]) -> None:
        try:
            await callback
        except Exception as error:  # noqa: BLE001 - it must not end the group's task; a poll raises
            self.failures += 1
            self._failure = error
