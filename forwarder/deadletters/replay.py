"""Sending again: counting what would be sent, and the run that sends it.

Killed at any moment, a run goes on where it stood when it is started again by its id.
"""

from __future__ import annotations

from collections.abc import Collection

from forwarder.deadletters.desk import WATCH, Desk
from forwarder.deadletters.ledger import OpenBatch
from forwarder.deadletters.session import Result, Session
from forwarder.deadletters.survey import Counts
from forwarder.deadletters.work import Work
from forwarder.kafka.port import Unavailable


async def count(work: Work) -> Counts:
    """What would be done; nothing is written. Raises ``KafkaProblem``."""
    desk = Desk(work.kafka, work.places.ledger, work.clocks)
    reader = work.kafka.reader()
    try:
        await desk.start()
        await reader.start()
        ledger = await desk.load(work.run.id)
        if work.run.source in ledger.holders:  # its open batch may be under way right now
            for batch in ledger.open:
                ledger.mark(batch)
        await work.settle(ledger, reader, _note_nothing, _go_on)
        return await work.survey(ledger, reader, _go_on)
    finally:
        await reader.stop()
        await desk.stop()


class Replay:
    """One run, sent by this process."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session: Session | None = None
        self.stopping = False

    def stop(self) -> None:
        """Start no batch any more, and end in order. May be called twice."""
        self.stopping = True
        if self._session is not None:
            self._session.stop()

    async def send(self) -> Result:
        """Send, until the end or a stop. Once it has begun, it waits for brokers that are away.

        Raises ``KafkaProblem``, ``Busy``, ``Overtaken``.
        """
        begun = False
        while True:
            self._session = Session(self._work)
            try:
                return await self._session.run()
            except Unavailable as problem:
                begun = begun or self._session.claimed
                if not begun or self.stopping:
                    raise
                self._work.watcher.say(f"{problem}: trying again in {WATCH:.0f} s")
            # what was on its way to a queue must have arrived before the queue is looked at
            await self._work.clocks.sleep(WATCH)


async def _note_nothing(_: OpenBatch, __: Collection[str]) -> None:
    return


async def _go_on() -> bool:
    return True
