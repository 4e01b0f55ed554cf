"""``forwarder demo``: everything on this machine."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from forwarder.sandbox.demo.play import Demo
from forwarder.sandbox.demo.view import View


def demo(
    seconds: Annotated[
        float, typer.Option(metavar="N", help="How long the shop is open.", min=1)
    ] = 30,
) -> None:
    """Broker, vendors, a shop and the worker in one process, and a sum that must balance."""
    view = View(Console(highlight=False))
    balanced = uvloop.run(Demo(view, seconds, version("conversion-forwarder")).run())
    raise typer.Exit(0 if balanced else 1)
