"""``forwarder validate``: which lines are no events, where, and by which rule."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from forwarder.cli import lines
from forwarder.cli.console import json_line, say
from forwarder.cli.options import AsJson, Config, Lines, settings_of
from forwarder.event import (
    AdvertiserDefaults,
    ConversionEvent,
    FieldError,
    InvalidEvent,
    decode,
)
from forwarder.settings import advertiser_defaults


class Checked(NamedTuple):
    """A line's event, if it is one, and what is wrong with it."""

    event: ConversionEvent | None
    errors: Sequence[FieldError]


def checked(
    value: bytes, advertisers: Mapping[str, AdvertiserDefaults], now: float, *, strict: bool
) -> Checked:
    """``strict``: a field that the schema does not know is wrong as well."""
    try:
        event = decode(value, advertisers, now)
    except InvalidEvent as invalid:
        return Checked(None, invalid.errors)
    unknown = event.unknown_fields() if strict else ()
    return Checked(event, [FieldError(path, "unknown field") for path in unknown])


def validate(
    file: Lines = "-",
    config: Config = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Unknown fields are wrong, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check JSON Lines of events; exit 3 if any is wrong.

    Settings are only needed for the advertisers' default currencies.
    """
    advertisers = _advertisers(config)
    now, events, bad = time.time(), 0, 0
    with lines.opened(file) as found:
        for line in lines.lines(found):
            events += 1
            result = checked(line.value, advertisers, now, strict=strict)
            bad += bool(result.errors)
            _report(line.number, result, as_json=as_json)
    say(f"{events} events, {bad} wrong")
    if bad:
        raise typer.Exit(3)


def _advertisers(config: Path | None) -> Mapping[str, AdvertiserDefaults]:
    return {} if config is None else advertiser_defaults(settings_of(config))


def _report(number: int, result: Checked, *, as_json: bool) -> None:
    if result.errors:
        report_invalid(number, result.errors, as_json=as_json)
    elif result.event is not None:
        for path in result.event.dropped:
            say(f"line {number}: {path}: not in a form that can be used, so it is left out")


def report_invalid(number: int, errors: Sequence[FieldError], *, as_json: bool) -> None:
    """What is wrong with a line, on stdout."""
    if as_json:
        json_line(invalid(number, errors))
        return
    for error in errors:
        typer.echo(f"line {number}: {error.path}: {error.rule}")


def invalid(number: int, errors: Sequence[FieldError]) -> dict[str, object]:
    """A line that is no event, as ``preview`` and ``validate --json`` print it."""
    told = [{"path": error.path, "rule": error.rule} for error in errors]
    return {"line": number, "outcome": "invalid", "errors": told}
