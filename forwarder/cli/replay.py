"""``forwarder replay``: send again what failed, or what a time range of the events topic holds."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from forwarder.cli import replay_runs
from forwarder.cli.console import json_line, say, table
from forwarder.cli.dlq_purge import By, who
from forwarder.cli.failures import Failed
from forwarder.cli.filters import filtered
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.rates import rates
from forwarder.cli.replay_order import (
    MAX_REPLAYS,
    Order,
    Speed,
    checked_order,
    checked_run_id,
    new_run,
    new_run_id,
    order_of,
    work_of,
)
from forwarder.cli.replay_runs import clocks, load_ledger
from forwarder.cli.scanning import Bar, bar, on_kafka
from forwarder.deadletters.desk import LIMITS, Busy, Overtaken
from forwarder.deadletters.judge import Kind, Rules
from forwarder.deadletters.ledger import Run
from forwarder.deadletters.query import Filters
from forwarder.deadletters.replay import Replay, count
from forwarder.deadletters.survey import Counts
from forwarder.deadletters.work import Work
from forwarder.kafka.port import Kafka, KafkaProblem
from forwarder.ops.words import span
from forwarder.problems import Problem, Problems, did_you_mean
from forwarder.sender import COMMIT_SECONDS
from forwarder.settings import Settings


class Source(StrEnum):
    DLQ = "dlq"
    EVENTS = "events"


app = typer.Typer(
    help="Send dead letters, or a time range of events, to their accounts again.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.command("ls")(replay_runs.ls)
app.command("stop")(replay_runs.stop)


@app.callback()
@filtered
def replay(
    filters: Filters,
    context: typer.Context,
    source: Annotated[
        Source | None, typer.Option("--source", help="Dead letters, unless told otherwise.")
    ] = None,
    config: Config = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count, estimate, send nothing.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, metavar="N", help="Records a second.")
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share",
            min=0.001,
            max=1,
            metavar="F",
            help="Take that part of an account's budget even where its queue has no room.",
        ),
    ] = None,
    max_replays: Annotated[
        int | None,
        typer.Option(
            "--max-replays",
            min=1,
            metavar="N",
            help=f"Refuse what was sent again so often before; {MAX_REPLAYS} unless told.",
        ),
    ] = None,
    allow_duplicates: Annotated[
        bool,
        typer.Option(
            "--allow-duplicates", help="Send what the vendor may count twice by now, too."
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send what earlier runs have sent, too.")
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id", metavar="ID", help="Name the run; go on with one that ended early."
        ),
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters, or a time range of events, to their accounts again.

    Only the account that failed gets a dead letter. Queues are fed only while less waits there
    than one request holds. What an earlier run has sent is not sent again. --limit sends so many
    at most. Exit 3 when nothing matches, or somebody stopped the run; 130 when it was interrupted.
    """
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)
    rules = Rules(filters, max_replays or MAX_REPLAYS, again, allow_duplicates)
    wanted = Wanted(settings, source, rules, Speed(rate, share), by=who(by), as_json=as_json)
    chosen = None if run_id is None else checked_run_id(run_id)
    with bar("counting") as shown:
        watcher = Watching(shown)
        if dry_run:
            tell = on_kafka(settings, lambda kafka: wanted.count(kafka, chosen, watcher))
        else:
            tell = on_kafka(settings, lambda kafka: wanted.send(kafka, chosen, watcher), LIMITS)
    tell()


