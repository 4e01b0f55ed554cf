"""A wire between one replica and a broker, which can be cut in part or whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from types import TracebackType
from typing import Final, Self

# Kafka's numbers of requests.
PRODUCE: Final = 0
FETCH: Final = 1
OFFSET_COMMIT: Final = 8
COORDINATOR: Final = frozenset({8, 9, 10, 11, 12, 13, 14})
"""Commits, joins, heartbeats: all that goes to a group's coordinator."""


class Proxy:
    """``async with Proxy(port, target) as proxy``: listens on ``port``, forwards to ``target``.

    ``dropped``: requests of these numbers vanish, all others pass. ``silent``: nothing passes in
    either direction, and no connection is closed. Both may change at any time.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._passing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.dropped: Collection[int] = ()
        self.silent = False

    @property
    def silent(self) -> bool:
        return not self._passing.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._passing.clear()
        else:
            self._passing.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                there = asyncio.create_task(self._requests(reader, their_writer))
                back = asyncio.create_task(self._answers(their_reader, writer))
                self._tasks |= {there, back}
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                for one in (there, back):
                    one.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
                self._tasks -= {there, back}
            finally:
                their_writer.close()
        writer.close()
        self._tasks.discard(task)

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Frame by frame: a length, then the request's number."""
        while True:
            size = await source.readexactly(4)
            frame = await source.readexactly(int.from_bytes(size))
            await self._passing.wait()
            if int.from_bytes(frame[:2]) not in self.dropped:
                sink.write(size + frame)
                await sink.drain()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            await self._passing.wait()
            sink.write(data)
            await sink.drain()
