"""Reading topics for a person who waits: errors with their place, a bar with rate and estimate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from forwarder.cli import console
from forwarder.cli.cluster import cluster
from forwarder.cli.failures import kafka_at
from forwarder.deadletters import scan
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.query import Filters, matcher
from forwarder.kafka.connection import WriteLimits
from forwarder.kafka.port import Kafka
from forwarder.ops.words import count, span
from forwarder.settings import Settings

Result = TypeVar("Result")


def on_kafka(
    settings: Settings,
    work: Callable[[Kafka], Awaitable[Result]],
    limits: WriteLimits | None = None,
) -> Result:
    """``work`` with the cluster. Raises ``Failed`` for whatever Kafka refuses."""

    async def run() -> Result:
        return await work(cluster(settings, limits=limits))

    with kafka_at(f"kafka {settings.kafka.bootstrap_servers}"):
        return asyncio.run(run())


class Bar:
    """A progress bar, on a terminal only, with records a second and the time that is left.

    ``show``: is given what the bar says in front, records done and to do, and a note.
    """

    def __init__(
        self, doing: str, show: Callable[[str, int, int, str], None], clock: Callable[[], float]
    ) -> None:
        self._doing = doing
        self._show = show
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def at(self, done: int, total: int, doing: str | None = None) -> None:
        """``done`` of ``total`` records. ``doing``: what is done now; a change starts it anew, and
        what was done before counts for no rate.
        """
        if doing not in (None, self._doing):
            self._doing, self._first = doing or "", None
        if self._first is None:
            self._first = (self._clock(), done)
        started, before = self._first
        rate = (done - before) / max(self._clock() - started, 1e-3)
        left = f", {span((total - done) / rate)} left" if rate > 0 and done < total else ""
        self._show(self._doing, done, max(total, 1), f"{count(rate)}/s{left}")


@contextmanager
def bar(doing: str) -> Iterator[Bar]:
    """``doing``: what the bar says in front."""
    with console.progress() as progress:
        task = progress.add_task(doing, total=None, note="")

        def show(text: str, done: int, total: int, note: str) -> None:
            progress.update(task, description=text, completed=done, total=total, note=note)

        yield Bar(doing, show, time.monotonic)


@dataclass(slots=True)
class Scanned:
    """How much was read in how many seconds. ``all``: the end was reached."""

    records: int = 0
    seconds: float = 0.0
    all: bool = True

    @property
    def rate(self) -> int:
        """Records a second."""
        return round(self.records / self.seconds) if self.seconds else 0


async def letters(
    kafka: Kafka, settings: Settings, filters: Filters, take: Callable[[Letter], bool]
) -> Scanned:
    """Hand every dead letter that passes to ``take``, until it returns false.

    Reads up to where the topic ends now. Raises ``KafkaProblem``.
    """
    admin, reader = kafka.admin(), kafka.reader()
    try:
        await admin.start()
        await reader.start()
        parts = await scan.partitions(admin, settings.kafka.dead_letter_topic)
        spans = await scan.spans(reader, parts, filters.failed_since)
        with bar("reading dead letters") as shown:
            reading = scan.Scan(reader, spans, time.monotonic)
            return await _read(reading, scan.size(spans), filters, take, shown)
    finally:
        await reader.stop()
        await admin.stop()


async def _read(
    reading: scan.Scan, total: int, filters: Filters, take: Callable[[Letter], bool], shown: Bar
) -> Scanned:
    matches, found, started = matcher(filters), Scanned(), time.monotonic()
    async for records in reading.batches():
        for record in records:
            found.records += 1
            letter = Letter(record)
            if matches(letter) and not take(letter):
                found.all = False
                break
        shown.at(total - reading.left, total)
        if not found.all:
            break
    found.seconds = time.monotonic() - started
    return found