class Watching:
    """A bar for the counting, and then for the sending."""

    def __init__(self, shown: Bar) -> None:
        self._shown = shown
        self._total = 0

    def counting(self, left: int) -> None:
        self._total = max(self._total, left)
        self._shown.at(self._total - left, self._total, "counting")

    def sending(self, sent: int, to_send: int) -> None:
        self._shown.at(sent, to_send, "sending")

    def say(self, text: str) -> None:
        say(text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed. ``source`` ``None``: not said. ``count`` and ``send`` return what tells of it
    when the bar is gone.
    """

    settings: Settings
    source: Source | None
    rules: Rules
    speed: Speed
    by: str
    as_json: bool

    async def count(
        self, kafka: Kafka, run_id: str | None, watcher: Watching
    ) -> Callable[[], None]:
        """A dry run."""
        run, _ = await self._run(kafka, run_id)
        work = work_of(kafka, self.settings, run, self.speed, clocks(), watcher, look=True)
        counts = await count(work)
        return lambda: self._report(run, counts, dry=True)

    async def send(self, kafka: Kafka, run_id: str | None, watcher: Watching) -> Callable[[], None]:
        """A run, from its start or from where it stood."""
        run, over = await self._run(kafka, run_id)
        if over:
            say(f"run {run.id} has finished: nothing is left to send")
            return lambda: self._print(run, {"matched": None, **run.counts}, dry=False)
        say(f"run {run.id}: if it is interrupted, go on with forwarder replay --run-id {run.id}")
        work = work_of(kafka, self.settings, run, self.speed, clocks(), watcher, look=False)
        outcome, counts, interrupted = await _sent(work)
        if outcome == "stopped":
            return lambda: self._stopped(run, counts, interrupted=interrupted)
        return lambda: self._report(run, counts, dry=False)

    # -- which run --------------------------------------------------------------------------------
    async def _run(self, kafka: Kafka, run_id: str | None) -> tuple[Run, bool]:
        """The run, and whether it is over already."""
        known = None
        if run_id is not None:
            ledger = await load_ledger(kafka, self.settings)
            known = ledger.runs.get(run_id)
            if known is None and self.source is None and self.rules.filters == Filters():
                hint = did_you_mean(run_id, ledger.runs)
                fix = "; ".join(
                    [*([hint] if hint else []), "to start one of that name, say --source"]
                )
                raise Problems([Problem("--run-id", f"there is no run {run_id}", fix)])
        if known is None:
            order = checked_order(self.source or Source.DLQ, self.rules, self.settings)
            name = run_id or new_run_id(time.time())
            return await new_run(kafka, self.settings, order, name, self.by), False
        self._must_agree(known)
        checked_order(known.source, order_of(known).rules, self.settings)
        fresh = await new_run(kafka, self.settings, order_of(known), known.id, self.by)
        known.token = fresh.token
        return known, known.outcome == "finished"

    def _must_agree(self, known: Run) -> None:
        """What a run sends was decided when it was started; times were fixed then, too."""
        order = order_of(known)
        wrong = [
            Problem(f"--{name.replace('_', '-')}", f"is not what run {known.id} was started with")
            for name in _differences(self, order)
        ]
        if wrong:
            fix = "leave it out to go on with the run, or choose another --run-id"
            raise Problems([problem._replace(fix=fix) for problem in wrong])

    # -- telling ----------------------------------------------------------------------------------
    def _stopped(self, run: Run, counts: Counts, *, interrupted: bool) -> None:
        self._report(run, counts, dry=False)
        say(f"stopped; go on with forwarder replay --run-id {run.id}")
        raise typer.Exit(130 if interrupted else 3)

    def _report(self, run: Run, counts: Counts, *, dry: bool) -> None:
        told = counts.as_json() | {"eta_seconds": eta(counts, self.settings, self.speed)}
        self._print(run, told, dry=dry)
        if counts.kinds[Kind.PAUSED]:
            say(f"{counts.kinds[Kind.PAUSED]} are of paused accounts: they stay where they are")
        if counts.rejected_today:
            say(
                f"{counts.rejected_today} would be refused again with today's settings: "
                "see forwarder dlq show"
            )
        if not counts.matched:
            say("nothing matches")
            raise typer.Exit(3)

    def _print(self, run: Run, told: dict[str, object], *, dry: bool) -> None:
        if self.as_json:
            json_line({"run_id": run.id, "source": run.source, "dry_run": dry, **told})
            return
        # by the names that --json has: they are promised
        table("Dry run" if dry else "Replay", ("count", ""), list(told.items()))
        seconds = told.get("eta_seconds")
        if dry and isinstance(seconds, int) and seconds:
            say(f"nothing was sent; it would take about {span(seconds)}")


_EVENTUAL: Final = ("failed_since", "failed_until", "event_since", "event_until")


def _differences(wanted: Wanted, order: Order) -> Iterator[str]:
    """Options that were given and say something else than the run's own."""
    if wanted.source is not None and wanted.source != order.source:
        yield "source"
    told, known = wanted.rules.filters.told(), order.filters.told()
    for name, value in told.items():
        if name in _EVENTUAL:
            if name not in known:
                yield name
        elif known.get(name) != value:
            yield name
    for name in ("again", "allow_duplicates"):
        if getattr(wanted.rules, name) and not getattr(order.rules, name):
            yield name
    if wanted.rules.max_replays not in (MAX_REPLAYS, order.rules.max_replays):
        yield "max_replays"


async def _sent(work: Work) -> tuple[str, Counts, bool]:
    """Send, and stop in order on a signal: outcome, counts, and whether there was a signal."""
    sending = Replay(work)
    with _signals(sending):
        try:
            result = await sending.send()
        except Busy as busy:
            raise Problems([_busy(busy.run)]) from None
        except Overtaken:
            rule = f"another process has taken up run {work.run.id}"
            raise Failed([Problem("forwarder replay", rule)]) from None
        except KafkaProblem:
            say(f"run {work.run.id} is not over: forwarder replay --run-id {work.run.id}")
            raise
    return result.outcome, result.counts, sending.stopping


def _busy(run: Run) -> Problem:
    rule = f"run {run.id} of {run.by} replays from {run.source} right now"
    return Problem("--source", rule, f"wait for it, or end it: forwarder replay stop {run.id}")


@contextmanager
def _signals(sending: Replay) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    both = (signal.SIGINT, signal.SIGTERM)
    for name in both:
        loop.add_signal_handler(name, sending.stop)
    try:
        yield
    finally:
        for name in both:
            loop.remove_signal_handler(name)


def eta(counts: Counts, settings: Settings, speed: Speed) -> int:
    """Seconds for what is left, while nothing else is sent: at each account's budget, but no more
    than one request's worth for each time that senders commit.
    """
    left = counts.to_send - counts.sent
    counted = sum(counts.by_account.values())
    if not left or not counted:
        return 0
    reach = rates(settings)
    slowest = 0.0
    for name, number in counts.by_account.items():
        most = settings.accounts[name].batch.events / COMMIT_SECONDS
        slowest = max(slowest, number / min(reach[name].events, most))
    seconds = slowest * left / counted
    return math.ceil(seconds if speed.rate is None else max(seconds, left / speed.rate))
