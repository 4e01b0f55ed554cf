"""Compiles the core with mypyc where ``FORWARDER_COMPILE`` is set: the image and ``make bench`` do.

The core is what every event passes and what waits for nothing. Compiled or not it is the same code,
and every test can be run on both (``make test``). See docs/decisions/006-compiled-core.md.
"""

import os
from pathlib import Path

from setuptools import setup

CORE = (
    "event/decoding.py",
    "event/framing.py",
    "normal.py",
    "money.py",
    "routing.py",
    "plan.py",
    "destinations/values.py",
    "destinations/event_names.py",
    "destinations/answers.py",
    "destinations/*_answers.py",
    "destinations/*_event.py",
    "kafka/records.py",
    "lane/*.py",
    "ops/report.py",
)
WAITS = {"budget.py", "__init__.py"}
"""Coroutines are no faster compiled."""


def core() -> list[str]:
    found = [path for pattern in CORE for path in Path("forwarder").glob(pattern)]
    return [str(path) for path in sorted(found) if path.name not in WAITS]


def extensions() -> list[object]:
    if not os.environ.get("FORWARDER_COMPILE"):
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - only there is it needed

    return mypycify(core(), opt_level="2", debug_level="0", group_name="forwarder")


setup(ext_modules=extensions())
