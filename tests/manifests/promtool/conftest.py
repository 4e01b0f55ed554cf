"""This folder needs promtool. Without it it is left out, and the run says so at its end."""

from __future__ import annotations

import pytest

from tests.support.tools import demanded, find_tool

PROMTOOL = find_tool("promtool")
MISSING = (
    "no promtool found for tests/manifests/promtool: install it (Debian: apt-get install "
    "prometheus) and run make test-tools, which fails without it"
)

if PROMTOOL is None and not demanded():
    collect_ignore_glob = ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if PROMTOOL is None:
        terminalreporter.write_line(f"left out: {MISSING}", yellow=True)
