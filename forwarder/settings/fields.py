"""Fields of settings with rules of their own. Each raises ``ValueError`` with the rule in words."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field

from forwarder.currencies import ACTIVE

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[^\s:]+):(?P<port>\d{1,5})")
_MAX_PORT = 65535


def _topic(name: str) -> str:
    if _TOPIC.fullmatch(name) and name not in (".", ".."):
        return name
    raise ValueError("a topic name is 1 to 249 of the characters a-z A-Z 0-9 . _ -")


def _start(value: object) -> object:
    if value is None or value in ("earliest", "latest") or isinstance(value, float):
        return value
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError("must be earliest, latest, or a time such as 2026-01-31T00:00:00Z")
    return time.timestamp()


def _currency(code: str) -> str:
    if code.upper() in ACTIVE:
        return code.upper()
    raise ValueError("must be an active ISO 4217 code such as USD")


def _region(code: str) -> str:
    region = code.upper()
    if region in phonenumbers.SUPPORTED_REGIONS:
        return region
    hint = " (the United Kingdom is GB)" if region == "UK" else ""
    raise ValueError(f"must be a two-letter country code such as US or DE{hint}")


def host_port(text: str) -> tuple[str, int]:
    """Host and port of ``0.0.0.0:8080`` or ``[::]:8080``. Raises ``ValueError``."""
    match = _LISTEN.fullmatch(text)
    if not match or int(match["port"]) > _MAX_PORT:
        raise ValueError("must be an address and a port, such as 0.0.0.0:8080")
    return match["host"].strip("[]"), int(match["port"])


def _listen(text: str) -> str:
    host_port(text)
    return text


def _brokers(text: str) -> str:
    for broker in text.split(","):
        match = _LISTEN.fullmatch(broker.strip())
        if not match or not 0 < int(match["port"]) <= _MAX_PORT:
            raise ValueError("must be host:port, several separated by commas")
    return ",".join(broker.strip() for broker in text.split(","))


TopicName = Annotated[str, AfterValidator(_topic)]
StartFrom = Annotated[Literal["earliest", "latest"] | float | None, BeforeValidator(_start)]
"""A time is in epoch seconds."""
Currency = Annotated[str, AfterValidator(_currency)]
Region = Annotated[str, AfterValidator(_region)]
Listen = Annotated[str, AfterValidator(_listen)]
Brokers = Annotated[str, AfterValidator(_brokers)]
Filled = Annotated[str, Field(min_length=1)]
