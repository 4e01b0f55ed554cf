"""``forwarder preview --coverage``: over a file, or over the last records of the events topic."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Final

import typer

from forwarder.cli import coverage_view, lines
from forwarder.cli.cluster import cluster
from forwarder.cli.console import json_line, progress
from forwarder.cli.coverage import Coverage, told
from forwarder.cli.coverage_topic import last_records
from forwarder.cli.failures import kafka_at
from forwarder.cli.incoming import Incoming, times
from forwarder.cli.lines import Line
from forwarder.settings import Settings, bind_accounts

_SAMPLE: Final = 1000


def of_file(settings: Settings, reading: Incoming, file: str) -> Coverage:
    """Count the events of a file of lines. Age is not judged."""
    coverage, now = Coverage(bind_accounts(settings)), time.time()
    with lines.opened(file) as found, progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        for line in lines.lines(found):
            for read in reading.read(line, now):
                coverage.add(read)
            bar.update(task, note=times(coverage.events))
    return coverage


def of_topic(settings: Settings, reading: Incoming, sample: int | None) -> Coverage:
    """Count the events of the topic's last ``sample`` records. No group notices."""
    reading.single = True
    with kafka_at(f"kafka {settings.kafka.bootstrap_servers}"):
        return asyncio.run(_of_topic(settings, reading, sample or _SAMPLE))


async def _of_topic(settings: Settings, reading: Incoming, sample: int) -> Coverage:
    coverage, now = Coverage(bind_accounts(settings)), time.time()
    async with aclosing(last_records(cluster(settings), settings, sample)) as records:
        with progress() as bar:
            task = bar.add_task("reading", total=sample, note="")
            async for record in records:
                line = Line(record.offset, record.value or b"")
                for read in reading.read(line, now, record.timestamp / 1000):
                    coverage.add(read)
                bar.update(task, advance=1, note=times(coverage.events))
    return coverage


def report(coverage: Coverage, reading: Incoming, *, as_json: bool) -> None:
    """Print it; exit 3 if any event is invalid."""
    if as_json:
        json_line(told(coverage, reading))
    else:
        coverage_view.show(coverage, reading)
        reading.say_notes()
    if coverage.wrong:
        raise typer.Exit(3)
