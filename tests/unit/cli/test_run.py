"""``run``, as far as it comes without Kafka."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def test_a_port_that_is_taken_is_told_once_and_leaves_nothing_open(settings: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-m", "forwarder", "run", f"--config={settings}"],
            cwd=settings.parent,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[3]),
                "FORWARDER_OPS__LISTEN": listen,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    logged, *told = ended.stdout.splitlines() + ended.stderr.splitlines()
    assert '"action":"task_failed"' in logged
    (line,) = told
    assert line == (
        f"error: ops.listen: cannot listen on {listen}: address already in use. "
        "Stop what uses it, or set another (FORWARDER_OPS__LISTEN)"
    )
