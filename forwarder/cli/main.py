"""The program ``forwarder``: its commands, and how every way to fail is told.

Exit codes: 0 done; 1 failed at run time; 2 wrong usage or settings; 3 done, but something was
found; 130 interrupted; 143 terminated before it could stop in order.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Final

import typer

from forwarder.cli import (
    check,
    demo,
    dlq,
    init,
    preview,
    publish,
    replay,
    run,
    sandbox,
    schema,
    send,
    status,
    topics,
    trace,
    validate,
)
from forwarder.cli.console import say, say_problems
from forwarder.cli.failures import Failed, kafka_failure
from forwarder.kafka.port import KafkaProblem
from forwarder.problems import Problem, Problems

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_REPORT: Final = "a bug: please report it with the output of the same command and --debug"

app = typer.Typer(
    name="forwarder",
    help="Forward first-party conversion events from Kafka to ad platforms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: Final = (
    ("init", init.init, "Write settings, secrets and a sample for a start."),
    ("demo", demo.demo, "Play the whole system in one process."),
    ("sandbox", sandbox.sandbox, "Run simulated vendors."),
    ("validate", validate.validate, "Tell what is wrong with events in a file."),
    ("preview", preview.preview, "Show the requests that events become."),
    ("send", send.send, "Send events to one account, past Kafka."),
    ("check", check.check, "Check settings, secrets and what can be reached."),
    ("run", run.run, "Run the worker."),
    ("publish", publish.publish, "Publish events of a file to Kafka."),
    ("status", status.status, "Tell what waits at each account, and why."),
    ("trace", trace.trace, "Tell what became of one event."),
    ("schema", schema.schema, "Write JSON Schema and AsyncAPI of the event."),
)
"""In the order of use, in words that fit beside the name."""
for _name, _command, _short in _COMMANDS:
    app.command(_name, short_help=_short)(_command)
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
app.add_typer(replay.app, name="replay", short_help="Send dead letters or past events again.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("conversion-forwarder"))
        raise typer.Exit


@app.callback()
def program(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of bugs.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Forward first-party conversion events from Kafka to ad platforms."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No traceback for anything expected."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    # its own lines would stand beside ours; run gives them a handler that logs them
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return _run(arguments)
    except Problems as problems:
        say_problems(problems.problems)
        return 1 if isinstance(problems, Failed) else 2
    except KafkaProblem as problem:
        say_problems(kafka_failure(problem).problems)
        return 1
    except typer.TyperException as error:
        return _misused(error, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # noqa: BLE001 - the last net: a bug is told in one line, too
        return _unexpected(error, arguments)


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _leave_unwritten()
        rule = f"cannot be written: {error.strerror}"
        say_problems([Problem("the output", rule, "free some space, or write it elsewhere")])
        return 1
    if "--debug" in arguments:
        traceback.print_exc()
    say_problems([Problem(_where(error), f"unexpected {type(error).__name__}", _REPORT)])
    return 1


def _open_streams() -> None:
    """Streams that the shell has closed hold nothing, and take everything."""
    # they stay open for as long as the process lives
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def _leave_unwritten() -> None:
    """What still lies in the buffer would fail once more when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    # --debug may stand anywhere: it is wanted when a command has just failed
    command = typer.main.get_command(app)
    kept = [argument for argument in arguments if argument != "--debug"]
    code = command.main(args=kept, prog_name="forwarder", standalone_mode=False)
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _misused(error: typer.TyperException, arguments: Sequence[str]) -> int:
    command = " ".join(["forwarder", *_commands(arguments)])
    said = error.format_message()
    if said.startswith("Usage:"):  # a group without a command: its help is all there is to say
        say(said)
        return 2
    rule = " ".join(said.split()).rstrip(".")
    say_problems([Problem(command, rule[:1].lower() + rule[1:], f"see {command} --help")])
    return 2


def _commands(arguments: Sequence[str]) -> list[str]:
    """The names of commands at the front of the arguments; nothing that a user may have typed."""
    found: list[str] = []
    for argument in arguments:
        known = _names(found[0]) if found else _names()
        if argument not in known:
            break
        found.append(argument)
    return found


def _names(group: str | None = None) -> list[str]:
    """Names of all commands, or of those of one group."""
    groups = {one.name: one.typer_instance for one in app.registered_groups}
    if group is None:
        names = [*(command.name for command in app.registered_commands), *groups]
    else:
        inner = groups.get(group)
        names = [] if inner is None else [command.name for command in inner.registered_commands]
    return [name for name in names if isinstance(name, str)]


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "forwarder" in frame.filename] or list(frames)
    last = ours[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"
