"""``forwarder dlq export``: the events behind dead letters, as lines that ``publish`` takes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from forwarder.cli.console import say
from forwarder.cli.dlq_show import Reveal, masked_event
from forwarder.cli.filters import checked, filtered, warn_of_unknown
from forwarder.cli.options import Config, settings_of
from forwarder.cli.scanning import letters, on_kafka
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.marks import Marks, place
from forwarder.deadletters.query import Filters
from forwarder.event import parsed, unframed
from forwarder.ops.words import plural
from forwarder.problems import Problem, Problems

_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")
"""Line breaks stand between the tokens of JSON only, where a space does as well."""


@filtered
def export(
    filters: Filters,
    config: Config = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write there instead of to stdout."),
    ] = None,
    reveal: Reveal = False,
) -> None:
    """Write the events of dead letters as JSON Lines, each event once, bytes as they were.

    Published again they reach every account, not only the one that failed: use forwarder replay
    for that. On stdout they are masked unless --reveal; the file of --out is whole, and only its
    owner can read it. Exit 3 if there are none, or some could not be exported since they are no
    JSON.
    """
    settings = settings_of(config)
    unknown = warn_of_unknown(checked(filters, settings), settings)
    with _opened(out) as file:
        exported = Export(file, filters.limit, whole=reveal or out is not None)
        on_kafka(settings, lambda kafka: letters(kafka, settings, filters, exported.take))
    say(f"{plural(exported.written, 'event')} exported")
    if exported.left_out:
        say(f"{plural(exported.left_out, 'dead letter')} left out: they hold no JSON object")
    if exported.written and not exported.whole:
        say("masked: name a file with --out, or add --reveal, to have them whole")
    if exported.written == 0 and exported.left_out == 0 and unknown:
        raise Problems(unknown)
    if exported.left_out or not exported.written:
        raise typer.Exit(3)


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    """The file, which only its owner can read: it holds personal data."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)  # it may have been there before
    except OSError as error:
        rule = f"{out} cannot be written: {error.strerror}"
        raise Problems([Problem("--out", rule, "name another file")]) from None
    with os.fdopen(descriptor, "wb") as file:
        yield file


class Export:
    """Writes each event once, though several accounts may have refused it. ``whole``: as it was,
    and not masked.
    """

    def __init__(self, file: BinaryIO, limit: int | None, *, whole: bool) -> None:
        self.whole = whole
        self.written = 0
        self.left_out = 0
        self._file = file
        self._limit = limit
        self._seen = Marks()

    def take(self, letter: Letter) -> bool:
        origin = place(letter.text("origin"))
        if origin is not None and not self._seen.add("", origin):
            return True
        line = one_line(letter.record.value)
        if line is None:
            self.left_out += 1
            return True
        if not self.whole:
            # orjson refuses numbers that the event may hold
            line = json.dumps(masked_event(parsed(line)), separators=(",", ":")).encode()
        self._file.write(line + b"\n")
        self.written += 1
        return self.written != self._limit


def one_line(value: bytes | None) -> bytes | None:
    """The JSON object in a record's value, on one line; ``None`` when it holds none."""
    if not value:
        return None
    try:
        found = parsed(value)
    except ValueError:
        return None
    return unframed(value).translate(_BREAKS).strip() if isinstance(found, dict) else None
