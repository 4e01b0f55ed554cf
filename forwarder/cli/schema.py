"""``forwarder schema``: the event's JSON Schema and the topics' AsyncAPI, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forwarder.cli.failures import Failed
from forwarder.problems import Problem
from forwarder.schema import write_schemas


def schema(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write; made if missing.")
    ] = Path("schemas"),
) -> None:
    """Write JSON Schema and AsyncAPI of the event."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = write_schemas(out)
    except OSError as error:
        rule = f"cannot be written: {error.strerror}"
        raise Failed([Problem(str(out), rule, "name a directory that you may write to")]) from None
    for path in written:
        typer.echo(str(path))
