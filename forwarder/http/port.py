"""What the forwarder needs of an HTTP client: one request out, one answer or one failure back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP call. ``body`` is sent byte for byte, since signatures are made over it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer. Header names are lower-case; ``body`` is at most ``MAX_BODY`` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FailureKind(StrEnum):
    """Why no usable answer came. Every kind is a ``transient`` verdict."""

    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    TOO_LARGE = "answer_too_large"
    PROTOCOL = "protocol"
    WITHHELD = "withheld"
    """The caller's ``permitted`` said no right before the write: nothing was sent."""


@dataclass(frozen=True, slots=True)
class HttpFailure:
    """No usable answer. ``maybe_sent``: the vendor may have taken the request all the same."""

    kind: FailureKind
    maybe_sent: bool


def always() -> bool:
    """The permission of those who need none."""
    return True


MAX_BODY = 1 << 20
"""Bytes of an answer that are read; a longer one is ``FailureKind.TOO_LARGE``."""


class HttpClient(Protocol):
    """Sends requests. Redirects are never followed; no exception but cancellation leaves it."""

    async def send(
        self,
        request: HttpRequest,
        timeout: float,
        permitted: Callable[[], bool] = always,
    ) -> HttpAnswer | HttpFailure:
        """Send ``request`` and wait at most ``timeout`` seconds for the whole answer.

        ``permitted`` is asked once connected, right before the first byte leaves; finding a
        connection may have taken long.
        """
        ...

    async def close(self) -> None:
        """Release connections. May be called twice."""
        ...
