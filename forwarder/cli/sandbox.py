"""``forwarder sandbox``: the simulated vendors as a process of their own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Annotated

import typer

from forwarder.cli.failures import Failed
from forwarder.problems import Problem
from forwarder.sandbox.server import Sandbox


def sandbox(
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", help="Port to listen on; 0 takes a free one.", min=0, max=65535
        ),
    ] = 8900,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    keep: Annotated[
        int, typer.Option(metavar="N", help="Events that /_sandbox/received remembers.", min=0)
    ] = 200_000,
) -> None:
    """Run the simulated vendors, and print settings that point at them."""
    asyncio.run(_serve(Sandbox(host, port, keep=keep)))


async def _serve(server: Sandbox) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C still interrupts
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await server.start()
    except OSError as error:
        where = f"{server.host}:{server.port}"
        raise Failed(
            [Problem(where, error.strerror or str(error), "choose another --port")]
        ) from None
    try:
        typer.echo(server.settings)
        typer.echo(
            f"the sandbox listens on {server.url}; ask it at {server.url}/_sandbox", err=True
        )
        await stop.wait()
    finally:
        await server.stop()
