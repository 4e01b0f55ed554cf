"""The accounts that the sandbox knows by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hmac import compare_digest
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

DESTINATIONS = ("tiktok", "tradedesk", "thrad")
DestinationName = Literal["tiktok", "tradedesk", "thrad"]


class _Known(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)


class KnownTikTok(_Known):
    """``event_source_id`` left out: the token may write to any."""

    destination: Literal["tiktok"]
    access_token: SecretStr
    event_source_id: str | None = None


class KnownTradeDesk(_Known):
    """``secret_key`` left out: no signature is asked for. ``tracker_id`` and ``upixel_id`` left
    out: any is known.
    """

    destination: Literal["tradedesk"]
    advertiser_id: str | None = None
    merchant_id: str | None = None
    tracker_id: str | None = None
    upixel_id: str | None = None
    secret_key: SecretStr | None = None
    data_provider_secret_key: SecretStr | None = None

    @model_validator(mode="after")
    def _one_id(self) -> KnownTradeDesk:
        if (self.advertiser_id is None) == (self.merchant_id is None):
            raise ValueError("give exactly one of advertiser_id and merchant_id")
        return self


class KnownThrad(_Known):
    destination: Literal["thrad"]
    api_key: SecretStr
    advertiser_api_key: SecretStr | None = None


KnownAccount = Annotated[
    KnownTikTok | KnownTradeDesk | KnownThrad, Field(discriminator="destination")
]


K = TypeVar("K", KnownTikTok, KnownTradeDesk, KnownThrad)


class Register(Generic[K]):
    """The known accounts of one vendor, by name.

    ``open``: other credentials are taken on trust, as long as they are well formed. It ends with
    the first account that somebody configures, which also replaces the samples.
    """

    def __init__(self, samples: Iterable[K] = ()) -> None:
        self.open = True
        self._accounts: dict[str, K] = {account.name: account for account in samples}

    def put(self, account: K) -> None:
        """Add an account, or replace the one of that name."""
        if self.open:
            self.open = False
            self._accounts.clear()
        self._accounts[account.name] = account

    def __iter__(self) -> Iterator[K]:
        return iter(self._accounts.values())


def reveals(secret: SecretStr | None, given: str) -> bool:
    """Whether ``given`` is the secret."""
    return secret is not None and compare_digest(secret.get_secret_value().encode(), given.encode())
