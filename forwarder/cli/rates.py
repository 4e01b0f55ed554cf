"""The rate that each account can reach, and what limits it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from forwarder.budgets import BudgetTerms, plans, terms
from forwarder.lane.budget import Reach, reachable_rate
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
    drawn = list(zip(terms(settings, name), plans(settings, name), strict=True))
    shares = [(plan.rate / _users(settings, term), term, plan) for term, (_, plan) in drawn]
    share, term, plan = min(shares, key=lambda found: found[0])
    return Rate(
        account=name,
        unit=unit,
        alone=reachable_rate([named for _, named in drawn]).rate,
        share=share,
        events=share * account.batch.events,
        why=_why(term, reachable_rate([(term.name, plan)]), _users(settings, term)),
    )


def _users(settings: Settings, term: BudgetTerms) -> int:
    """How many accounts draw on a budget."""
    if not term.shared:
        return 1
    return sum(term.name in named_budgets(account) for account in settings.accounts.values())


def _why(term: BudgetTerms, reach: Reach, users: int) -> str:
    shared = f", shared by {users} accounts" if users > 1 else ""
    return f"{term.name}: {reach.why}{shared}" if term.shared else reach.why
