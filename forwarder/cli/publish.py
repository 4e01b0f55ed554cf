"""``forwarder publish``: JSON Lines of events onto the events topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Annotated, BinaryIO, Final

import typer

from forwarder.cli import lines
from forwarder.cli.cluster import cluster
from forwarder.cli.console import progress, say
from forwarder.cli.failures import Failed, kafka_failure
from forwarder.cli.incoming import Incoming, incoming, times
from forwarder.cli.lines import Line
from forwarder.cli.options import Advertiser, Config, DeriveEventId, From, Lines, settings_of
from forwarder.cli.validate import report_invalid
from forwarder.event import FieldError, InvalidEvent, parsed
from forwarder.kafka.port import Kafka, KafkaProblem, Outgoing, Producer
from forwarder.ops.words import plural
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings

_BATCH: Final = 500
_STEPS: Final = 10
"""Batches a second at least, so that a rate is kept evenly."""


def publish(
    file: Lines = "-",
    config: Config = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, metavar="N", help="Events per second.")
    ] = None,
    validated: Annotated[
        bool, typer.Option("--validate/--no-validate", help="Leave out lines that are no events.")
    ] = True,
    from_: From = None,
    advertiser: Advertiser = None,
    derive_event_id: DeriveEventId = False,
) -> None:
    """Publish JSON Lines of events, keyed by event_id; exit 3 if lines had to be left out.

    With --from they are published as events of the schema; where the topic itself is in that
    format (kafka.events_format), as they are.
    """
    settings = settings_of(config)
    reading = incoming(settings, from_, advertiser, derive_event_id=derive_event_id)
    translates = _translates(settings, reading)
    reading.single = not translates
    publishing = Publishing(
        settings.kafka.events_topic, reading, rate, validated=validated, translates=translates
    )
    with lines.opened(file) as found:
        try:
            asyncio.run(_publish(publishing, cluster(settings), settings, found))
        finally:
            say(f"{times(publishing.sent)} published to {settings.kafka.events_topic}")
    reading.say_notes()
    if publishing.left_out:
        say(f"{plural(publishing.left_out, 'line')} left out")
        raise typer.Exit(3)


def _translates(settings: Settings, reading: Incoming) -> bool:
    """Whether lines become events of the schema. Raises ``Problems`` where the topic is in another
    tool's format.
    """
    topic = settings.kafka.events_format
    if topic not in ("native", reading.format):
        rule = f"the topic holds {topic} events: {settings.place('kafka', 'events_format')}"
        raise Problems([Problem(f"--from {reading.format}", rule, f"publish {topic} events")])
    return topic != reading.format


async def _publish(
    publishing: Publishing, kafka: Kafka, settings: Settings, file: BinaryIO
) -> None:
    place = f"kafka {settings.kafka.bootstrap_servers}"
    producer = kafka.producer()
    try:
        await _must_exist(kafka, settings)
        await producer.start()
        with progress() as bar:
            task = bar.add_task("publishing", total=None, note="")
            async for chunk in lines.arriving(file):
                await publishing.write(chunk, producer)
                bar.update(task, note=times(publishing.sent))
    except KafkaProblem as problem:
        (told,) = kafka_failure(problem, place).problems
        done = f"; published up to line {publishing.line}" if publishing.line else ""
        raise Failed([told._replace(rule=told.rule + done)]) from None
    finally:
        await producer.stop()


async def _must_exist(kafka: Kafka, settings: Settings) -> None:
    admin = kafka.admin()
    try:
        await admin.start()
        topic = settings.kafka.events_topic
        if topic not in await admin.topics():
            place = settings.place("kafka", "events_topic")
            rule = f"the cluster has no topic {topic} that this principal can see"
            raise Failed([Problem(place, rule, "create it with forwarder topics create")])
    finally:
        await admin.stop()


@dataclass(slots=True)
class Publishing:
    """Writes events, at ``rate`` a second at most. ``translates``: what is written are events of
    the schema, and not the lines.

    ``line``: up to there everything is acknowledged or left out.
    """

    topic: str
    reading: Incoming
    rate: float | None = None
    validated: bool = True
    translates: bool = False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time
    sent: int = 0
    left_out: int = 0
    line: int = 0
    _began: float | None = None

    async def write(self, found: Iterable[Line], producer: Producer) -> None:
        """Publish what of ``found`` is fit. Raises ``KafkaProblem``."""
        rest = iter(found)
        while batch := list(islice(rest, self._size())):
            records = list(chain.from_iterable(map(self._records, batch)))
            if records:
                await self._pace()
                await producer.write(self.topic, records)
                self.sent += len(records)
            self.line = batch[-1].number

    def _size(self) -> int:
        return _BATCH if self.rate is None else max(1, min(_BATCH, int(self.rate / _STEPS)))

    async def _pace(self) -> None:
        if self.rate is None:
            return
        if self._began is None:
            self._began = self.clock()
        due = self._began + self.sent / self.rate
        if due > self.clock():
            await self.sleep(due - self.clock())

    def _records(self, line: Line) -> list[Outgoing]:
        """Empty: it holds no event, or is left out, and said so."""
        if not self.validated:
            return self._unchecked(line)
        records = []
        for read in self.reading.read(line, self.now()):
            if read.event is None:
                self._leave_out(line, read.errors)
            else:
                value = read.native if self.translates else line.value
                records.append(Outgoing(read.event.event_id.encode(), value, ()))
        return records

    def _unchecked(self, line: Line) -> list[Outgoing]:
        if line.cut:
            self._leave_out(line, [FieldError("$", f"longer than {lines.LONGEST} bytes")])
            return []
        if not self.translates:
            return [Outgoing(_event_id(line.value), line.value, ())]
        try:
            natives = self.reading.translated(line.value)
        except InvalidEvent as invalid:
            self._leave_out(line, invalid.errors)
            return []
        values = [native.json() for native in natives]
        return [Outgoing(_event_id(value), value, ()) for value in values]

    def _leave_out(self, line: Line, errors: Sequence[FieldError]) -> None:
        self.left_out += 1
        report_invalid(line.number, errors, as_json=False)


def _event_id(value: bytes) -> bytes | None:
    """The key of a line that may be no event at all."""
    try:
        event = parsed(value)
    except ValueError:
        return None
    found = event.get("event_id") if isinstance(event, dict) else None
    return found.encode() if isinstance(found, str) else None
