"""``forwarder replay ls`` and ``stop``: what was sent again, by whom, and what still runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from forwarder.cli.console import json_line, say, table
from forwarder.cli.dlq_purge import By, who
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.scanning import on_kafka
from forwarder.deadletters import scan
from forwarder.deadletters.desk import Clocks, Desk
from forwarder.deadletters.ledger import Ledger, Purge, Run, life
from forwarder.deadletters.query import Filters
from forwarder.kafka.port import Kafka
from forwarder.kafka.records import rfc3339
from forwarder.problems import Problem, Problems, did_you_mean
from forwarder.settings import Settings

SILENT: Final = 30.0
"""Seconds without a sign of life after which a run is called interrupted."""
COLUMNS: Final = (
    "run",
    "source",
    "state",
    "by",
    "started_at",
    "ended_at",
    "to_send",
    "sent",
    "filter",
)


def ls(config: Config = None, as_json: AsJson = False) -> None:
    """List replays and purges: who, what, when, how many. With --json one line each."""
    settings = settings_of(config)
    ledger = on_kafka(settings, lambda kafka: load_ledger(kafka, settings))
    now = time.time()
    rows = [_run(run, now) for run in ledger.runs.values()] + [_purge(p) for p in ledger.purges]
    rows.sort(key=lambda row: str(row["started_at"]))
    if as_json:
        for row in rows:
            json_line(row)
    elif rows:
        cells = [[row.get(column) for column in COLUMNS] for row in rows]
        table("Replays and purges", COLUMNS, cells)
    else:
        say("nothing was ever replayed or purged")


def stop(
    run_id: Annotated[str, typer.Argument(metavar="RUN-ID", help="As replay ls prints it.")],
    config: Config = None,
    by: By = None,
) -> None:
    """Ask a running replay to stop. It ends within seconds, and can be resumed by its id."""
    settings = settings_of(config)
    on_kafka(settings, lambda kafka: _stop(kafka, settings, run_id, who(by)))
    say(f"asked {run_id} to stop; go on with forwarder replay --run-id {run_id}")


def state(run: Run, now: float) -> str:
    """``running`` ``interrupted`` ``finished`` ``stopped``."""
    if run.ended:
        return run.outcome
    return "running" if now - run.alive_at < SILENT else "interrupted"


async def load_ledger(kafka: Kafka, settings: Settings, own: str = "") -> Ledger:
    """All that the ledger tells. Raises ``KafkaProblem``."""
    desk = await _desk(kafka, settings)
    try:
        return await desk.load(own)
    finally:
        await desk.stop()


async def _desk(kafka: Kafka, settings: Settings) -> Desk:
    admin = kafka.admin()
    try:
        await admin.start()
        await scan.partitions(admin, settings.kafka.replays_topic)
    finally:
        await admin.stop()
    desk = Desk(kafka, settings.kafka.replays_topic, clocks())
    await desk.start()
    return desk


async def _stop(kafka: Kafka, settings: Settings, run_id: str, by: str) -> None:
    desk = await _desk(kafka, settings)
    try:
        ledger = await desk.load()
        run = ledger.runs.get(run_id)
        if run is None:
            fix = did_you_mean(run_id, ledger.runs) or "see forwarder replay ls"
            raise Problems([Problem("RUN-ID", f"there is no run {run_id}", fix)])
        found = state(run, time.time())
        if found != "running":
            raise Problems([Problem("RUN-ID", f"run {run_id} does not run: it is {found}")])
        await desk.write([life(run_id, "stop", time.time(), by=by)])
    finally:
        await desk.stop()


def clocks() -> Clocks:
    """Those of this machine."""
    return Clocks(time.time, steady, asyncio.sleep)


def steady() -> float:
    """Seconds that only grow, also while the machine sleeps: a claim must end meanwhile."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _run(run: Run, now: float) -> dict[str, object]:
    return {
        "run": run.id,
        "source": run.source,
        "state": state(run, now),
        "by": run.by,
        "started_at": rfc3339(run.started_at),
        "ended_at": None if run.ended_at is None else rfc3339(run.ended_at),
        "to_send": run.counts.get("to_send"),
        "sent": run.counts.get("sent"),
        "filter": _words(run),
        "counts": run.counts,
    }


def _words(run: Run) -> str:
    chosen = [
        f"--{name.replace('_', '-')}"
        for name in ("again", "allow_duplicates")
        if run.options.get(name) is True
    ]
    return " ".join([Filters.of(run.filters).words(), *chosen])


def _purge(purge: Purge) -> Mapping[str, object]:
    return {
        "run": None,
        "source": "purge",
        "state": "finished",
        "by": purge.by,
        "started_at": rfc3339(purge.at),
        "ended_at": rfc3339(purge.at),
        "to_send": None,
        "sent": None,
        "filter": f"--before {rfc3339(purge.before)}",
        "counts": purge.counts,
    }
