"""``forwarder check``: everything that can be known before the worker runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

import typer

from forwarder.cli.check_online import Findings, online_findings
from forwarder.cli.console import json_line, out, say, say_problems, table
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.rates import loads, rates
from forwarder.cli.secrets import credential_of, secret_problems
from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.names import STANDARD, canonical, is_standard
from forwarder.problems import Problem, Problems, SettingsProblems
from forwarder.settings import Settings, UnusableSettings, credential_problems

_TEST_CODE: Final = "test_event_code"
_ALIKE: Final = 0.8
"""From this likeness on (of 1), a name may be a slip of another one."""


def check(
    config: Config = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the brokers and vendors, too.")
    ] = False,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, metavar="N", help="Replicas that share the work.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Check settings and secrets, and print the rate that each account can reach.

    Exit 2 for wrong settings or secrets, 1 when brokers or vendors could not be asked, 3 for topics
    that are not as they must be and for what is merely suspicious.
    """
    settings = _settings(config, as_json=as_json)
    wrong, credentials = _secrets(settings, os.environ)
    wrong += credential_problems(settings, credentials, DESTINATIONS)
    found = online_findings(settings, credentials) if online else Findings()
    wrong += found.wrong
    warnings = [*_warnings(settings), *found.warnings]
    problems = [*wrong, *found.failed, *found.drift]
    if as_json:
        json_line(_as_json(settings, problems, warnings, replicas))
    else:
        if not wrong:
            _print(settings, replicas)
        say_problems(warnings, "warning")
        say_problems(problems)
        if not problems and not warnings:
            out(f"\nNothing is wrong: {_examined(settings, online=online)}.")
    if problems or warnings:
        raise typer.Exit(2 if wrong else 1 if found.failed else 3)


def _settings(config: Path | None, *, as_json: bool) -> Settings:
    try:
        return settings_of(config)
    except SettingsProblems as wrong:
        problems = list(wrong.problems)
        if isinstance(wrong, UnusableSettings):
            problems += _secrets(wrong.readable, os.environ)[0]
        if as_json:
            json_line({"problems": [problem._asdict() for problem in problems]})
        raise SettingsProblems(problems) from None


def _secrets(
    settings: Settings, environ: Mapping[str, str]
) -> tuple[list[Problem], dict[str, Credential]]:
    problems: list[Problem] = []
    credentials: dict[str, Credential] = {}
    for name in settings.accounts:
        try:
            credentials[name] = credential_of(settings, name, environ)
        except Problems:
            problems += secret_problems(settings, name, environ)
    return problems, credentials


def _warnings(settings: Settings) -> list[Problem]:
    found: list[Problem] = []
    if not settings.accounts:
        rule = "no account is defined, so nothing is sent"
        found.append(Problem(settings.place("accounts"), rule, "add one under accounts"))
    delivery = settings.delivery
    if delivery.request_timeout > delivery.session_timeout / 2:
        place = settings.place("delivery", "request_timeout")
        rule = f"{delivery.request_timeout:g} s is more than half of the session time-out"
        fix = f"at most {delivery.session_timeout / 2:g}s, or a longer session_timeout"
        found.append(Problem(place, rule, fix))
    for name, account in settings.accounts.items():
        if getattr(account, _TEST_CODE, None) is not None:
            place = settings.place("accounts", name, _TEST_CODE)
            rule = "is left on: the vendor takes these events for tests"
            found.append(Problem(place, rule, "remove it before going live"))
        found += _slips(settings, name)
    return found


def _slips(settings: Settings, account: str) -> Iterator[Problem]:
    """Advertisers and events that look like slips: nothing would ever come for them."""
    own = settings.accounts[account]
    for advertiser in own.advertisers:
        meant = _meant(advertiser, settings.advertisers)
        if meant:
            rule = f"{advertiser} is not under advertisers"
            yield Problem(settings.place("accounts", account, "advertisers"), rule, meant)
    for key, names in (("only", own.events.only), ("except", own.events.except_)):
        for name in names:
            meant = None if is_standard(name) else _meant(canonical(name), STANDARD)
            if meant:
                rule = f"{name} is no standard event"
                yield Problem(settings.place("accounts", account, "events", key), rule, meant)


def _meant(name: str, known: Iterable[str]) -> str | None:
    """Only letters are slips: ``shop-2`` beside ``shop-1`` is meant."""
    among = [one for one in known if one != "*" and _digits(one) == _digits(name)]
    close = [] if name in among else get_close_matches(name, among, n=1, cutoff=_ALIKE)
    return f"did you mean {close[0]}?" if close else None


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))


def _print(settings: Settings, replicas: int) -> None:
    found = rates(settings)
    if not found:
        return
    rows = [
        (
            name,
            settings.accounts[name].destination,
            None if settings.accounts[name].state == "active" else settings.accounts[name].state,
            rate.unit if rate.unit != name else None,
            _per_second(rate.share),
            _per_second(rate.alone) if rate.alone > rate.share else None,
            _per_second(rate.events),
            rate.why,
        )
        for name, rate in found.items()
    ]
    columns = (
        "account",
        "destination",
        "state",
        "unit",
        "requests/s",
        "alone",
        "events/s",
        "limit",
    )
    table("Rates that accounts can keep up", columns, rows)
    out("")
    table(
        f"Senders over {replicas} replica{'s' if replicas > 1 else ''}",
        ("destination", "accounts", "units", "units a replica", "requests/s a replica", "in all"),
        [
            (
                load.destination,
                load.accounts,
                load.units,
                load.units_a_replica,
                _per_second(load.busiest),
                _per_second(load.total),
            )
            for load in loads(settings, replicas)
        ],
    )
    most = max(load.units for load in loads(settings, replicas))
    if replicas > most:
        say(f"a unit has one owner: {replicas} replicas send no faster than {most}")


def _per_second(rate: float) -> str:
    """Three digits say all that is worth knowing of a rate."""
    digits = 3 if rate < 1 else 2 if rate < 10 else 1 if rate < 100 else 0  # noqa: PLR2004
    told = f"{rate:,.{digits}f}"
    return told.rstrip("0").rstrip(".") if digits else told


def _examined(settings: Settings, *, online: bool) -> str:
    asked = ", brokers, topics, vendors" if online else "; --online asks brokers and vendors, too"
    number = len(settings.accounts)
    return f"settings and secrets of {number} account{'' if number == 1 else 's'}{asked}"


def _as_json(
    settings: Settings, problems: list[Problem], warnings: list[Problem], replicas: int
) -> dict[str, object]:
    accounts = {
        name: {
            "destination": settings.accounts[name].destination,
            "state": settings.accounts[name].state,
            **asdict(rate),
        }
        for name, rate in rates(settings).items()
    }
    return {
        "problems": [problem._asdict() for problem in problems],
        "warnings": [warning._asdict() for warning in warnings],
        "accounts": accounts,
        "replicas": replicas,
        "senders": [asdict(load) for load in loads(settings, replicas)],
    }
