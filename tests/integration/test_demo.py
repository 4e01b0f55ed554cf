"""The demo, as a new user runs it."""

from __future__ import annotations

import asyncio
import subprocess

from tests.support.deployment import FORWARDER


async def test_the_demo_ends_balanced() -> None:
    process = await asyncio.create_subprocess_exec(
        *FORWARDER,
        "demo",
        "--seconds",
        "3",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    said = out.decode()
    assert process.returncode == 0, said
    assert "It balances." in said
    assert "corner-thrad" in said
    assert "Traceback" not in said
