"""The tier needs Chromium. Without one it is left out, and the run says so at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chromium import Chromium, chromium
from tests.support.tools import BROWSERS, demanded, find_tool

PROGRAM = find_tool(*BROWSERS)
MISSING = (
    "no Chromium found for tests/browser: install it (Debian: apt-get install chromium) and run "
    "make test-tools, which fails without it"
)

if PROGRAM is None and not demanded():
    collect_ignore_glob = ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if PROGRAM is None:
        terminalreporter.write_line(f"left out: {MISSING}", yellow=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    assert PROGRAM is not None, MISSING
    with chromium(PROGRAM) as started:
        yield started
