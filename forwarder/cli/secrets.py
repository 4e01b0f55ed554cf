"""Accounts' credentials, for commands that use them once."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.credentials import Credential, read_credential
from forwarder.problems import Problem, SettingsProblems
from forwarder.settings import Settings


def credential_of(settings: Settings, account: str, environ: Mapping[str, str]) -> Credential:
    """Raises ``SettingsProblems`` with every secret of the account that cannot be read."""
    sources = settings.accounts[account].secrets()
    reading = read_credential(sources, 0.0, None, environ)
    if reading.credential is None:
        raise SettingsProblems(secret_problems(settings, account, environ))
    return reading.credential


def secret_problems(settings: Settings, account: str, environ: Mapping[str, str]) -> list[Problem]:
    """Secrets of the account that cannot be read now."""
    sources = settings.accounts[account].secrets()
    return [
        Problem(
            settings.place("accounts", account, problem.field), problem.rule, _fix(problem.rule)
        )
        for problem in read_credential(sources, 0.0, None, environ).problems
    ]


def _fix(rule: str) -> str:
    if "environment variable" in rule:
        return "set it where this command runs"
    return "put the secret there, readable for this user, on one line"
