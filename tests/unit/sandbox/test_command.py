"""``forwarder sandbox`` as a process: it prints settings that work, and stops when told."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forwarder.settings import load
from tests.support.broker import free_port

pytestmark = pytest.mark.timeout(60)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "forwarder", "sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_settings_that_point_at_it_until_it_is_stopped(
    stop: signal.Signals, tmp_path: Path
) -> None:
    port = free_port()
    with command("--port", str(port)) as process:
        assert process.stderr is not None
        assert f"http://127.0.0.1:{port}" in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/report") as answer:
            assert answer.status == 200
        process.send_signal(stop)
        settings, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    path = tmp_path / "settings.yaml"
    path.write_text(settings)
    accounts = load(path, {}).accounts
    assert {account.base_url for account in accounts.values()} == {
        f"http://127.0.0.1:{port}/{name}" for name in ("tiktok", "tradedesk", "thrad")
    }


def test_a_taken_port_is_told_in_one_line() -> None:
    with command("--port", "0") as first:
        assert first.stderr is not None
        port = first.stderr.readline().split("127.0.0.1:")[1].split(";")[0]
        with command("--port", port) as second:
            _, errors = second.communicate(timeout=20)
        first.terminate()
    assert second.returncode == 1
    assert port in errors
    assert "--port" in errors
    assert "Traceback" not in errors
