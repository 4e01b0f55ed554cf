"""Secrets of accounts: where they come from, and the versions of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class SecretSource(BaseModel):
    """``{file: PATH}`` (re-read on change), ``{env: NAME}``, or the value itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: Path | None = None
    env: str | None = None
    value: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """An account's secrets as read once. ``version`` grows by one with every change; requests
    carry it, so that a late answer to an old key changes nothing. ``loaded_at``: epoch seconds.
    """

    version: int
    secrets: Mapping[str, str] = field(repr=False)
    loaded_at: float = 0.0
