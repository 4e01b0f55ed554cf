"""Secrets of accounts: where they come from, and the versions of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationInfo,
    model_validator,
)

_FORMS = "a secret is {file: PATH}, {env: NAME}, or the value itself as text"


def _beside_settings(path: Path, info: ValidationInfo) -> Path:
    directory = (info.context or {}).get("directory")
    return path if directory is None else Path(directory) / path


SettingsPath = Annotated[Path, AfterValidator(_beside_settings)]
"""A path as settings write it: relative to the directory of the settings file, which validation
gets as ``context={"directory": ...}``."""


class SecretSource(BaseModel):
    """``{file: PATH}`` (re-read on change), ``{env: NAME}``, or the value itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    file: SettingsPath | None = None
    env: str | None = None
    value: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, given: object) -> object:
        if isinstance(given, str):
            given = {"value": given}
        if isinstance(given, Mapping) and len([v for v in given.values() if v is not None]) == 1:
            return given
        if isinstance(given, cls):
            return given
        raise ValueError(_FORMS)


@dataclass(frozen=True, slots=True)
class Credential:
    """An account's secrets as read once. ``version`` grows by one with every change; requests
    carry it, so that a late answer to an old key changes nothing. ``loaded_at``: epoch seconds.
    """

    version: int
    secrets: Mapping[str, str] = field(repr=False)
    loaded_at: float = 0.0
