"""JSON Lines from a file or standard input, one bounded line at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from forwarder.cli.console import say
from forwarder.event import MAX_BYTES
from forwarder.problems import Problem, Problems

LONGEST: Final = 2 * MAX_BYTES
"""Bytes of a line that are kept: enough for every rule about size to see that it is too long."""
_CHUNK: Final = 256 << 10
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """``number`` counts from 1, blank lines too, though they are left out. ``cut``: the line goes
    on after ``value``.
    """

    number: int
    value: bytes
    cut: bool = False


class Splitter:
    """Makes lines of chunks."""

    def __init__(self) -> None:
        self._number = 0
        self._rest = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end in ``chunk``."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._keep(part)
            yield from self._line()
        self._keep(rest)

    def end(self) -> Iterator[Line]:
        """The last line, where no line break ends it."""
        if self._rest:
            yield from self._line()

    def _keep(self, part: bytes) -> None:
        room = LONGEST - len(self._rest)
        self._cut |= len(part) > room
        self._rest += part[:room]

    def _line(self) -> Iterator[Line]:
        self._number += 1
        raw, cut = bytes(self._rest), self._cut
        self._rest, self._cut = bytearray(), False
        value = raw.removeprefix(_BOM).strip() if self._number == 1 else raw.strip()
        if value:
            yield Line(self._number, value, cut)


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """The file, or standard input for ``-``. Raises ``Problems``."""
    if source == "-":
        if sys.stdin.isatty():
            say("reading events from the terminal, one a line; Ctrl-D ends")
        yield sys.stdin.buffer
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - closed below; only opening may fail here
    except OSError as error:
        rule = f"cannot be read: {error.strerror}"
        fix = "name a file of JSON Lines, or - for standard input"
        raise Problems([Problem(source, rule, fix)]) from None
    with file:
        yield file


def chunk_of(file: BinaryIO) -> bytes:
    """What can be read now; empty at the end. Waits only while there is nothing at all."""
    read1 = getattr(file, "read1", file.read)
    chunk: bytes = read1(_CHUNK)
    return chunk


def lines(file: BinaryIO) -> Iterator[Line]:
    """Every line that is not blank."""
    splitter = Splitter()
    while chunk := chunk_of(file):
        yield from splitter.feed(chunk)
    yield from splitter.end()


async def arriving(file: BinaryIO) -> AsyncIterator[list[Line]]:
    """Lines as they come: what a pipe holds now is not kept waiting for more."""
    splitter = Splitter()
    while True:
        await _readable(file)
        chunk = chunk_of(file)
        if not chunk:
            break
        yield list(splitter.feed(chunk))
    yield list(splitter.end())


async def _readable(file: BinaryIO) -> None:
    """Waits for a pipe or a terminal without blocking the loop, so that Ctrl-C is heard."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(file.fileno(), ready.set)
    except (OSError, ValueError):
        return  # a regular file is always readable
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file.fileno())
