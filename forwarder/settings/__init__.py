"""Settings: read, checked, and what follows from them."""

from forwarder.problems import Problem, SettingsProblems
from forwarder.settings.checks import credential_problems, same_credential
from forwarder.settings.derived import (
    advertiser_defaults,
    bind_accounts,
    config_hash,
    consent_policy,
    events_advertiser,
    named_budgets,
    source_options,
    topic_translator,
    units,
)
from forwarder.settings.file import UnusableSettings, load
from forwarder.settings.model import (
    AdvertiserSettings,
    DeliverySettings,
    KafkaSettings,
    OpsSettings,
    Settings,
)

__all__ = [
    "AdvertiserSettings",
    "DeliverySettings",
    "KafkaSettings",
    "OpsSettings",
    "Problem",
    "Settings",
    "SettingsProblems",
    "UnusableSettings",
    "advertiser_defaults",
    "bind_accounts",
    "config_hash",
    "consent_policy",
    "credential_problems",
    "events_advertiser",
    "load",
    "named_budgets",
    "same_credential",
    "source_options",
    "topic_translator",
    "units",
]
