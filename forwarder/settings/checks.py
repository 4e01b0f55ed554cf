"""Rules that span several settings. Each function returns every breach it finds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from forwarder.credentials import Credential
from forwarder.destinations.contract import Destination
from forwarder.destinations.settings import BudgetSettings
from forwarder.lane.budget import LEAST
from forwarder.problems import Problem, did_you_mean
from forwarder.routing import EVERY_ADVERTISER
from forwarder.settings.derived import bind, named_budgets
from forwarder.settings.model import Settings

_MAX_TOPIC: Final = 249


def settings_problems(settings: Settings, destinations: Mapping[str, Destination]) -> list[Problem]:
    """What is wrong between settings that are right by themselves."""
    return [
        *_budgets(settings),
        *_lists(settings),
        *_batches(settings, destinations),
        *_topics(settings),
        *_nobodys(settings),
        *_security(settings),
        *_bound(settings, destinations),
    ]


def credential_problems(
    settings: Settings,
    credentials: Mapping[str, Credential],
    destinations: Mapping[str, Destination],
) -> list[Problem]:
    """Of accounts whose limit would be passed together. Those without a credential are left out."""
    clashes = same_credential(settings, credentials, destinations)
    return [_no_shared_budget(settings, names) for names in clashes]


def same_credential(
    settings: Settings,
    credentials: Mapping[str, Credential],
    destinations: Mapping[str, Destination],
) -> list[list[str]]:
    """Groups of accounts that a vendor counts against one credential, but that share no named
    budget.
    """
    by_scope: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, credential in credentials.items():
        account = settings.accounts[name]
        scope = destinations[account.destination].credential_scope(account, credential)
        by_scope[account.destination, scope].append(name)
    return [
        names
        for names in by_scope.values()
        if len(names) > 1 and not frozenset.intersection(*(_named(settings, n) for n in names))
    ]


def _no_shared_budget(settings: Settings, names: list[str]) -> Problem:
    first, *others = sorted(names)
    return Problem(
        settings.place("accounts", first),
        f"has the same credential as {', '.join(others)}, but they share no named budget",
        "define one under budgets and list its name in the budgets of each",
    )


def _named(settings: Settings, name: str) -> frozenset[str]:
    return frozenset(named_budgets(settings.accounts[name]))


def _budgets(settings: Settings) -> Iterator[Problem]:
    users: dict[str, set[str]] = defaultdict(set)
    for name, account in settings.accounts.items():
        for index, budget in enumerate(account.budgets):
            place = settings.place("accounts", name, "budgets", index)
            if isinstance(budget, BudgetSettings):
                yield from _too_small(settings, place, budget)
            elif not settings.knows_budget(budget):
                fix = did_you_mean(budget, settings.budgets) or "define it under budgets"
                yield Problem(place, f"no budget is called {budget}", fix)
            else:
                users[budget].add(account.destination)
    for name, budget in settings.budgets.items():
        place = settings.place("budgets", name)
        yield from _too_small(settings, place, budget)
        if len(users[name]) > 1:
            rule = f"is shared by accounts of {' and '.join(sorted(users[name]))}"
            yield Problem(place, rule, "a named budget has one destination; make one for each")


def _too_small(settings: Settings, place: str, budget: BudgetSettings) -> Iterator[Problem]:
    margin = settings.delivery.budget_margin
    if budget.requests * (1 - margin) < LEAST:
        least = next(n for n in range(1, 1 << 20) if n * (1 - margin) >= LEAST)
        rule = f"{budget.requests} requests less the margin of {margin:g} can never send"
        fix = f"at least {least} requests; for the same rate lengthen per as well"
        yield Problem(place, rule, fix)


def _lists(settings: Settings) -> Iterator[Problem]:
    for name, account in settings.accounts.items():
        lists = {"advertisers": account.advertisers, "budgets": named_budgets(account)}
        for key, values in lists.items():
            for value, count in Counter(values).items():
                if count > 1:
                    place = settings.place("accounts", name, key)
                    yield Problem(place, f"lists {value} twice", "keep one of them")


def _batches(settings: Settings, destinations: Mapping[str, Destination]) -> Iterator[Problem]:
    for name, account in settings.accounts.items():
        if account.batch.events > 1 and not destinations[account.destination].traits.batches:
            place = settings.place("accounts", name, "batch", "events")
            rule = f"{account.destination} takes one event a request"
            yield Problem(place, rule, "remove it, or write 1")


def _topics(settings: Settings) -> Iterator[Problem]:
    kafka = settings.kafka
    taken = dict.fromkeys(kafka.retry_topics, "a retry")
    taken |= {kafka.dead_letter_topic: "the dead-letter", kafka.replays_topic: "the replays"}
    for name in settings.accounts:
        queue = kafka.queue_topic(name)
        taken[queue] = f"account {name}'s queue"
        if len(queue) > _MAX_TOPIC:
            place = settings.place("accounts", name)
            yield Problem(place, "its queue's topic name passes 249 characters", "shorten a name")
    place = settings.place("kafka", "events_topic")
    if kafka.events_topic in taken:
        rule = f"{kafka.events_topic} is {taken[kafka.events_topic]} topic"
        yield Problem(place, rule, "choose another events_topic or topic_prefix")
    taken[kafka.events_topic] = "the events"
    if kafka.settlements_topic in taken:
        place = settings.place("kafka", "settlements_topic")
        rule = f"{kafka.settlements_topic} is {taken[kafka.settlements_topic]} topic"
        yield Problem(place, rule, "choose another settlements_topic")


def _nobodys(settings: Settings) -> Iterator[Problem]:
    """Whether events that name no advertiser would be those of one that no account has."""
    name = settings.kafka.events_advertiser
    listed = {one for account in settings.accounts.values() for one in account.advertisers}
    if name is not None and not listed & {name, EVERY_ADVERTISER}:
        place = settings.place("kafka", "events_advertiser")
        fix = did_you_mean(name, listed) or "list it in the advertisers of an account"
        yield Problem(place, f"no account lists {name}", fix)


def _security(settings: Settings) -> Iterator[Problem]:
    kafka = settings.kafka
    sasl = kafka.security_protocol.startswith("SASL")
    for key in ("sasl_mechanism", "sasl_username", "sasl_password"):
        place, given = settings.place("kafka", key), getattr(kafka, key) is not None
        if sasl and not given:
            rule = f"is required with security_protocol {kafka.security_protocol}"
            yield Problem(place, rule, f"add `{key}: ...`")
        elif given and not sasl:
            rule = f"means nothing with security_protocol {kafka.security_protocol}"
            yield Problem(place, rule, "set security_protocol to SASL_SSL, or remove it")
    ssl = kafka.security_protocol.endswith("SSL")
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if getattr(kafka, key) is not None and not ssl:
            rule = f"means nothing with security_protocol {kafka.security_protocol}"
            fix = "set security_protocol to SSL or SASL_SSL, or remove it"
            yield Problem(settings.place("kafka", key), rule, fix)
    if (kafka.ssl_certfile is None) != (kafka.ssl_keyfile is None):
        key = "ssl_keyfile" if kafka.ssl_keyfile is None else "ssl_certfile"
        rule = "a client certificate needs both ssl_certfile and ssl_keyfile"
        yield Problem(settings.place("kafka", key), rule, f"add `{key}: ...`")


def _bound(settings: Settings, destinations: Mapping[str, Destination]) -> Iterator[Problem]:
    """What an account's destination finds out only when it binds the account."""
    for name in settings.accounts:
        try:
            bind(settings, name, destinations)
        except ValueError as error:
            rule, _, fix = str(error).partition("; ")
            yield Problem(settings.place("accounts", name), rule, fix)
