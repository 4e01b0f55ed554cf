"""What commands print: data to stdout, everything about it to stderr."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from forwarder.problems import Problem

_NUMBER: Final = re.compile(r"-|[\d.,]+%?")
_PADDING: Final = re.compile(r" +((\x1b\[[\d;]*m)*)$")
_ROOM: Final = 16
"""Characters of a line that are left to the last column, the only one that is folded."""


def say(text: str) -> None:
    """One line about what happens, on stderr."""
    _write(text, err=True)


def say_problems(problems: Iterable[Problem], kind: str = "error") -> None:
    """Every problem: its place and rule in one line, the likely fix below; once, where the next
    ones have the same.
    """
    found = list(problems)
    for number, problem in enumerate(found, start=1):
        say(f"{kind}: {problem.place}: {problem.rule}")
        again = number < len(found) and found[number].fix == problem.fix
        if problem.fix and not again:
            say(f"    {problem.fix}")


def out(text: str) -> None:
    """Text on stdout."""
    _write(text, err=False)


def json_line(value: object) -> None:
    """One JSON document on one line of stdout."""
    out(orjson.dumps(value).decode())


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout without the columns that say nothing. The last column is folded between
    words to fit a terminal. Where that is not enough, each row becomes a sentence of its own.
    """
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    telling = [n for n in range(len(columns)) if not cells or any(row[n] != "-" for row in cells)]
    kept = [[row[n] for n in telling] for row in [list(columns), *cells]]
    drawn = _drawn(title, kept)
    console = Console(markup=False, highlight=False)
    wanted = Measurement.get(console, console.options.update(max_width=10_000), drawn)
    if not sys.stdout.isatty():
        console.width = wanted.maximum
    elif wanted.minimum > console.width:
        out("\n".join([title, *(_flowing(kept[0], row, console.width) for row in kept[1:])]))
        return
    with console.capture() as captured:
        console.print(drawn)
    out("\n".join(_PADDING.sub(r"\1", line) for line in captured.get().splitlines()))


def _drawn(title: str, rows: Sequence[Sequence[str]]) -> Table:
    """The first of the ``rows`` are the headings."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
    columns = list(zip(*rows, strict=True))
    for heading, *texts in columns:
        longest = max(map(cell_len, [heading, *texts]))
        last = len(drawn.columns) == len(columns) - 1
        drawn.add_column(
            heading,
            justify="right" if all(map(_NUMBER.fullmatch, texts)) else "left",
            min_width=min(longest, _ROOM) if last else longest,
            no_wrap=not last,
            overflow="fold",
        )
    for row in rows[1:]:
        drawn.add_row(*row)
    return drawn


def _flowing(headings: Sequence[str], row: Sequence[str], width: int) -> str:
    first, *others = zip(headings, row, strict=True)
    named = [f"{heading} {cell}" for heading, cell in others if cell != "-"]
    return textwrap.fill(
        f"{first[1]}: {', '.join(named)}",
        width,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


class _Bar(Progress):
    """Knows that it is shown, so that lines are written above it and not into it."""

    shown: _Bar | None = None

    def start(self) -> None:
        _Bar.shown = self
        super().start()

    def stop(self) -> None:
        super().stop()
        _Bar.shown = None


def progress() -> Progress:
    """A progress bar on stderr, on a terminal only."""
    return _Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _write(text: str, *, err: bool) -> None:
    bar = _Bar.shown
    if bar is None or bar.disable or not (err or sys.stdout.isatty()):
        typer.echo(text, err=err)
        return
    bar.console.print(Text.from_ansi(text), soft_wrap=True)
