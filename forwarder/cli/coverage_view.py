"""Coverage for eyes: one block for each account, the same words as in the JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forwarder.cli.console import out
from forwarder.cli.coverage import AccountCoverage, Coverage, lifts, remedy, share, spoken
from forwarder.cli.coverage_words import why_dropped
from forwarder.cli.incoming import Incoming, times

_BAR: Final = 10
_WIDE: Final = 160
"""Columns where stdout is no terminal."""
_ERRORS: Final = 20
_COLOURS: Final = {
    "sent": "green",
    "skipped": "yellow",
    "rejected": "red",
    "carries": "cyan",
    "dropped": "yellow",
    "to lift": "bold",
}


class _Row(NamedTuple):
    kind: str
    what: str
    events: int
    share: float | None
    text: str


def show(coverage: Coverage, reading: Incoming) -> None:
    """Print all of it on stdout."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    with console.capture() as captured:
        _print(console, coverage, reading)
    out("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _print(console: Console, coverage: Coverage, reading: Incoming) -> None:
    console.print(_headline(coverage))
    for title, rows in _loose(coverage, reading):
        console.print()
        console.print(title, style="bold")
        console.print(_indented(_plain(rows)))
    for name, one in coverage.by_account.items():
        console.print()
        console.print(_title(name, one))
        if one.events:
            console.print(_indented(_table(one, coverage.named)))


def _headline(coverage: Coverage) -> Text:
    text = Text(times(coverage.events), style="bold")
    if coverage.wrong:
        text.append(f", {coverage.wrong} invalid", style="bold red")
    if coverage.unrouted:
        text.append(f", {coverage.unrouted.total()} unrouted", style="bold red")
    return text


def _loose(coverage: Coverage, reading: Incoming) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """What belongs to no account."""
    if coverage.errors:
        most = coverage.errors.most_common(_ERRORS)
        yield "Invalid", [(count, f"{path}: {rule}") for (path, rule), count in most]
    if coverage.unrouted:
        rule = "no account lists this advertiser"
        most_named = coverage.unrouted.most_common(_ERRORS)
        yield "Unrouted", [(count, f"{name}: {rule}") for name, count in most_named]
    if coverage.dropped:
        most_dropped = [
            (count, f"{coverage.named(path)}: {why_dropped(path)}")
            for path, count in coverage.dropped.most_common()
        ]
        yield "Dropped fields (the events go on without them)", most_dropped
    if reading.nothing:
        yield "No event", [(count, kind) for kind, count in reading.nothing.most_common()]


def _plain(rows: list[tuple[int, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for count, text in rows:
        table.add_row(f"{count:,}", text)
    return table


def _title(name: str, one: AccountCoverage) -> Text:
    text = Text(name, style="bold")
    text.append(f" ({one.account.settings.destination})", style="dim")
    if one.account.settings.state != "active":
        text.append(f" {one.account.settings.state}", style="yellow")
    if not one.events:
        return text.append(": none of these events are for it")
    sent = share(one.sent, one.events)
    return text.append(f": {one.sent:,} of {one.events:,} events would be sent ({sent:.0%})")


def _table(one: AccountCoverage, named: Callable[[str], str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in ("kind", "what"):
        table.add_column(no_wrap=True)
    for _ in ("events", "share"):
        table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold", ratio=1)
    before = ""
    for row in _rows(one, named):
        kind = Text(row.kind if row.kind != before else "", style=_COLOURS[row.kind])
        portion = "" if row.share is None else f"{row.share:.0%}"
        table.add_row(kind, row.what, f"{row.events:,}", portion, row.text)
        before = row.kind
    return table


def _rows(one: AccountCoverage, named: Callable[[str], str]) -> Iterator[_Row]:
    yield _Row("sent", "", one.sent, share(one.sent, one.events), _bar(one.sent, one.events))
    for kind, counts in (("skipped", one.skipped), ("rejected", one.rejected)):
        for reason, count in counts.most_common():
            part = share(count, one.events)
            yield _Row(kind, reason, count, part, remedy(one, reason, named))
    for key in one.account.match_keys() if one.sent else ():
        count = one.keys[key.path]
        fields = " or ".join(spoken(key, named)) or "only events of the schema can carry it"
        from_ = f"{_bar(count, one.sent)}  {fields}"
        yield _Row("carries", key.path, count, share(count, one.sent), from_)
    for path, count in one.dropped.most_common():
        yield _Row("dropped", named(path), count, None, why_dropped(path))
    for text, count in lifts(one, named):
        yield _Row("to lift", "", count, None, text)


def _bar(part: int, whole: int) -> str:
    """Tenths, so that something is never drawn as nothing, nor nearly all as all."""
    full = int(_BAR * share(part, whole))
    full = max(full, 1) if part else 0
    return "█" * full + "░" * (_BAR - full)


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2))
