"""``forwarder publish``: JSON Lines of events onto the events topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, BinaryIO, Final

import orjson
import typer

from forwarder.cli import lines
from forwarder.cli.cluster import cluster
from forwarder.cli.console import progress, say
from forwarder.cli.failures import Failed, kafka_failure
from forwarder.cli.lines import Line
from forwarder.cli.options import Config, Lines, settings_of
from forwarder.cli.validate import checked, report_invalid
from forwarder.event import AdvertiserDefaults, FieldError
from forwarder.kafka.port import Kafka, KafkaProblem, Outgoing, Producer
from forwarder.problems import Problem
from forwarder.settings import Settings, advertiser_defaults

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
) -> None:
    """Publish JSON Lines of events, keyed by event_id; exit 3 if lines had to be left out."""
    settings = settings_of(config)
    advertisers = advertiser_defaults(settings) if validated else None
    publishing = Publishing(settings.kafka.events_topic, advertisers, rate)
    with lines.opened(file) as found:
        try:
            asyncio.run(_publish(publishing, cluster(settings), settings, found))
        finally:
            say(f"{publishing.sent} events published to {settings.kafka.events_topic}")
    if publishing.left_out:
        say(f"{publishing.left_out} lines left out")
        raise typer.Exit(3)


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
            async for chunk in _chunks(file):
                await publishing.write(chunk, producer)
                bar.update(task, note=f"{publishing.sent} events")
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


async def _chunks(file: BinaryIO) -> AsyncIterator[list[Line]]:
    """Lines as they come: what a pipe holds now is not kept waiting for more."""
    splitter = lines.Splitter()
    while True:
        await _readable(file)
        chunk = lines.chunk_of(file)
        if not chunk:
            break
        yield list(splitter.feed(chunk))
    yield list(splitter.end())


async def _readable(file: BinaryIO) -> None:
    """Waits for a pipe or a terminal without blocking the loop, so that Ctrl-C is heard."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(file.fileno(), ready.set)
    except (OSError, ValueError):
        return  # a regular file is always readable
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file.fileno())


@dataclass(slots=True)
class Publishing:
    """Writes lines, at ``rate`` events per second at most. ``advertisers`` ``None``: unchecked.

    ``line``: up to there everything is acknowledged or left out.
    """

    topic: str
    advertisers: Mapping[str, AdvertiserDefaults] | None
    rate: float | None
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
            records = [record for line in batch if (record := self._record(line)) is not None]
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

    def _record(self, line: Line) -> Outgoing | None:
        """``None``: left out, and said so."""
        if self.advertisers is None:
            return self._unchecked(line)
        result = checked(line.value, self.advertisers, self.now(), strict=False)
        if result.event is None:
            self._leave_out(line, result.errors)
            return None
        return Outgoing(result.event.event_id.encode(), line.value, ())

    def _unchecked(self, line: Line) -> Outgoing | None:
        if line.cut:
            self._leave_out(line, [FieldError("$", f"longer than {lines.LONGEST} bytes")])
            return None
        return Outgoing(_event_id(line.value), line.value, ())

    def _leave_out(self, line: Line, errors: Sequence[FieldError]) -> None:
        self.left_out += 1
        report_invalid(line.number, errors, as_json=False)


def _event_id(value: bytes) -> bytes | None:
    """The key of a line that may be no event at all."""
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    found = event.get("event_id") if isinstance(event, dict) else None
    return found.encode() if isinstance(found, str) else None
