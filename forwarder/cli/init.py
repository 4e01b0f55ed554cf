"""``forwarder init``: settings, secrets and snippets for a start."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from forwarder.cli.console import out, say
from forwarder.cli.failures import Failed
from forwarder.cli.init_answers import Answers, Flags, answers
from forwarder.cli.init_files import SAMPLE, SETTINGS, File, all_files, secret_path
from forwarder.destinations import DESTINATIONS
from forwarder.problems import Problem, Problems, SettingsProblems
from forwarder.settings import load
from forwarder.sources import Format

_PRIVATE_DIRECTORY: Final = 0o700
_PRIVATE_FILE: Final = 0o600


def init(
    destination: Annotated[
        list[str] | None,
        typer.Option("--destination", metavar="D", help="A vendor; may be given several times."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="D.SETTING=VALUE", help="An id at a vendor. No secrets."),
    ] = None,
    advertiser: Annotated[
        str | None, typer.Option("--advertiser", metavar="NAME", help="Whose events they are.")
    ] = None,
    from_: Annotated[
        Format | None,
        typer.Option("--from", help="What your events are.", show_default=False),
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Of values without one, such as USD.")
    ] = None,
    phone_region: Annotated[
        str | None, typer.Option("--phone-region", help="Of numbers without a prefix, such as US.")
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="Kafka.")
    ] = None,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where to write; made if missing.")
    ] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take examples.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are there already.")
    ] = False,
) -> None:
    """Write settings, secrets, a sample event and publishing snippets for a start."""
    flags = Flags(
        from_, advertiser, currency, phone_region, bootstrap_servers, destination or (),
        settings or (),
    )  # fmt: skip
    found = answers(flags, _default if yes or not sys.stdin.isatty() else _asked)
    written = all_files(found, time.time())
    _must_load(written)
    kept = _write(directory, written, force=force)
    _tell(directory, found, [file for file in written if file.path not in kept])


def _asked(text: str, default: str, hidden: bool) -> str:
    answer: str = typer.prompt(
        text, default=default, hide_input=hidden, show_default=bool(default), err=True
    )
    return answer


def _default(_: str, default: str, __: bool) -> str:
    return default


def _must_load(written: Sequence[File]) -> None:
    """Nothing is written that could not be read again. Raises ``SettingsProblems``."""
    text = next(file.text for file in written if file.path == SETTINGS)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / SETTINGS
        path.write_text(text, "utf-8")
        try:
            load(path, {})
        except SettingsProblems as wrong:
            told = [p._replace(place=p.place.replace(f"{scratch}/", "")) for p in wrong.problems]
            raise SettingsProblems(told) from None


# -- writing --------------------------------------------------------------------------------------
def _write(directory: Path, written: Sequence[File], *, force: bool) -> frozenset[str]:
    """Returns what was left as it is: secrets that are there and that nobody gave anew."""
    kept = frozenset(
        file.path for file in written if file.secret and not file.text and _filled(directory, file)
    )
    todo = [file for file in written if file.path not in kept]
    there = [] if force else [file.path for file in todo if (directory / file.path).exists()]
    if there:
        rule = "is there already, so nothing was written"
        fix = "add --force to overwrite, or choose another --dir"
        raise Problems([Problem(str(directory / path), rule, fix) for path in there])
    try:
        for file in todo:
            _put(directory / file.path, file)
    except OSError as error:
        rule = f"cannot be written: {error.strerror}"
        fix = "name a directory that you may write to"
        raise Failed([Problem(str(error.filename or directory), rule, fix)]) from None
    return kept


def _filled(directory: Path, file: File) -> bool:
    path = directory / file.path
    return path.is_file() and path.stat().st_size > 0


def _put(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not file.secret:
        path.write_text(file.text, "utf-8")
        return
    path.parent.chmod(_PRIVATE_DIRECTORY)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        path.chmod(_PRIVATE_FILE)  # before the first byte, also of a file that was there
        opened.write(file.text)


# -- telling --------------------------------------------------------------------------------------
def _tell(directory: Path, found: Answers, written: Sequence[File]) -> None:
    for file in written:
        out(str(directory / file.path))
    for line in _open(directory, found):
        say(line)
    settings = shlex.quote(str(directory / SETTINGS))
    sample = shlex.quote(str(directory / SAMPLE))
    say("next:")
    say(f"  forwarder preview {sample} --reveal --config {settings}")
    say(f"  forwarder topics create --config {settings}")
    say(f"  forwarder run --config {settings}")


def _open(directory: Path, found: Answers) -> Iterator[str]:
    """What is left to fill in before anything can be sent."""
    for destination, values in found.values.items():
        for one in DESTINATIONS[destination].asks:
            value = values[one.key]
            path = directory / secret_path(found, destination, one.key)
            if value.secret and not value.given and not path.stat().st_size:
                yield f"to fill in: {path}: {one.what}"
            elif not value.secret and not value.given:
                place = f"accounts.{found.account(destination)}.{one.key}"
                yield f"to fill in: {directory / SETTINGS} {place}: {one.what}"
