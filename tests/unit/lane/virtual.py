"""An event loop whose time moves from timer to timer, and never otherwise."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any

TURNS = 500_000


class _Selector(selectors.BaseSelector):
    """Selects nothing; waiting moves the clock."""

    def __init__(self) -> None:
        self.time = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and no timer is set")
        self.time += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, start: float) -> None:
        self._virtual = _Selector()
        self._virtual.time = start
        self._turns = 0
        super().__init__(self._virtual)
        self._clock_resolution = 1e-6  # what a clock that counts from 1970 can still tell

    def time(self) -> float:
        return self._virtual.time

    def _run_once(self) -> None:
        self._turns += 1
        if self._turns > TURNS:
            raise RuntimeError(f"the loop spins at {self.time()}")
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, None], start: float = 0.0) -> None:
    loop = VirtualLoop(start)
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()
