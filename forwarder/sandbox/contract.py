"""The words that the simulated vendors and the machine around them share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from forwarder.http.port import HttpAnswer
from forwarder.sandbox.rules import Problem


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a vendor sees it: ``path`` below its base URL, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").split(";")[0].strip() == "application/json"


class AccountKey(NamedTuple):
    """Whom the vendor counts a request against.

    ``identity`` is equal for two requests exactly when the vendor counts them together; ``label``
    is the configured name, or made of public ids; ``vendor_id`` is the public id itself. None of
    them holds a credential.
    """

    identity: str
    label: str
    vendor_id: str


NOBODY = AccountKey("", "unattributed", "")


class NamedError(NamedTuple):
    """Why one event of a request is refused, where the vendor says so by index."""

    position: int
    error: str
    message: str


class Refusal(NamedTuple):
    """``code`` is what the report counts by; ``retry_after`` in seconds."""

    status: int
    code: str
    message: str
    named: tuple[NamedError, ...] = ()
    retry_after: int | None = None


class Access(NamedTuple):
    """Who calls and whether it may. ``verified``: checked against an account that is known."""

    account: AccountKey
    refusal: Refusal | None = None
    verified: bool = True


class Entry(NamedTuple):
    """One event of a request. ``dedup``: any of these seen before makes it a duplicate."""

    position: int
    event_id: str
    dedup: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a vendor makes of a call, before rate and faults.

    ``entries``: the events it takes; with a refusal, those that it would keep all the same.
    ``problems``: what the caller should not have done, refused or not.
    ``denied``: refused for who calls, which comes before the rate. ``unverified``: the credential
    or the signature was taken on trust.
    """

    account: AccountKey
    entries: Sequence[Entry] = ()
    problems: Sequence[Problem] = ()
    refusal: Refusal | None = None
    denied: bool = False
    unverified: bool = False


class Limit(NamedTuple):
    """At most ``requests`` in any window of ``per`` seconds."""

    requests: int
    per: float


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a behaviour changes inside a vendor.

    ``click_not_found``: a pattern; matching click ids are unknown. ``keep_good``: of a request
    with refused events the others are kept.
    """

    click_not_found: re.Pattern[str] | None = None
    keep_good: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be put into the vendor's words. ``number`` makes request ids unique."""

    number: int
    refusal: Refusal | None = None
    duplicates: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


class Vendor(Protocol):
    """One simulated vendor. Everything is pure."""

    @property
    def limit(self) -> Limit:
        """The rate of an account, unless a behaviour sets another."""
        ...

    @property
    def concurrency(self) -> int | None:
        """How many callers of one account the vendor puts up with at once."""
        ...

    def check(self, call: Call, quirks: Quirks) -> Checked: ...

    def answer(self, call: Call, reply: Reply) -> HttpAnswer: ...

    def throttled(self, retry_after: int) -> Refusal: ...

    def injected(self, status: int | None, code: str | None) -> Refusal:
        """A refusal that a behaviour asks for; at least one of the two is given."""
        ...


def fingerprint(secret: str) -> str:
    """Eight characters that tell two credentials apart and reveal neither."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]
