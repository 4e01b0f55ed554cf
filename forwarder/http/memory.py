"""An HTTP client without sockets, for simulations: a network that can be slow, lossy and unfair.

It keeps the running loop's time only, so on a virtual clock it is exact and seeded tests repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import NamedTuple

from forwarder.http.port import (
    MAX_BODY,
    FailureKind,
    HttpAnswer,
    HttpFailure,
    HttpRequest,
    always,
)

Vendor = Callable[[HttpRequest], Awaitable[HttpAnswer | HttpFailure]]
"""What stands at the other end. It may wait; an ``HttpFailure`` is what the client then sees."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What the network does to one request. Times are seconds of the loop's clock.

    ``arrives_after``: delay of each copy on its way to the vendor: empty for none, two for a
    request that arrives twice. ``answer_after``: delay of the first copy's answer on its way back;
    ``None``: it is lost. ``failure``: what the client sees in place of the answer, at that time.
    """

    arrives_after: tuple[float, ...] = (0.0,)
    answer_after: float | None = 0.0
    failure: HttpFailure | None = None


class Arrival(NamedTuple):
    """A request as the vendor got it: what its sliding window counts is ``at``, not ``sent_at``."""

    at: float
    sent_at: float
    request: HttpRequest


Script = Callable[[HttpRequest], Fate]
PROMPT = Fate()
REFUSED = Fate((), 0.0, HttpFailure(FailureKind.REFUSED, maybe_sent=False))
LOST_ANSWER = Fate(answer_after=None)


def prompt(_request: HttpRequest) -> Fate:
    """The script of a network without trouble."""
    return PROMPT


class MemoryClient:
    """``HttpClient`` to ``vendor`` over a network that follows ``script``.

    What has been sent arrives even if the sender gives up, is cancelled (a crash) or closes: a
    packet on its way knows nothing of that. ``arrivals``: all of them in order; pass one list to
    several clients for the log of a vendor with several senders.
    """

    def __init__(
        self, vendor: Vendor, script: Script = prompt, arrivals: list[Arrival] | None = None
    ) -> None:
        self.script = script
        self.arrivals: list[Arrival] = [] if arrivals is None else arrivals
        self._vendor = vendor
        self._travelling: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []
        self._closed = False

    async def send(
        self,
        request: HttpRequest,
        timeout: float,
        permitted: Callable[[], bool] = always,
    ) -> HttpAnswer | HttpFailure:
        if self._closed:
            return HttpFailure(FailureKind.RESET, maybe_sent=False)
        if not permitted():
            return HttpFailure(FailureKind.WITHHELD, maybe_sent=False)
        answer = self._dispatch(request, self.script(request))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)

    async def close(self) -> None:
        self._closed = True

    async def settle(self) -> None:
        """Wait until nothing is on its way, so that a test can end without loose tasks.

        Raises what the vendor raised, if it ever did: that is a fault of the test's vendor.
        """
        while self._travelling:
            await asyncio.wait(self._travelling)
        if self._faults:
            raise self._faults[0]

    def _dispatch(
        self, request: HttpRequest, fate: Fate
    ) -> asyncio.Future[HttpAnswer | HttpFailure]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[HttpAnswer | HttpFailure] = loop.create_future()
        sent_at = loop.time()
        for copy, delay in enumerate(fate.arrives_after):
            reply = answer if copy == 0 else None
            self._travel(self._deliver(request, fate, sent_at, delay, reply))
        if not fate.arrives_after:
            self._travel(self._reply(fate, None, answer))
        return answer

    def _travel(self, journey: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(journey)
        self._travelling.add(task)
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._travelling.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            self._faults.append(fault)

    async def _deliver(
        self,
        request: HttpRequest,
        fate: Fate,
        sent_at: float,
        delay: float,
        reply: asyncio.Future[HttpAnswer | HttpFailure] | None,
    ) -> None:
        await asyncio.sleep(delay)
        self.arrivals.append(Arrival(asyncio.get_running_loop().time(), sent_at, request))
        answer = await self._vendor(request)
        if reply is not None:
            await self._reply(fate, answer, reply)

    async def _reply(
        self,
        fate: Fate,
        answer: HttpAnswer | HttpFailure | None,
        reply: asyncio.Future[HttpAnswer | HttpFailure],
    ) -> None:
        seen = fate.failure or answer
        if fate.answer_after is None or seen is None:
            return
        await asyncio.sleep(fate.answer_after)
        if not reply.done():
            reply.set_result(_as_received(seen))


def _as_received(answer: HttpAnswer | HttpFailure) -> HttpAnswer | HttpFailure:
    if isinstance(answer, HttpFailure):
        return answer
    if len(answer.body) > MAX_BODY:
        return HttpFailure(FailureKind.TOO_LARGE, maybe_sent=True)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HttpAnswer(answer.status, headers, answer.body)
