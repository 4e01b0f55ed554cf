"""``run``, as far as it comes without Kafka."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broker import free_port


def started(settings: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "forwarder", "run", f"--config={settings}"],
        cwd=settings.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_port_that_is_taken_is_told_once_and_leaves_nothing_open(settings: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = started(settings, FORWARDER_OPS__LISTEN=listen)
    assert ended.returncode == 1
    logged, *told = ended.stdout.splitlines() + ended.stderr.splitlines()
    assert '"action":"task_failed"' in logged
    (line,) = told
    assert line == (
        f"error: ops.listen: cannot listen on {listen}: address already in use. "
        "Stop what uses it, or set another (FORWARDER_OPS__LISTEN)"
    )


@pytest.mark.parametrize(("form", "logged"), [("console", []), ("json", ["task_failed"])])
def test_without_a_broker_it_says_which_one_it_tried(
    settings: Path, form: str, logged: list[str]
) -> None:
    broker = f"127.0.0.1:{free_port()}"
    ended = started(
        settings,
        FORWARDER_OPS__LISTEN=f"127.0.0.1:{free_port()}",
        FORWARDER_OPS__LOG_FORMAT=form,
        FORWARDER_KAFKA__BOOTSTRAP_SERVERS=broker,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    *before, error, fix = ended.stderr.splitlines()
    assert [json.loads(line)["action"] for line in before] == logged
    assert error.startswith(f"error: kafka {broker}: connecting: ConnectionRefusedError")
    assert fix == "    check kafka.bootstrap_servers, and that the brokers are up"
