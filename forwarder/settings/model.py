"""The settings of a deployment (``settings.yaml``), typed, with every default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, PrivateAttr, SerializeAsAny

from forwarder.consent import ConsentPolicy
from forwarder.credentials import SecretSource, SettingsPath
from forwarder.destinations.settings import AccountSettings, BudgetSettings, SettingsModel
from forwarder.kafka import topics
from forwarder.settings.fields import (
    Brokers,
    Currency,
    Filled,
    Listen,
    Region,
    StartFrom,
    TopicName,
    host_port,
)
from forwarder.settings.yaml_tree import Document
from forwarder.sources import Format
from forwarder.units import Count, Duration, Size

ACCOUNT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class ConsentCategories(SettingsModel):
    """The categories of a consent tool that each consent needs, all of them."""

    ad_storage: tuple[Filled, ...] = ()
    ad_user_data: tuple[Filled, ...] = ()
    ad_personalization: tuple[Filled, ...] = ()

    def named(self) -> dict[str, tuple[str, ...]]:
        """Those that need any, by the consent's name."""
        every: dict[str, tuple[str, ...]] = dict(self)
        return {name: categories for name, categories in every.items() if categories}


class KafkaSettings(SettingsModel):
    """The cluster, the groups' names and the topics' names, and what the events topic holds.

    ``events_advertiser``: of events in a tool's format that name none; unset: the only one that
    accounts list. ``events_consent``: which categories of a consent tool stand for which consent.
    """

    bootstrap_servers: Brokers = "localhost:9092"
    group_id: Filled = "conversion-forwarder"
    events_topic: TopicName = "conversions"
    events_format: Format = "native"
    events_advertiser: Filled | None = None
    events_consent: ConsentCategories = ConsentCategories()
    topic_prefix: TopicName = "conversions"
    start_from: StartFrom = None
    settlements_topic: TopicName | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretSource | None = None
    ssl_cafile: SettingsPath | None = None
    ssl_certfile: SettingsPath | None = None
    ssl_keyfile: SettingsPath | None = None

    def queue_topic(self, account: str) -> str:
        return topics.queue_topic(self.topic_prefix, account)

    @property
    def retry_topics(self) -> tuple[str, ...]:
        """By tier: the topics of deliveries that wait 1m, 10m, 1h."""
        return tuple(name for name, _ in topics.retry_topics(self.topic_prefix))

    @property
    def dead_letter_topic(self) -> str:
        return topics.dlq_topic(self.topic_prefix)

    @property
    def replays_topic(self) -> str:
        return topics.replays_topic(self.topic_prefix)

    def sender_group(self, destination: str) -> str:
        """The consumer group of a destination's senders; the routers' is ``group_id``."""
        return f"{self.group_id}.senders.{destination}"


class GiveUpSettings(SettingsModel):
    """A delivery that keeps failing is given up once both are passed. ``after``: seconds."""

    attempts: Count = 8
    after: Duration = Field(default=12 * 3600.0, ge=0)


class DeliverySettings(SettingsModel):
    """How deliveries are sent. Times in seconds, ``memory`` in bytes of one replica's lanes."""

    request_timeout: Duration = Field(default=7.0, gt=0)
    session_timeout: Duration = Field(default=15.0, gt=0)
    give_up: GiveUpSettings = GiveUpSettings()
    budget_margin: float = Field(default=0.02, ge=0, lt=1)
    memory: Size = Field(default=256 << 20, gt=0)


class AdvertiserSettings(SettingsModel):
    """What an advertiser's events take where they say nothing."""

    currency: Currency | None = None
    phone_region: Region | None = None


class OpsSettings(SettingsModel):
    """Probes, metrics and logs. ``log_format`` unset: console on a terminal, else json."""

    listen: Listen = "0.0.0.0:8080"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of ``listen``."""
        return host_port(self.listen)


class Settings(SettingsModel):
    """Everything that the settings file says. Made by ``load``; ``accounts`` hold the settings
    model of their destination, with the destination's defaults already under them.
    """

    kafka: KafkaSettings = KafkaSettings()
    delivery: DeliverySettings = DeliverySettings()
    budgets: Mapping[str, BudgetSettings] = Field(default_factory=dict)
    advertisers: Mapping[str, AdvertiserSettings] = Field(default_factory=dict)
    consent: ConsentPolicy = ConsentPolicy()
    unrouted: Literal["dead_letter", "skip"] = "dead_letter"
    accounts: Mapping[str, SerializeAsAny[AccountSettings]] = Field(default_factory=dict)
    ops: OpsSettings = OpsSettings()
    _document: Document = PrivateAttr(default_factory=lambda: Document("settings"))

    def keep_places(self, document: Document) -> None:
        """Remember where each value stands; once, while loading."""
        self._document = document

    def place(self, *at: str | int) -> str:
        """Where a value stands: ``settings.yaml:12 accounts.acme.state``."""
        return self._document.place(at)

    def knows_budget(self, name: str) -> bool:
        """Whether the file defines a budget of this name, be it right or wrong."""
        written = self._document.tree.get("budgets")
        return name in self.budgets or (isinstance(written, dict) and name in written)
