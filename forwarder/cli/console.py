"""What commands print: data to stdout, everything about it to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from forwarder.problems import Problem


def say(text: str) -> None:
    """One line about what happens, on stderr."""
    typer.echo(text, err=True)


def say_problems(problems: Iterable[Problem], kind: str = "error") -> None:
    """Every problem: its place and rule in one line, the likely fix below."""
    for problem in problems:
        say(f"{kind}: {problem.place}: {problem.rule}")
        if problem.fix:
            say(f"    {problem.fix}")


def json_line(value: object) -> None:
    """One JSON document on one line of stdout."""
    typer.echo(orjson.dumps(value).decode())


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, as wide as its content where stdout is no terminal."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*("-" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else 400
    Console(markup=False, highlight=False, width=width).print(drawn)


def progress() -> Progress:
    """A progress bar on stderr, on a terminal only."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
