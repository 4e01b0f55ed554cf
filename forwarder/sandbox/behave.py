"""Faults on demand: what a destination or one account is told to do until told otherwise."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from forwarder.sandbox.contract import AccountKey, Limit, Quirks
from forwarder.sandbox.known import DestinationName
from forwarder.units import Duration

When = Literal["before", "after"]


def _when(value: object) -> object:
    """``true`` is ``before``: the vendor never takes the request."""
    return {True: "before", False: None}.get(value, value) if isinstance(value, bool) else value


class Rate(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    requests: int = Field(gt=0)
    per: Duration = Field(gt=0)

    @property
    def limit(self) -> Limit:
        return Limit(self.requests, self.per)


class Behaviour(BaseModel):
    """What ``POST /_sandbox/behave`` takes. Times are durations (``500ms``) or seconds.

    ``account``: a name or a vendor's public id; left out: the whole destination, where an account
    has no behaviour of its own. ``latency``: added to each answer. ``hang``, ``reset``: no answer,
    or a reset connection; ``after``: but the events are taken. ``status``, ``code``, ``html``,
    ``body``: the answer; the events are taken only if that is no refusal. ``retry_after``: that
    header on refusals. ``fraction``: the share of requests that all this hits, spread evenly.
    ``rate``: another limit. ``click_not_found``, ``keep_good``: see ``Quirks``; these three hold
    for every request. ``for``: when the behaviour ends by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    destination: DestinationName
    account: str | None = None
    latency: Duration = Field(default=0.0, ge=0)
    hang: Annotated[When | None, BeforeValidator(_when)] = None
    reset: Annotated[When | None, BeforeValidator(_when)] = None
    status: int | None = Field(default=None, ge=200, le=599)
    code: str | None = Field(default=None, coerce_numbers_to_str=True)
    html: bool = False
    body: str | None = None
    rate: Rate | None = None
    retry_after: Duration | None = Field(default=None, ge=0)
    fraction: float = Field(default=1.0, ge=0, le=1)
    for_: Duration | None = Field(default=None, alias="for", gt=0)
    click_not_found: re.Pattern[str] | None = None
    keep_good: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Behaviour:
        if self.destination == "tiktok" and self.code is not None and not self.code.isdecimal():
            raise ValueError("code: TikTok's codes are numbers, such as 40100")
        if self.account is not None and (self.click_not_found or self.keep_good):
            raise ValueError(
                "click_not_found and keep_good hold for a whole destination: no account"
            )
        return self

    @property
    def refuses(self) -> bool:
        """Whether the answer that it asks for says that the events were not taken."""
        if self.code is not None:
            return self.code != "0"
        return (self.status or (502 if self.html else 200)) >= 300  # noqa: PLR2004 - 2xx is taken

    @property
    def quirks(self) -> Quirks:
        return Quirks(self.click_not_found, self.keep_good)


CALM = Behaviour(destination="tiktok")


class _Running:
    """A behaviour in force, and how many requests it has seen."""

    def __init__(self, behaviour: Behaviour, until: float | None) -> None:
        self.behaviour = behaviour
        self.until = until
        self._seen = 0

    def hits(self) -> bool:
        """Whether this request is one of the ``fraction``: every tenth of ten for 0.1."""
        self._seen += 1
        share = self.behaviour.fraction
        return int(self._seen * share) > int((self._seen - 1) * share)


class Behaviours:
    """What is in force: one for each destination and one for each account; the last word counts."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str | None], _Running] = {}

    def set(self, behaviour: Behaviour, now: float) -> None:
        until = None if behaviour.for_ is None else now + behaviour.for_
        self._running[behaviour.destination, behaviour.account] = _Running(behaviour, until)

    def clear(self) -> None:
        self._running.clear()

    def current(self, now: float) -> list[Behaviour]:
        """All that are in force."""
        self._expire(now)
        return [one.behaviour for one in self._running.values()]

    def of(self, destination: str, account: AccountKey, now: float) -> tuple[Behaviour, bool]:
        """What holds for a request of ``account``, and whether its faults hit this very one."""
        running = self._find(destination, account, now)
        return (running.behaviour, running.hits()) if running else (CALM, False)

    def quirks(self, destination: str, now: float) -> Quirks:
        """What the vendor must know before it can tell the account."""
        self._expire(now)
        running = self._running.get((destination, None))
        return running.behaviour.quirks if running else Quirks()

    def _find(self, destination: str, account: AccountKey, now: float) -> _Running | None:
        self._expire(now)
        for name in (account.label, account.vendor_id, None):
            if (running := self._running.get((destination, name))) is not None:
                return running
        return None

    def _expire(self, now: float) -> None:
        over = [k for k, one in self._running.items() if one.until is not None and one.until <= now]
        for key in over:
            del self._running[key]
