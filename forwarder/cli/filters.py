"""The filters that ``dlq`` and ``replay`` share, as options of a command."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from forwarder.cli.console import say
from forwarder.deadletters.moments import moment
from forwarder.deadletters.query import Filters, problems, unknown_accounts
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings

_MANY = {
    "account": "Of this account; as the others, may be given several times.",
    "destination": "Of accounts of this destination.",
    "reason": "With this reason, such as rejected.",
    "code": "With this code: the vendor's, or local.<rule>.",
    "advertiser": "Of this advertiser.",
    "event_name": "Of this event name, in any spelling.",
    "event_id": "Of this event.",
    "order_id": "Of this order.",
}
_TIMES = {
    "failed_since": "Failed at or after: 2h, yesterday, 2026-01-31T08:00Z.",
    "failed_until": "Failed before this time.",
    "event_since": "The event happened at or after this time.",
    "event_until": "The event happened before this time.",
}


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Gives ``command`` the filters as options in place of its parameter ``filters``.

    Times that cannot be read are ``Problems``, all at once.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [one for name, one in signature.parameters.items() if name != "filters"]
    options = _options()

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        told = {one.name: given.pop(one.name) for one in options}
        command(filters=filters_of(told, time.time()), **given)

    parameters = [*own, *options]
    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by typer
        parameters=sorted(parameters, key=lambda one: one.kind)
    )
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapped


def _options() -> list[inspect.Parameter]:
    made = [_option(name, list[str] | None, name.upper(), text) for name, text in _MANY.items()]
    made += [_option(name, str | None, "TIME", text) for name, text in _TIMES.items()]
    return [*made, _option("limit", int | None, "N", "So many at most.", min=1)]


def _option(name: str, kind: Any, metavar: str, text: str, **more: Any) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(flag, metavar=metavar, help=text, show_default=False, **more)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
    )


def filters_of(told: dict[str, Any], now: float) -> Filters:
    """Filters of what was typed. Raises ``Problems``."""
    wrong: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in told.items():
        if name in _TIMES:
            values[name] = None if value is None else _moment(name, value, now, wrong)
        elif name in _MANY:
            values[name] = tuple(value or ())
        else:
            values[name] = value
    if wrong:
        raise Problems(wrong)
    return Filters(**values)


def _moment(name: str, text: str, now: float, wrong: list[Problem]) -> float | None:
    try:
        return moment(text, now)
    except ValueError as error:
        wrong.append(Problem(f"--{name.replace('_', '-')}", f"{text} {error}"))
        return None


def time_option(option: str, text: str, now: float) -> float:
    """The time that an option of its own names. Raises ``Problems``."""
    wrong: list[Problem] = []
    at = _moment(option.removeprefix("--").replace("-", "_"), text, now, wrong)
    if at is None:
        raise Problems(wrong)
    return at


def checked(filters: Filters, settings: Settings) -> Filters:
    """The same filters. Raises ``Problems`` for those that nothing can pass."""
    wrong = problems(filters, destinations(settings))
    if wrong:
        raise Problems(wrong)
    return filters


def destinations(settings: Settings) -> dict[str, str]:
    """Destination by account."""
    return {name: account.destination for name, account in settings.accounts.items()}


def warn_of_unknown(filters: Filters, settings: Settings) -> list[Problem]:
    """Say that an account is not in the settings: dead letters may name it all the same. Returns
    what is to be told when they do not.
    """
    unknown = unknown_accounts(filters, settings.accounts)
    for problem in unknown:
        say(f"{problem.rule}; looking for dead letters that name it all the same")
    return unknown
