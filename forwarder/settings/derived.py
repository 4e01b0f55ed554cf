"""What follows from settings: bound accounts, units, names of topics and groups, their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from forwarder.consent import ConsentPolicy
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account, Destination
from forwarder.destinations.settings import AccountSettings
from forwarder.event import AdvertiserDefaults
from forwarder.routing import EVERY_ADVERTISER
from forwarder.settings.model import AdvertiserSettings, Settings
from forwarder.sources import SOURCES, Options
from forwarder.sources.reading import TopicTranslator

_HASH_DIGITS: Final = 12


def bind(settings: Settings, name: str, destinations: Mapping[str, Destination]) -> Account:
    """One account, bound to its destination. Raises ``ValueError`` for settings that it refuses."""
    account = settings.accounts[name]
    policy = consent_policy(settings, account)
    return destinations[account.destination].account(name, account, policy)


def consent_policy(settings: Settings, account: AccountSettings) -> ConsentPolicy:
    """The account's own, over the common one: what it leaves out stays as there."""
    own = {} if account.consent is None else account.consent.model_dump(exclude_unset=True)
    return settings.consent.model_copy(update=own)


def bind_accounts(
    settings: Settings, destinations: Mapping[str, Destination] = DESTINATIONS
) -> dict[str, Account]:
    """Every account by name, bound to its destination."""
    return {name: bind(settings, name, destinations) for name in settings.accounts}


def advertiser_defaults(settings: Settings) -> dict[str, AdvertiserDefaults]:
    """Defaults by advertiser, as ``forwarder.event.decode`` takes them (``"*"``: all others). What
    an advertiser's own block leaves open is that of all.
    """
    common = settings.advertisers.get(EVERY_ADVERTISER, AdvertiserSettings())
    return {
        name: AdvertiserDefaults(
            currency=block.currency or common.currency,
            phone_region=block.phone_region or common.phone_region,
        )
        for name, block in settings.advertisers.items()
    }


def events_advertiser(settings: Settings) -> str | None:
    """Whose the events are that a tool wrote and that name no advertiser: the setting's word, else
    the only one that accounts list; ``None`` where these list several.
    """
    if settings.kafka.events_advertiser is not None:
        return settings.kafka.events_advertiser
    listed = {name for account in settings.accounts.values() for name in account.advertisers}
    named = listed - {EVERY_ADVERTISER} or settings.advertisers.keys() - {EVERY_ADVERTISER}
    return next(iter(named)) if len(named) == 1 else None


def source_options(settings: Settings) -> Options:
    """What translations need beside the payload."""
    kafka = settings.kafka
    return Options(advertiser=events_advertiser(settings), consent=kafka.events_consent.named())


def topic_translator(settings: Settings) -> TopicTranslator | None:
    """What translates records of the events topic; ``None``: they are native."""
    source = SOURCES.get(settings.kafka.events_format)
    return None if source is None else TopicTranslator(source, source_options(settings))


def named_budgets(account: AccountSettings) -> list[str]:
    """Names of the shared budgets that an account draws on."""
    return [budget for budget in account.budgets if isinstance(budget, str)]


def units(settings: Settings) -> dict[str, str]:
    """The unit of every account: its first account by name. Accounts that named budgets link, be
    it through others, are one unit and are assigned to one sender together.
    """
    unit = {name: name for name in sorted(settings.accounts)}
    first: dict[str, str] = {}
    for name, account in sorted(settings.accounts.items()):
        for budget in named_budgets(account):
            joined = {unit[first.setdefault(budget, name)], unit[name]}
            lowest = min(joined)
            unit = {n: lowest if u in joined else u for n, u in unit.items()}
    return unit


def config_hash(settings: Settings) -> str:
    """Equal for equal settings; made without any secret's value."""
    text = settings.model_dump_json(by_alias=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
