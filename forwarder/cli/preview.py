"""``forwarder preview``: what every account would be sent, without sending anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

import orjson
import typer

from forwarder.cli import lines
from forwarder.cli.console import json_line, say
from forwarder.cli.coverage_command import of_file, of_topic, report
from forwarder.cli.incoming import Incoming, Read, by_name, incoming, times
from forwarder.cli.options import (
    Advertiser,
    AsJson,
    Config,
    DeriveEventId,
    From,
    Lines,
    settings_of,
)
from forwarder.cli.validate import invalid
from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account, Item, Rejected, Skipped
from forwarder.event import ConversionEvent
from forwarder.http.port import HttpRequest
from forwarder.problems import Problem, Problems
from forwarder.routing import Routing
from forwarder.settings import Settings, bind_accounts

MASK: Final = "***"
MOST_NAMED: Final = 5
_STAND_INS: Final = ("placeholder-one", "placeholder-two")
_SHOWN_HEADERS: Final = frozenset({"content-type", "accept", "user-agent"})


def preview(
    file: Lines = "-",
    config: Config = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show payload and identifiers as they are sent.")
    ] = False,
    from_: From = None,
    advertiser: Advertiser = None,
    derive_event_id: DeriveEventId = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Count per account what would be sent, and why not.")
    ] = False,
    topic: Annotated[
        bool, typer.Option("--topic", help="With --coverage: over the events topic, not a file.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, metavar="N", help="With --topic: its last N records."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the request of each (event, account) as one JSON line; send nothing.

    Credentials stay masked and need not be readable. Exit 3 if any line is no event.
    """
    settings = settings_of(config)
    reading = incoming(settings, from_, advertiser, derive_event_id=derive_event_id)
    if not coverage:
        _only_with_coverage(topic=topic, sample=sample)
        _preview(settings, reading, file, reveal=reveal)
        return
    _one_source(file, topic=topic, sample=sample)
    counted = of_topic(settings, reading, sample) if topic else of_file(settings, reading, file)
    report(counted, reading, as_json=as_json)


def _only_with_coverage(*, topic: bool, sample: int | None) -> None:
    given = {"--topic": topic, "--sample": sample is not None}
    problems = [
        Problem(option, "is only for --coverage", "add --coverage, or leave it out")
        for option, there in given.items()
        if there
    ]
    if problems:
        raise Problems(problems)


def _one_source(file: str, *, topic: bool, sample: int | None) -> None:
    if topic and file != "-":
        raise Problems([Problem("--topic", f"{file} would not be read", "leave one of them out")])
    if sample is not None and not topic:
        raise Problems([Problem("--sample", "is only for --topic", "add --topic, or leave it out")])


def _preview(settings: Settings, reading: Incoming, file: str, *, reveal: bool) -> None:
    shown = Preview(bind_accounts(settings), reveal=reveal)
    now, events, wrong = time.time(), 0, 0
    with lines.opened(file) as found:
        for line in lines.lines(found):
            for read in reading.read(line, now):
                events += 1
                if read.event is None:
                    wrong += 1
                    json_line(invalid(read.line, read.errors))
                    continue
                for told in shown.of(read.event):
                    json_line(_renamed(told, read))
    reading.say_notes()
    _say_unrouted(shown)
    if not events:
        say("no events were given")
    if wrong:
        native = reading.format == "native"
        say(f"{wrong} of {events} " + ("lines are no events" if native else "events are wrong"))
        raise typer.Exit(3)


def _say_unrouted(shown: Preview) -> None:
    """Which advertisers nobody lists: most often a name is misspelt on one side."""
    for name, number in shown.unrouted.most_common(MOST_NAMED):
        say(f"no account lists the advertiser {orjson.dumps(name).decode()}: {times(number)}")
    if shown.unrouted:
        say(f"    accounts list: {', '.join(shown.listed) or 'none'}")


def _renamed(told: dict[str, object], read: Read) -> dict[str, object]:
    """A message names fields as their writer does."""
    message = told.get("message")
    return told if message is None else told | {"message": by_name(str(message), read.named)}


class Preview:
    """What accounts make of events. Needs no credential: requests are made with stand-ins."""

    def __init__(self, accounts: Mapping[str, Account], *, reveal: bool) -> None:
        self._accounts = accounts
        self._route = Routing(accounts, DESTINATIONS)
        self._reveal = reveal
        self.unrouted: Counter[str] = Counter()
        """Events for nobody, by advertiser."""

    @property
    def listed(self) -> Sequence[str]:
        """The advertisers of all accounts that are routed to."""
        routed = [a.settings for a in self._accounts.values() if a.settings.state != "draining"]
        return sorted({name for one in routed for name in one.advertisers})

    def of(self, event: ConversionEvent) -> Iterator[dict[str, object]]:
        """One JSON object for each account that takes the event's advertiser."""
        route = self._route(event)
        if route.unrouted:
            self.unrouted[event.advertiser] += 1
            yield {"event_id": event.event_id, "outcome": "unrouted"}
            return
        for name, account in self._accounts.items():
            if name in route.not_targeted:
                yield self._told(event, account, Skipped("not_targeted"))
            elif name in route.accounts:
                yield self._told(event, account, account.applies(event) or account.prepare(event))

    def _told(
        self, event: ConversionEvent, account: Account, result: Item | Skipped | Rejected
    ) -> dict[str, object]:
        told: dict[str, object] = {
            "event_id": event.event_id,
            "account": account.name,
            "destination": account.settings.destination,
        }
        match result:
            case Skipped(reason):
                return told | {"outcome": "skipped", "reason": reason, "request": None}
            case Rejected(rule, message):
                told |= {"outcome": "rejected", "reason": rule, "request": None}
                return told | {"message": message}
            case Item():
                request = shown_request(account, result, reveal=self._reveal)
                return told | {"outcome": "request", "reason": None, "request": request}


def shown_request(account: Account, item: Item, *, reveal: bool) -> dict[str, object]:
    """The request with one item, without anything that comes from a credential."""
    one, two = (account.request([item], _stand_in(account, text)) for text in _STAND_INS)
    headers = {
        name: _without_credential(value, two.headers[name]) for name, value in one.headers.items()
    }
    if not reveal:
        headers = {name: _shown_header(name, value) for name, value in headers.items()}
    return {
        "method": one.method,
        "url": _without_credential(one.url, two.url),
        "headers": headers,
        "body": _body(one, reveal=reveal),
    }


def _stand_in(account: Account, text: str) -> Credential:
    return Credential(1, dict.fromkeys(account.settings.secrets(), text))


def _without_credential(value: str, other: str) -> str:
    """What two credentials make differently is theirs: a token in plain view is masked where it
    stands, a signature as a whole.
    """
    if value == other:
        return value
    return value.replace(_STAND_INS[0], MASK) if _STAND_INS[0] in value else MASK


def _shown_header(name: str, value: str) -> str:
    return value if name.lower() in _SHOWN_HEADERS or MASK in value else MASK


def _body(request: HttpRequest, *, reveal: bool) -> object:
    return orjson.Fragment(request.body) if reveal else masked(orjson.loads(request.body))


def masked(value: object) -> object:
    """The same shape with every value hidden."""
    match value:
        case dict():
            return {key: masked(below) for key, below in value.items()}
        case list():
            return [masked(below) for below in value]
        case _:
            return MASK
