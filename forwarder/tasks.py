"""How groups of tasks end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence


async def all_or_first_error(jobs: Sequence[Coroutine[None, None, None]]) -> None:
    """Run all; the first error ends the others and is raised as it is (not in a group)."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def end(tasks: Sequence[asyncio.Task[object]]) -> None:
    """Cancel all, and wait for that; what they raise is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def done_before(
    stop: asyncio.Event, work: Coroutine[None, None, None], patience: float
) -> bool:
    """Await ``work``, from ``stop`` on for at most so many seconds more; whether it was done."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=patience)
        if working.done():
            working.result()
        return working.done()
    finally:
        await end([working, stopping])


def raise_first(*results: object) -> None:
    """Raise the first error among what tasks returned; being cancelled is none."""
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
