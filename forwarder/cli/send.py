"""``forwarder send``: a few events to one account for real, without Kafka."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

import orjson
import typer

from forwarder.budgets import terms
from forwarder.cli import lines
from forwarder.cli.console import json_line, say
from forwarder.cli.incoming import Incoming, Read, by_name, incoming
from forwarder.cli.options import (
    Advertiser,
    AsJson,
    Config,
    DeriveEventId,
    From,
    Lines,
    settings_of,
)
from forwarder.cli.secrets import credential_of
from forwarder.cli.validate import report_invalid
from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.answers import unechoed
from forwarder.destinations.contract import Account, Item, Rejected, Skipped
from forwarder.destinations.settings import AccountSettings
from forwarder.event import ConversionEvent
from forwarder.http.client import AiohttpClient
from forwarder.http.port import HttpClient, HttpFailure
from forwarder.problems import Problem, Problems, did_you_mean
from forwarder.routing import EVERY_ADVERTISER
from forwarder.settings import Settings, consent_policy

_TEST_CODE: Final = "test_event_code"
_DELIVERED: Final = frozenset({"delivered", "duplicate"})
_NOT_SENT: Final = frozenset({"skipped", "rejected"})


def send(
    account: Annotated[str, typer.Option("--account", metavar="A", help="The account to send to.")],
    file: Lines = "-",
    config: Config = None,
    test_event_code: Annotated[
        str | None,
        typer.Option("--test-event-code", metavar="X", help="Mark as test events, where possible."),
    ] = None,
    from_: From = None,
    advertiser: Advertiser = None,
    derive_event_id: DeriveEventId = False,
    as_json: AsJson = False,
) -> None:
    """Send each event once and print what the vendor answered; exit 1 if it did not take one, 3 if
    there was one that is not sent.

    One event a request, one after the other, no faster than the account's budgets allow. The
    worker's own requests are not seen: beside a busy worker send only a few.
    """
    settings = settings_of(config)
    bound = _bound(settings, account, test_event_code)
    reading = incoming(settings, from_, advertiser, derive_event_id=derive_event_id)
    once = Once(
        bound,
        credential_of(settings, account, os.environ),
        settings.delivery.request_timeout,
        pause(settings, account),
    )
    code = asyncio.run(_send_all(once, reading, file, as_json=as_json))
    reading.say_notes()
    raise typer.Exit(code)


async def _send_all(once: Once, reading: Incoming, file: str, *, as_json: bool) -> int:
    """The exit code."""
    client, refused, unsent, count = AiohttpClient(), 0, 0, 0
    try:
        with lines.opened(file) as found:
            async for chunk in lines.arriving(found):
                for read in chain.from_iterable(reading.read(line, time.time()) for line in chunk):
                    count += 1
                    if read.event is None:
                        report_invalid(read.line, read.errors, as_json=as_json)
                        unsent += 1
                        continue
                    _warn_of_others(read, once.account)
                    sent = await once.send(read.event, client)
                    sent = sent._replace(message=by_name(sent.message, read.named))
                    if sent.kept_back:
                        unsent += 1
                    elif sent.verdict not in _DELIVERED:
                        refused += 1
                    _tell(read.line, read.event.event_id, sent, as_json=as_json)
    finally:
        await client.close()
    if not count:
        say("no events")
    if refused:
        return 1
    return 3 if unsent or not count else 0


def _warn_of_others(read: Read, account: Account) -> None:
    """Whoever names an account means it; but these are somebody else's conversions."""
    assert read.event is not None
    listed = account.settings.advertisers
    if read.event.advertiser not in listed and EVERY_ADVERTISER not in listed:
        name = orjson.dumps(read.event.advertiser).decode()
        rule = f"{account.name} does not list the advertiser {name}"
        say(f"line {read.line}: {rule}: the worker would not send it there")


def _bound(settings: Settings, name: str, test_event_code: str | None) -> Account:
    own = settings.accounts.get(name)
    if own is None:
        fix = did_you_mean(name, settings.accounts)
        raise Problems([Problem("--account", f"no account is called {name}", fix)])
    if test_event_code is not None:
        own = _testing(own, test_event_code)
    return DESTINATIONS[own.destination].account(name, own, consent_policy(settings, own))


def _testing(own: AccountSettings, code: str) -> AccountSettings:
    if _TEST_CODE not in type(own).model_fields:
        rule = f"{own.destination} has no test events"
        raise Problems([Problem("--test-event-code", rule, "leave it out")])
    return own.model_copy(update={_TEST_CODE: code})


def pause(settings: Settings, account: str) -> float:
    """Seconds between requests that keep every budget of the account."""
    margin = 1 - settings.delivery.budget_margin
    return max(term.per / (term.requests * margin) for term in terms(settings, account))


class Sent(NamedTuple):
    """What became of one event. ``verdict``: the vendor's, or ``skipped`` or ``rejected`` when it
    was not sent at all (``status`` is then ``None``).
    """

    verdict: str
    code: str
    message: str
    status: int | None = None
    request_id: str | None = None

    @property
    def kept_back(self) -> bool:
        """Whether it was not sent since no vendor should have it."""
        return self.status is None and self.verdict in _NOT_SENT


@dataclass(slots=True)
class Once:
    """Sends single events to one account, ``pause`` seconds apart at least."""

    account: Account
    credential: Credential
    timeout: float
    pause: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _sent: bool = False

    async def send(self, event: ConversionEvent, client: HttpClient) -> Sent:
        """Send ``event`` alone, whatever its age."""
        item = self.account.applies(event) or self.account.prepare(event)
        match item:
            case Skipped(reason):
                return Sent("skipped", reason, "this account should not have the event")
            case Rejected(rule, message):
                return Sent("rejected", f"local.{rule}", message)
            case Item():
                return await self._request(item, client)

    async def _request(self, item: Item, client: HttpClient) -> Sent:
        if self._sent:
            await self.sleep(self.pause)
        self._sent = True
        request = self.account.request([item], self.credential)
        answer = await client.send(request, self.timeout)
        if isinstance(answer, HttpFailure):
            host = urlsplit(request.url).netloc
            arrived = "it may have arrived all the same" if answer.maybe_sent else "not sent"
            return Sent("transient", answer.kind, f"no answer from {host}: {arrived}")
        read = self.account.read(answer, 1, time.time())
        reading = unechoed(read, request, self.credential)
        if reading.named:
            refusal = next(iter(reading.named.values()))
            reading = replace(reading, code=refusal.code, message=refusal.message)
        verdict = "duplicate" if reading.duplicate else reading.verdict.value
        return Sent(verdict, reading.code, reading.message, answer.status, reading.request_id)


def _tell(number: int, event_id: str, sent: Sent, *, as_json: bool) -> None:
    if as_json:
        json_line({"line": number, "event_id": event_id, **sent._asdict()})
        return
    parts = [sent.verdict, f"code {sent.code}" if sent.code else "", sent.message]
    parts += [f"request id {sent.request_id}"] if sent.request_id else []
    if sent.status is not None:
        parts.append(f"HTTP {sent.status}")
    elif sent.kept_back:
        parts.append("not sent")
    typer.echo(f"line {number}: {event_id}: {', '.join(part for part in parts if part)}")
