"""The settings that accounts of every destination share (``accounts`` in the settings file)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from forwarder.consent import ConsentPolicy
from forwarder.credentials import SecretSource
from forwarder.units import Duration, Size


class SettingsModel(BaseModel):
    """Base of every settings block: unknown keys are errors, values never change once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BudgetSettings(SettingsModel):
    """At most ``requests`` in any window of ``per`` seconds, ``concurrency`` in flight at once."""

    requests: int = Field(gt=0)
    per: Duration = Field(gt=0)
    concurrency: int | None = Field(default=None, gt=0)


class BatchSettings(SettingsModel):
    """How full a request gets. ``linger``: seconds to wait for more when the lane is idle."""

    events: int = Field(default=1, gt=0)
    bytes: Size = Field(default=1 << 20, gt=0)
    linger: Duration = Field(default=0.2, ge=0)


class EventSettings(SettingsModel):
    """Which events the account takes, and under which vendor names (``mapping.md`` section 3)."""

    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field(default=(), alias="except")
    names: dict[str, str] = Field(default_factory=dict)
    custom: Literal["skip", "pass"] | None = None


class AccountSettings(SettingsModel):
    """One account. Each destination extends it with its ids, its secrets and its own defaults."""

    secret_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields of type ``SecretSource | None`` that make up its ``Credential``."""

    destination: str
    state: Literal["active", "paused", "draining"] = "active"
    advertisers: tuple[str, ...] = Field(min_length=1)
    events: EventSettings = EventSettings()
    consent: ConsentPolicy | None = None
    budgets: tuple[BudgetSettings | str, ...] = Field(min_length=1)
    concurrency: int = Field(gt=0)
    batch: BatchSettings = BatchSettings()
    max_event_age: Duration = Field(gt=0)
    base_url: str

    def secrets(self) -> dict[str, SecretSource]:
        """The secret fields that are set, by name."""
        found = {name: getattr(self, name) for name in self.secret_fields}
        return {name: source for name, source in found.items() if source is not None}
