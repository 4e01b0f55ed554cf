"""Options that several commands share, and the settings behind ``--config``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from forwarder.problems import Problem, SettingsProblems
from forwarder.settings import Settings, load
from forwarder.sources import Format

ENVIRONMENT: Final = "FORWARDER_CONFIG"

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar=ENVIRONMENT,
        metavar="FILE-OR-DIR",
        help="Settings: a YAML file, or a directory of *.yaml.",
        show_default=False,
    ),
]
Lines = Annotated[
    str,
    typer.Argument(metavar="FILE", help="JSON Lines of events; - is standard input."),
]
From = Annotated[
    Format | None,
    typer.Option(
        "--from",
        help="What the lines hold; unless told, what kafka.events_format says of the topic.",
        show_default=False,
    ),
]
Advertiser = Annotated[
    str | None,
    typer.Option(
        "--advertiser", metavar="NAME", help="With --from: of events that name no advertiser."
    ),
]
DeriveEventId = Annotated[
    bool,
    typer.Option(
        "--derive-event-id",
        help="With --from: make an id for events without one. Never beside a browser pixel.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def settings_of(config: Path | None) -> Settings:
    """The settings that ``--config`` or the environment names. Raises ``SettingsProblems``."""
    if config is None:
        fix = f"give --config FILE-OR-DIR, or set {ENVIRONMENT}"
        raise SettingsProblems([Problem("--config", "no settings are named", fix)])
    return load(config, os.environ)
