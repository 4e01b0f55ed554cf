"""The budgets of one destination's accounts: their names, their arithmetic, and the live ones of a
sender that owns them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from forwarder.destinations.settings import AccountSettings, BudgetSettings
from forwarder.lane.budget import Budget, Plan, plan
from forwarder.settings import Settings


class BudgetTerms(NamedTuple):
    """One budget as the settings write it. ``name``: of a shared one its own; else the account's,
    numbered where the account has several.
    """

    name: str
    requests: int
    per: float
    concurrency: int
    shared: bool


def terms(settings: Settings, account: str) -> Sequence[BudgetTerms]:
    """The budgets that ``account`` draws on, in the order of its settings."""
    return list(_terms(settings, account, settings.accounts[account]))


def plans(settings: Settings, account: str) -> Sequence[tuple[str, Plan]]:
    """Name and arithmetic of each budget that ``account`` draws on."""
    margin = settings.delivery.budget_margin
    return [
        (t.name, plan(t.requests, t.per, margin, t.concurrency)) for t in terms(settings, account)
    ]


def _terms(settings: Settings, name: str, account: AccountSettings) -> Iterator[BudgetTerms]:
    own = [budget for budget in account.budgets if isinstance(budget, BudgetSettings)]
    for number, budget in enumerate(own, 1):
        label = name if len(own) == 1 else f"{name}-{number}"
        yield _one(label, budget, account.concurrency, shared=False)
    for budget_name in account.budgets:
        if isinstance(budget_name, str):
            users = (a for a in settings.accounts.values() if budget_name in a.budgets)
            together = sum(user.concurrency for user in users)
            yield _one(budget_name, settings.budgets[budget_name], together, shared=True)


def _one(name: str, budget: BudgetSettings, accounts: int, *, shared: bool) -> BudgetTerms:
    concurrency = accounts if budget.concurrency is None else min(budget.concurrency, accounts)
    return BudgetTerms(name, budget.requests, budget.per, concurrency, shared)


class BudgetBook:
    """The live budgets of what a sender was assigned. Made anew at every assignment, inside the
    running loop: a budget starts empty at every change of owner.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared: dict[str, Budget] = {}

    def open(self, account: str) -> Sequence[Budget]:
        """Fresh budgets for ``account``; those it shares are the same object for all who do."""
        return [self._budget(one) for one in terms(self._settings, account)]

    def _budget(self, one: BudgetTerms) -> Budget:
        if one.shared and one.name in self._shared:
            return self._shared[one.name]
        margin = self._settings.delivery.budget_margin
        budget = Budget(one.name, one.requests, one.per, margin, one.concurrency, shared=one.shared)
        if one.shared:
            self._shared[one.name] = budget
        return budget
