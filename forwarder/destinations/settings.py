"""The settings that accounts of every destination share (``accounts`` in the settings file)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from forwarder.consent import ConsentPolicy
from forwarder.credentials import SecretSource
from forwarder.names import canonical
from forwarder.units import Count, Duration, Size


def _absolute(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an absolute URL; write it as https://example.com/path")
    return url


def _base(url: str) -> str:
    parts = urlsplit(_absolute(url))
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be scheme, host and path only; remove query, fragment and user")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_absolute)]
"""An absolute http(s) URL."""
BaseUrl = Annotated[str, AfterValidator(_base)]
"""What the vendor's paths are appended to; kept without a slash at its end."""
Text = Annotated[str, Field(min_length=1)]
Sources = Annotated[tuple[Literal["web", "app", "offline", "crm"], ...], Field(min_length=1)]
"""The sources of events that an account takes."""


class SettingsModel(BaseModel):
    """Base of every settings block: unknown keys are errors, values never change once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BudgetSettings(SettingsModel):
    """At most ``requests`` in any window of ``per`` seconds, ``concurrency`` in flight at once."""

    requests: Count
    per: Duration = Field(gt=0)
    concurrency: Count | None = None


class BatchSettings(SettingsModel):
    """How full a request gets. ``linger``: seconds to wait for more when the lane is idle."""

    events: Count = 1
    bytes: Size = Field(default=1 << 20, gt=0)
    linger: Duration = Field(default=0.2, ge=0)


class EventSettings(SettingsModel):
    """Which events the account takes, and under which vendor names."""

    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field(default=(), alias="except")
    names: dict[str, Text] = Field(default_factory=dict)
    custom: Literal["skip", "pass"] | None = None

    @field_validator("only", "except_", "names")
    @classmethod
    def _distinct(cls, keys: Iterable[str]) -> Iterable[str]:
        """Names are compared by what they are read as, so two that are read alike are one."""
        seen: dict[str, str] = {}
        for key in keys:
            first = seen.setdefault(canonical(key), key)
            if first is not key:
                raise ValueError(f"{first} and {key} are read as one event name; keep one")
        return keys


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
    concurrency: Count
    batch: BatchSettings = BatchSettings()
    max_event_age: Duration = Field(gt=0)
    base_url: BaseUrl

    def secrets(self) -> dict[str, SecretSource]:
        """The secret fields that are set, by name."""
        found = {name: getattr(self, name) for name in self.secret_fields}
        return {name: source for name, source in found.items() if source is not None}
