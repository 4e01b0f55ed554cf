"""What a consent permits (``mapping.md`` section 4), before anything is built."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ConsentPolicy(BaseModel):
    """``require``: consents that must be granted; ``personalization_denied``: what then happens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    require: tuple[Literal["ad_storage", "ad_user_data", "ad_personalization"], ...] = ()
    personalization_denied: Literal["send", "limit", "skip"] = "limit"
