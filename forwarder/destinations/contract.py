"""The contract between the forwarder and one vendor.

A destination turns (event, account) into an item, items into one HTTP request, and an answer into
a verdict. All of it is pure: no clock, no network, no randomness. Everything that differs by
vendor stands behind these names; nothing outside this folder names a vendor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from forwarder.consent import ConsentPolicy
from forwarder.credentials import Credential
from forwarder.destinations.settings import AccountSettings
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpAnswer, HttpRequest


class Verdict(StrEnum):
    """What an answer means for the deliveries of its request."""

    DELIVERED = "delivered"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    MISCONFIGURED = "misconfigured"
    REJECTED = "rejected"


class Skipped(NamedTuple):
    """The account should not have this event. ``reason``: one word, the label of metrics."""

    reason: str


class Rejected(NamedTuple):
    """The event cannot be sent to this account as both are now. ``rule``: one word, of its code."""

    rule: str
    message: str


class Item(NamedTuple):
    """One event as the vendor takes it: its JSON, and the key for vendors that dedup by header."""

    json: bytes
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the vendor refuses one delivery of a request."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, read. ``message`` is scrubbed: no credential, no identifier, 256 bytes at most.

    ``named``: the deliveries the vendor refused by index (from 0); all others are resent, or, when
    ``rest_delivered``, done. ``later``: with ``transient``, this request's deliveries alone must
    wait for a retry topic (three rounds, then rejected), and the breaker is not charged.
    ``split``: the request was too large: send halves; alone, the delivery is rejected.
    ``duplicate``: delivered, and the vendor says that it had it already.
    """

    verdict: Verdict
    code: str = ""
    message: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    named: Mapping[int, Refusal] = field(default_factory=dict)
    rest_delivered: bool = False
    later: bool = False
    split: bool = False
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Preflight:
    """A harmless call that tells whether a credential works, for ``check --online``."""

    request: HttpRequest


class MatchKey(NamedTuple):
    """Something by which the vendor finds whose conversion it is. ``path``: where it stands in the
    JSON of an item. ``fields``: of the event, any of which it is made from.
    """

    path: str
    fields: tuple[str, ...]


class Account(ABC):
    """One account, bound to its settings. Built once; its methods are called for every event."""

    def __init__(self, name: str, settings: AccountSettings, consent: ConsentPolicy) -> None:
        self.name = name
        self.settings = settings
        self.consent = consent

    @abstractmethod
    def applies(self, event: ConversionEvent) -> Skipped | None:
        """The router's cheap check: every *skipped* that needs no serialising; ``None``: send."""

    @abstractmethod
    def prepare(self, event: ConversionEvent) -> Item | Skipped | Rejected:
        """The event as this vendor takes it. Includes all that ``applies`` checks."""

    @abstractmethod
    def request(self, items: Sequence[Item], credential: Credential) -> HttpRequest:
        """One request with 1..``batch.events`` items, signed with ``credential``."""

    @abstractmethod
    def overhead(self) -> int:
        """Bytes of a request's body beside its items and one separator byte for each."""

    @abstractmethod
    def read(self, answer: HttpAnswer, count: int, now: float) -> Reading:
        """What ``answer`` to a request of ``count`` items means. ``now`` (epoch seconds) is only
        for a ``Retry-After`` that is a date. Total: never raises, whatever the answer holds.
        """

    def match_keys(self) -> Sequence[MatchKey]:
        """What items of this account may carry, the most telling first. For people to read."""
        return ()

    def preflight(self, credential: Credential) -> Preflight | None:  # noqa: ARG002 - for overriders
        """The call that tests the credential, where the vendor has one."""
        return None


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rest of the forwarder must know of a vendor. Seconds; ``None``: no such thing.

    ``dedups``: the vendor drops a repeat by itself. ``dedup_window``: for how long it surely does;
    ``None`` with ``dedups`` true: not stated. ``batches``: one request can hold several events.
    """

    dedups: bool
    dedup_window: float | None
    batches: bool


class Ask(NamedTuple):
    """A setting of an account that only its owner knows. ``what`` it is and where it is found;
    ``example``: what one looks like.
    """

    key: str
    what: str
    example: str


class Destination(ABC):
    """One vendor's kind. ``asks``: what a new account cannot do without, secrets among them."""

    name: ClassVar[str]
    asks: ClassVar[tuple[Ask, ...]] = ()
    traits: ClassVar[Traits]
    settings_model: ClassVar[type[AccountSettings]]

    @abstractmethod
    def account(self, name: str, settings: AccountSettings, consent: ConsentPolicy) -> Account:
        """Bind an account. ``settings`` is an instance of ``settings_model``."""

    def traits_of(self, settings: AccountSettings) -> Traits:  # noqa: ARG002 - for overriders
        """The traits of one account, where they depend on its settings."""
        return self.traits

    @abstractmethod
    def credential_scope(self, settings: AccountSettings, credential: Credential) -> str:
        """Equal for two accounts exactly when the vendor counts them against one credential;
        a digest, never the secret itself.
        """
