"""``forwarder validate``: which lines are no events, where, and by which rule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from forwarder.cli import lines
from forwarder.cli.console import json_line, say
from forwarder.cli.incoming import Read, incoming, times, without_settings
from forwarder.cli.options import (
    Advertiser,
    AsJson,
    Config,
    DeriveEventId,
    From,
    Lines,
    settings_of,
)
from forwarder.event import FieldError


def validate(
    file: Lines = "-",
    config: Config = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Unknown fields are wrong, too.")
    ] = False,
    from_: From = None,
    advertiser: Advertiser = None,
    derive_event_id: DeriveEventId = False,
    as_json: AsJson = False,
) -> None:
    """Check JSON Lines of events; exit 3 if any is wrong.

    Settings are only needed for the advertisers' default currencies, and with --from for whose the
    events are.
    """
    settings = None if config is None else settings_of(config)
    reading = incoming(settings, from_, advertiser, derive_event_id=derive_event_id, strict=strict)
    if settings is None:
        reading = without_settings(reading)
    now, events, bad = time.time(), 0, 0
    with lines.opened(file) as found:
        for line in lines.lines(found):
            for read in reading.read(line, now):
                events += 1
                bad += bool(read.errors)
                _report(read, as_json=as_json)
    reading.say_notes()
    say(f"{times(events)}, {bad} wrong")
    if bad:
        raise typer.Exit(3)


def _report(read: Read, *, as_json: bool) -> None:
    if read.errors:
        report_invalid(read.line, read.errors, as_json=as_json)
    for path in () if read.errors else read.dropped:
        say(f"line {read.line}: {path}: not in a form that can be used, so it is left out")


def report_invalid(number: int, errors: Sequence[FieldError], *, as_json: bool) -> None:
    """What is wrong with a line, on stdout."""
    if as_json:
        json_line(invalid(number, errors))
        return
    for error in errors:
        rule = error.rule.replace(" at line 1 column ", " at column ")  # one line is all there is
        typer.echo(f"line {number}: {error.path}: {rule}")


def invalid(number: int, errors: Sequence[FieldError]) -> dict[str, object]:
    """A line that is no event, as ``preview`` and ``validate --json`` print it."""
    told = [{"path": error.path, "rule": error.rule} for error in errors]
    return {"line": number, "outcome": "invalid", "errors": told}
