"""An event loop for several processes: time jumps from timer to timer, and a process can be stopped
or ended between two of its callbacks, as SIGSTOP and SIGKILL do it.

Whose a callback is stands in its context, which tasks and timers inherit by themselves. Those of a
frozen process wait, in order, while time goes on; those of a dead one are dropped, unseen.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import weakref
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
SPINS: Final = 200_000
MANY_CANCELLED: Final = 256

_OWNER: ContextVar[Process | None] = ContextVar("_OWNER", default=None)


class Process:
    """One process of the deployment."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.frozen = False
        self.dead = False
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._loop = loop
        self._held: list[asyncio.Handle] = []
        self._kept: list[asyncio.Task[Any]] = []
        self._context = loop.outside.copy()
        self._context.run(_OWNER.set, self)

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        self._loop.create_task(main, context=self._context)

    def call(self, function: Callable[[], None]) -> None:
        """As a signal handler does: within the process."""
        self._context.copy().run(function)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        held, self._held = self._held, []
        self._loop.go_on(held)

    def kill(self) -> None:
        self.dead = True
        self._held.clear()
        self._kept = list(self.tasks)  # else the end of their coroutines would run now

    def hold(self, handle: asyncio.Handle) -> None:
        self._held.append(handle)


def current_process() -> Process | None:
    """Whose code is running; ``None``: nobody's of the deployment."""
    return _OWNER.get()


class _Nothing(selectors.BaseSelector):
    """There are no sockets."""

    def __init__(self) -> None:
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = key = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        raise AssertionError("the loop waits for nothing but time")

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Time starts at 0. ``outside``: the context of what belongs to no process."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__(_Nothing())
        self._now = 0.0
        self._spins = 0
        self.outside = copy_context()
        self.faults: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._now

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, name=name, context=context)
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is not None:
            owner.tasks.add(task)
        return task

    def play(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main`` outside all processes, then throw everything away that is not done."""
        task = self.create_task(main, context=self.outside)
        try:
            return cast("T", self.run_until_complete(task))
        finally:
            self._throw_away()
            self.close()

    def go_on(self, held: list[asyncio.Handle]) -> None:
        self._ready.extend(held)

    def _run_once(self) -> None:
        ready = self._ready
        self._drop_cancelled()
        scheduled: Any = self._scheduled
        if not ready:
            assert scheduled, "everything waits, and no timer is set"
            if scheduled[0]._when > self._now:
                self._now = scheduled[0]._when
                self._spins = 0
        while scheduled and scheduled[0]._when <= self._now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        self._spins += 1
        assert self._spins < SPINS, "the loop spins: time does not go on"
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            owner = handle._context.get(_OWNER)
            if owner is None or not (owner.frozen or owner.dead):
                handle._run()
            elif not owner.dead:
                owner.hold(handle)

    def _drop_cancelled(self) -> None:
        scheduled: Any = self._scheduled
        if self._timer_cancelled_count > max(MANY_CANCELLED, len(scheduled) // 2):
            for timer in scheduled:
                timer._scheduled = not timer._cancelled
            scheduled = self._scheduled = [timer for timer in scheduled if timer._scheduled]
            heapq.heapify(scheduled)
            self._timer_cancelled_count = 0
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
            self._timer_cancelled_count -= 1

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.faults.append(f"{context.get('message')}: {error!r}")

    def _throw_away(self) -> None:
        """Close what still waits; nobody listens any more to what its clean-up does."""
        for task in [task for task in asyncio.all_tasks(self) if not task.done()]:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _close(task.get_coro())


def _close(coroutine: Any) -> None:
    """Again and again: each ``await`` of a clean-up keeps it open once more."""
    for _ in range(50):
        try:
            coroutine.close()
        except RuntimeError:
            continue
        except Exception:  # noqa: BLE001 - clean-up without its loop may fail in any way
            continue
        return
