"""The rate that each account can reach, and what limits it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from forwarder.destinations.settings import AccountSettings, BudgetSettings
from forwarder.settings import Settings, named_budgets, units


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second that an account can keep up, ``alone`` and in its ``share`` when all
    accounts of its budgets are busy. ``why``: the budget that limits it.
    """

    account: str
    unit: str
    alone: float
    share: float
    events: float
    why: str


@dataclass(frozen=True, slots=True)
class Load:
    """One destination's senders over a number of replicas. Rates: requests per second."""

    destination: str
    accounts: int
    units: int
    units_a_replica: int
    busiest: float
    total: float


def rates(settings: Settings) -> dict[str, Rate]:
    """By account. Replicas change nothing here: an account has one owner, and the owner has all
    of its budgets.
    """
    of = units(settings)
    return {name: _rate(settings, name, of[name]) for name in settings.accounts}


def loads(settings: Settings, replicas: int) -> list[Load]:
    """By destination: how many units a replica gets at most, and what they send together."""
    found = rates(settings)
    by_destination: dict[str, dict[str, float]] = {}
    for name, account in settings.accounts.items():
        unit_rates = by_destination.setdefault(account.destination, {})
        unit = found[name].unit
        unit_rates[unit] = unit_rates.get(unit, 0.0) + found[name].share
    return [
        _load(settings, name, by_destination[name], replicas) for name in sorted(by_destination)
    ]


def _load(
    settings: Settings, destination: str, unit_rates: Mapping[str, float], replicas: int
) -> Load:
    each = math.ceil(len(unit_rates) / replicas)
    accounts = [a for a in settings.accounts.values() if a.destination == destination]
    return Load(
        destination=destination,
        accounts=len(accounts),
        units=len(unit_rates),
        units_a_replica=each,
        busiest=sum(sorted(unit_rates.values(), reverse=True)[:each]),
        total=sum(unit_rates.values()),
    )


def _rate(settings: Settings, name: str, unit: str) -> Rate:
    account = settings.accounts[name]
    limits = [_limit(settings, account, budget) for budget in account.budgets]
    alone, _, _ = min(limits)
    narrowest, sharers, why = min(limits, key=lambda limit: limit[0] / limit[1])
    share = narrowest / sharers
    return Rate(name, unit, alone, share, share * account.batch.events, why)


def _limit(
    settings: Settings, account: AccountSettings, budget: BudgetSettings | str
) -> tuple[float, int, str]:
    """Requests per second of a budget, how many accounts share it, and its name in words."""
    if isinstance(budget, BudgetSettings):
        return sustained(settings, budget, [account]), 1, _words(budget)
    users = [a for a in settings.accounts.values() if budget in named_budgets(a)]
    own = settings.budgets[budget]
    words = f"{budget}: {_words(own)}"
    if len(users) > 1:
        words += f", shared by {len(users)}"
    return sustained(settings, own, users), len(users), words


def sustained(
    settings: Settings, budget: BudgetSettings, accounts: Iterable[AccountSettings]
) -> float:
    """The refill R of a bucket with capacity C and K slots, so that
    C + R * W + K = N * (1 - margin)."""
    together = sum(account.concurrency for account in accounts)
    slots = max(1.0, min(budget.concurrency or math.inf, together, budget.requests // 20))
    capacity = max(1.0, budget.requests / 50)
    left = budget.requests * (1 - settings.delivery.budget_margin) - capacity - slots
    return left / budget.per


def _words(budget: BudgetSettings) -> str:
    return f"{budget.requests} requests in {budget.per:g} s"
