"""What became of batches of which nobody noted that they were written: the queue tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from forwarder.deadletters.ledger import Ledger, OpenBatch
from forwarder.deadletters.marks import Marks, place
from forwarder.deadletters.scan import Scan, Span
from forwarder.kafka.port import Reader, Record, TopicPartition
from forwarder.kafka.records import MalformedHeaders, Progress, read_progress

GoOn = Callable[[], Awaitable[bool]]
"""Awaited between reads, so that whoever reads for long shows meanwhile that it lives; whether to
go on.
"""


async def settle(
    ledger: Ledger,
    source: str,
    queues: Mapping[str, str],
    reader: Reader,
    clock: Callable[[], float],
    written: Callable[[OpenBatch, Collection[str]], Awaitable[None]],
    go_on: GoOn,
) -> None:
    """Settle every open batch. Those of ``source`` belong to a process that is gone: what of them
    stands in the queue was sent. Those of other sources may be under way right now, and what
    cannot be looked up may have been sent: they count as sent. ``written`` is told of the former.
    """
    for batch in ledger.open:
        run = ledger.runs.get(batch.run)
        queue = queues.get(batch.account)
        unsent: Collection[str] = ()
        if run is not None and run.source == source and queue is not None:
            unsent = await _unsent(batch, TopicPartition(queue, 0), reader, clock, go_on)
            await written(batch, unsent)
        ledger.mark(batch, unsent)


async def _unsent(
    batch: OpenBatch,
    queue: TopicPartition,
    reader: Reader,
    clock: Callable[[], float],
    go_on: GoOn,
) -> Collection[str]:
    first, end = (await reader.bounds([queue]))[queue]
    if first > batch.queue_from:
        return ()  # what stood there is deleted: it may have been sent
    missing = {entry.origin for entry in batch.entries}
    scan = Scan(reader, {queue: Span(batch.queue_from, end)}, clock)
    async for records in scan.batches():
        for record in records:
            progress = _progress(record)
            if progress is not None and progress.run == batch.run:
                missing.discard(progress.origin)
        await go_on()
    return sorted(missing)


async def queued_origins(
    account: str,
    queue: TopicPartition,
    reader: Reader,
    clock: Callable[[], float],
    run_id: str,
    go_on: GoOn,
) -> Marks:
    """Origins that the account's queue has seen, but for those that ``run_id`` wrote. Not all of
    them, where ``go_on`` ends it.
    """
    marks = Marks()
    first, end = (await reader.bounds([queue]))[queue]
    scan = Scan(reader, {queue: Span(first, end)}, clock)
    async for records in scan.batches():
        for record in records:
            progress = _progress(record)
            origin = None if progress is None else place(progress.origin)
            if progress is not None and origin is not None and progress.run != run_id:
                marks.add(account, origin)
        if not await go_on():
            break
    return marks


def _progress(record: Record) -> Progress | None:
    try:
        return read_progress(record)
    except MalformedHeaders:
        return None
