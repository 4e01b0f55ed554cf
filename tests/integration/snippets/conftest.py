"""Each language's snippet needs its runtime. One that is not there is left out, and the run says
so at its end.
"""

from __future__ import annotations

import pytest

from tests.integration.snippets.runtimes import RUNTIMES, missing
from tests.support.tools import demanded

LEFT_OUT = {} if demanded() else {name: missing(name) for name in RUNTIMES if missing(name)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "language" in metafunc.fixturenames:
        tried = [name for name in RUNTIMES if name not in LEFT_OUT]
        pairs = [(name, kind) for name in tried for kind in RUNTIMES[name].kinds]
        metafunc.parametrize(("language", "kind"), pairs)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, programs in LEFT_OUT.items():
        lacking = " and ".join(programs)
        text = f"left out: the {name} snippet, since there is no {lacking} on this machine"
        terminalreporter.write_line(text, yellow=True)
