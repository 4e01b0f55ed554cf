"""How the program ends when something is wrong, whatever the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forwarder.__main__ import main as start
from forwarder.cli import validate
from forwarder.kafka.port import Refused
from tests.unit.cli.conftest import Run


def test_without_a_command_its_help_is_shown(forwarder: Run) -> None:
    for arguments in ([], ["topics"]):
        ended = forwarder(*arguments)
        assert ended.code == 2
        assert "Usage: forwarder" in ended.err
        assert "error" not in ended.err


class InterruptsWhoLoads:
    """A finder of modules that meets Ctrl-C at one of them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, *_: object) -> None:
        if name == self._name:
            raise KeyboardInterrupt


def test_an_interrupt_while_it_loads_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "forwarder.cli.main"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [InterruptsWhoLoads(name), *sys.meta_path])
    usual = signal.getsignal(signal.SIGTERM)
    assert start() == 130
    signal.signal(signal.SIGTERM, usual)
    assert capsys.readouterr() == ("", "")


LOADS_FOR_LONG = """
import sys, time

class Loads:
    def find_spec(self, name, *_):
        if name == "forwarder.cli.main":
            print("loads", flush=True)
            time.sleep(30)

from forwarder.__main__ import main
sys.meta_path.insert(0, Loads())
sys.exit(main())
"""


def test_it_is_terminated_while_it_loads_also_where_it_is_the_first_process() -> None:
    """Such a process gets no signal that it has not asked for."""
    with subprocess.Popen(
        [sys.executable, "-c", LOADS_FOR_LONG], env=HERE, stdout=subprocess.PIPE
    ) as loading:
        assert loading.stdout is not None
        assert loading.stdout.readline() == b"loads\n"
        loading.terminate()
        assert loading.wait(10) == 143


def test_help_and_version(forwarder: Run) -> None:
    assert forwarder("--help").code == 0
    assert forwarder("preview", "-h").code == 0
    assert forwarder("--version").out == "0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "place", "rule"),
    [
        (["validat"], "forwarder", "no such command 'validat'. Did you mean 'validate'?"),
        (["validate", "--strit"], "forwarder validate", "no such option: --strit"),
        (["send"], "forwarder send", "missing option '--account'"),
        (
            ["check", "--replicas", "0"],
            "forwarder check",
            "Input should be greater than or equal to 1",
        ),
        (
            ["topics", "create", "--partitions", "x"],
            "forwarder topics create",
            "Input should be a valid integer",
        ),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    forwarder: Run, arguments: list[str], place: str, rule: str
) -> None:
    ended = forwarder(*arguments)
    assert ended.code == 2
    told, fix = ended.err.splitlines()
    assert told.startswith(f"error: {place}: ")
    assert rule in told
    assert fix == f"    see {place} --help"


def test_settings_must_be_named(forwarder: Run) -> None:
    for command in (
        ["check"],
        ["preview"],
        ["publish"],
        ["topics", "diff"],
        ["send", "--account=a"],
    ):
        ended = forwarder(*command)
        assert ended.code == 2
        assert ended.err == (
            "error: --config: no settings are named\n"
            "    give --config FILE-OR-DIR, or set FORWARDER_CONFIG\n"
        )


def test_settings_may_be_named_by_the_environment(
    forwarder: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDER_CONFIG", str(settings))
    assert forwarder("check").code == 0


def test_every_problem_of_the_settings_is_told(forwarder: Run, home: Path) -> None:
    (home / "settings.yaml").write_text("kafka:\n  group_ip: x\nunruoted: skip\n")
    ended = forwarder("check", "--config", "settings.yaml")
    assert ended.code == 2
    assert ended.err == (
        "error: settings.yaml:2 kafka.group_ip: unknown key\n"
        "    did you mean group_id?\n"
        "error: settings.yaml:3 unruoted: unknown key\n"
        "    did you mean unrouted?\n"
    )


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(validate, "incoming", failing)


def test_a_bug_is_one_line_and_a_traceback_only_with_debug(
    forwarder: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(ZeroDivisionError("hush"), monkeypatch)
    ended = forwarder("validate", stdin=b"{}\n")
    assert ended.code == 1
    told, fix = ended.err.splitlines()
    assert told.startswith("error: ")
    assert told.endswith(": unexpected ZeroDivisionError")
    assert "please report it" in fix
    assert "hush" not in ended.err
    assert "Traceback" in forwarder("validate", "--debug", stdin=b"{}\n").err


def test_what_kafka_refuses_is_no_bug(forwarder: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(Refused("not authorised"), monkeypatch)
    ended = forwarder("validate", stdin=b"{}\n")
    assert ended.code == 1
    assert ended.err == (
        "error: kafka: not authorised\n"
        "    create the topics with forwarder topics create, or grant this principal access\n"
    )


def test_an_interrupt_is_told_by_the_exit_code(
    forwarder: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    assert forwarder("validate", stdin=b"{}\n").code == 130


PROGRAM = [sys.executable, "-m", "forwarder"]
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


def test_a_full_disk_is_no_bug(home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*PROGRAM, "schema"],
            cwd=home,
            env=HERE,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "error: the output: cannot be written: No space left on device\n"
        "    free some space, or write it elsewhere\n"
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_an_empty_one(home: Path, closed: str) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *PROGRAM, "validate", "-"],
        cwd=home,
        env=HERE,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    assert "bug" not in ended.stderr


@pytest.mark.parametrize("command", ["validate", "send"])
def test_an_interrupt_ends_the_wait_for_standard_input(
    settings: Path, command: str, tmp_path: Path
) -> None:
    arguments = [command, f"--config={settings}"]
    arguments += ["--account=acme-pixel"] if command == "send" else []
    started = tmp_path / "started"
    with (
        started.open("wb") as output,
        subprocess.Popen(
            [*PROGRAM, *arguments, "-"],
            cwd=tmp_path,
            env=HERE,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as running,
    ):
        assert running.stdin is not None
        running.stdin.write(b"{}\n")
        running.stdin.flush()
        while not started.stat().st_size and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130


def test_python_m_forwarder_is_the_program(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "forwarder", "validate", "none.jsonl"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "error: none.jsonl: cannot be read: No such file or directory\n"
        "    name a file of JSON Lines, or - for standard input\n"
    )
