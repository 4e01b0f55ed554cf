"""``forwarder dlq``: find out what failed, and why."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import typer

from forwarder.cli import dlq_export, dlq_purge, dlq_show
from forwarder.cli.console import json_line, say, table
from forwarder.cli.filters import checked, filtered, warn_of_unknown
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.scanning import Scanned, letters, on_kafka
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.query import Filters
from forwarder.deadletters.stats import Stats
from forwarder.kafka.records import rfc3339
from forwarder.ops.words import plural
from forwarder.problems import Problem, Problems

LISTED: Final = 50
"""Rows of ``ls`` unless ``--limit`` says otherwise."""
BAR: Final = 20

app = typer.Typer(
    help="Dead letters: what failed, why, and what would happen now.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@filtered
def stats(filters: Filters, config: Config = None, as_json: AsJson = False) -> None:
    """Count dead letters by account, reason, code and hour; exit 3 if there are none."""
    settings = settings_of(config)
    unknown = warn_of_unknown(checked(filters, settings), settings)
    found = Stats()

    def take(letter: Letter) -> bool:
        found.add(letter)
        return filters.limit is None or found.total < filters.limit

    scanned = on_kafka(settings, lambda kafka: letters(kafka, settings, filters, take))
    if as_json:
        json_line(found.as_json() | _speed(scanned))
    elif found.total:
        _print(found)
    say(f"{scanned.records} read, {scanned.rate} records/s")
    or_nothing(found.total, unknown)


def _speed(scanned: Scanned) -> dict[str, object]:
    return {"scanned": scanned.records, "records_per_second": scanned.rate}


def _print(found: Stats) -> None:
    columns = ["dead letters", "account", "reason", "code", "first failed", "last failed", ""]
    most = max(seen.count for seen in found.groups.values())
    table(
        plural(found.total, "dead letter"),
        columns if sys.stdout.isatty() else columns[:-1],
        [
            (
                seen.count,
                group.account or None,
                group.reason,
                group.code or None,
                _minute(seen.first),
                _minute(seen.last),
                *_bar(seen.count, most),
            )
            for group, seen in found.ordered()
        ],
    )
    typer.echo("")
    most = max(found.hours.values())
    rows = [(_minute(hour), n, *_bar(n, most)) for hour, n in sorted(found.hours.items())]
    columns = ["hour", "dead letters", ""]
    table("By hour", columns if sys.stdout.isatty() else columns[:-1], rows)


def _bar(number: int, most: int) -> tuple[str, ...]:
    """Drawn on a terminal only."""
    return ("█" * max(1, round(BAR * number / most)),) if sys.stdout.isatty() else ()


def _minute(at: float) -> str:
    return rfc3339(at)[:16] + "Z"


@filtered
def ls(
    filters: Filters,
    config: Config = None,
    as_json: AsJson = False,
    reveal: dlq_show.Reveal = False,
) -> None:
    """List dead letters, the oldest of each partition first; exit 3 if there are none.

    The first 50 unless --limit says otherwise; with --json all, one JSON line each.
    """
    settings = settings_of(config)
    unknown = warn_of_unknown(checked(filters, settings), settings)
    limit = filters.limit or (None if as_json else LISTED)
    rows: list[Mapping[str, object]] = []
    total = 0

    def take(letter: Letter) -> bool:
        nonlocal total
        if total == limit:
            return False
        total += 1
        row = dlq_show.told(letter, reveal=reveal)
        json_line(row) if as_json else rows.append(row)
        return True

    scanned = on_kafka(settings, lambda kafka: letters(kafka, settings, filters, take))
    if rows:
        table("Dead letters", dlq_show.COLUMNS, _sorted(rows))
    if not scanned.all:
        say(f"the first {total}; there are more: see --limit, or forwarder dlq stats")
    or_nothing(total, unknown)


def _sorted(rows: list[Mapping[str, object]]) -> list[list[object]]:
    ordered = sorted(rows, key=lambda row: str(row["failed_at"]))
    ordered = [{**row, "failed_at": f"{str(row['failed_at'])[:19]}Z"} for row in ordered]
    return [[row[column] or None for column in dlq_show.COLUMNS] for row in ordered]


def or_nothing(number: int, unknown: list[Problem]) -> None:
    """End with 3 when nothing matched, and with 2 when that was to be expected."""
    if number:
        return
    if unknown:
        raise Problems(unknown)
    say("no dead letter matches")
    raise typer.Exit(3)


_COMMANDS: Final = (
    ("ls", ls, "List them."),
    ("show", dlq_show.show, "Show single ones, and what would be sent now."),
    ("stats", stats, "Count them by account, reason, code and hour."),
    ("export", dlq_export.export, "Write their events as JSON Lines."),
    ("purge", dlq_purge.purge, "Delete those from before a time."),
)
for _name, _command, _short in _COMMANDS:
    app.command(_name, short_help=_short)(_command)
