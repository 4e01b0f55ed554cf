"""``forwarder run``: the worker."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Mapping
from enum import StrEnum
from importlib.metadata import version
from random import Random
from typing import Annotated, Final

import typer
import uvloop

from forwarder.cli.cluster import cluster
from forwarder.cli.failures import Failed, kafka_failure
from forwarder.cli.options import Config, settings_of
from forwarder.cli.secrets import secret_problems
from forwarder.credentials import CredentialWatch
from forwarder.destinations import DESTINATIONS
from forwarder.http.client import AiohttpClient
from forwarder.kafka.port import KafkaProblem
from forwarder.ops.logs import Log, bridge, describe, open_log
from forwarder.ops.server import CannotListen
from forwarder.problems import Problem, SettingsProblems
from forwarder.settings import Settings, credential_problems, same_credential
from forwarder.time_of_day import TimeOfDay
from forwarder.worker import Roles, Surfaces, Worker


class Role(StrEnum):
    ROUTER = "router"
    SENDER = "sender"


def run(
    config: Config = None,
    role: Annotated[
        Role | None, typer.Option(help="Run one role only. A router needs no vendor secrets.")
    ] = None,
    destination: Annotated[
        list[str] | None,
        typer.Option(help="With --role sender: only these destinations.", metavar="D"),
    ] = None,
) -> None:
    """Run the worker, both roles unless told, until SIGTERM or SIGINT."""
    settings = settings_of(config)
    roles = _roles(settings, role, destination or [])
    watch = _credentials(settings, roles, os.environ)
    uvloop.run(_serve(settings, roles, watch))


def _roles(settings: Settings, role: Role | None, chosen: list[str]) -> Roles:
    used = {account.destination for account in settings.accounts.values()}
    if not used:
        fix = "add at least one account"
        raise SettingsProblems([Problem(settings.place("accounts"), "no account is set up", fix)])
    if chosen and role is not Role.SENDER:
        fix = "add --role sender"
        raise SettingsProblems([Problem("--destination", "is for senders only", fix)])
    unknown = [name for name in chosen if name not in used]
    if unknown:
        known = f"accounts have: {', '.join(sorted(used))}"
        raise SettingsProblems(
            [Problem(f"--destination {name}", "no account has it", known) for name in unknown]
        )
    senders = frozenset() if role is Role.ROUTER else frozenset(chosen or used)
    return Roles(role is not Role.SENDER, senders)


def _credentials(settings: Settings, roles: Roles, environ: Mapping[str, str]) -> CredentialWatch:
    """The credentials of the accounts that this process sends for, read once; a router has none."""
    mine = [n for n, a in settings.accounts.items() if a.destination in roles.senders]
    watch = CredentialWatch(
        {name: settings.accounts[name].secrets() for name in mine},
        environ,
        lambda credentials: same_credential(settings, credentials, DESTINATIONS),
    )
    watch.check(time.time())
    problems = [p for name in mine for p in secret_problems(settings, name, environ)]
    problems += credential_problems(settings, watch.credentials(), DESTINATIONS)
    if problems:
        raise SettingsProblems(problems)
    return watch


GARBAGE: Final = (50_000, 20, 50)
"""Events are freed as soon as they are done with; nearly nothing is left for the collector, whose
looking at whatever waits cost a tenth of the CPU at the default thresholds."""


async def _serve(settings: Settings, roles: Roles, watch: CredentialWatch) -> None:
    gc.collect()
    gc.freeze()  # what is there now stays
    gc.set_threshold(*GARBAGE)
    log = open_log(settings.ops.log_level, settings.ops.log_format, time.monotonic)
    unbridge = bridge(log, when=lambda: log.spoke)  # a start that fails tells why itself
    surfaces = Surfaces(
        kafka=cluster(settings),
        http=AiohttpClient(),
        credentials=watch,
        log=log,
        now=TimeOfDay(time.time, _steady),
        clock=_steady,
        random=Random(),  # noqa: S311 - jitter, no secret
    )
    worker = Worker(settings, roles, surfaces, version("conversion-forwarder"))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, worker.stop)
    try:
        await worker.run()
    except (KafkaProblem, CannotListen, OSError) as error:
        raise _told(error, log, settings) from None
    finally:
        log.flush(all_held=True)
        unbridge()


def _steady() -> float:
    """Seconds that only grow, also while the machine sleeps: a lease must end meanwhile."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _told(error: Exception, log: Log, settings: Settings) -> Failed:
    if not log.readable:  # else the same stands right below, for the same eyes
        log.error("task_failed", **describe(error))
    if isinstance(error, KafkaProblem):
        return kafka_failure(error, f"kafka {settings.kafka.bootstrap_servers}")
    place, colon, rule = str(error).partition(": ")
    if isinstance(error, CannotListen) and colon:
        return Failed([Problem(place, rule)])
    return Failed([Problem("run", str(error))])
