"""``forwarder dlq show``: single dead letters, and what would become of them now."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Final, get_args

import orjson
import typer

from forwarder import normal
from forwarder.cli.console import json_line, out, say
from forwarder.cli.filters import checked, filtered, warn_of_unknown
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.preview import MASK, masked, shown_request
from forwarder.cli.scanning import letters, on_kafka
from forwarder.deadletters.explain import Outlook, Today
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.query import Filters
from forwarder.destinations import DESTINATIONS
from forwarder.event import ActionSource, parsed, unframed
from forwarder.kafka.records import rfc3339
from forwarder.problems import Problems
from forwarder.routing import Routing
from forwarder.settings import Settings, advertiser_defaults, bind_accounts, topic_translator
from forwarder.sources.fields import plain

SHOWN: Final = 5
"""Dead letters that ``show`` prints unless ``--limit`` says otherwise."""
COLUMNS: Final = (
    "at",
    "failed_at",
    "account",
    "reason",
    "code",
    "event_name",
    "event_id",
    "replays",
    "message",
)
_PLACE: Final = re.compile(r"(?:.+/)?(\d+)/(\d+)")
_PLAIN: Final[Mapping[str, Callable[[object], bool]]] = {
    "schema_version": lambda value: re.fullmatch(r"v?[0-9.]{1,9}", str(value)) is not None,
    "event_id": lambda _: True,
    "event_name": lambda _: True,
    "event_time": lambda value: normal.time(value) is not None,
    "advertiser": lambda _: True,
    "action_source": lambda value: value in get_args(ActionSource),
}
"""Fields of an event that identify nobody, as long as they hold what they are for. Headers tell
the id, the name and the advertiser of every dead letter anyway."""
_HIDDEN: Final = "forwarder-order-id"

_ALL_LEVELS: Final = 1000
"""Deeper than a reader of JSON goes."""

Reveal = Annotated[bool, typer.Option("--reveal", help="Show payload and identifiers as they are.")]


@filtered
def show(
    filters: Filters,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="WHICH",
            help="PARTITION/OFFSET or EVENT_ID, as dlq ls prints them.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
    reveal: Reveal = False,
) -> None:
    """Show dead letters: headers, event, and what would be sent now; exit 3 if there is none.

    With today's settings, and why that would pass or fail. Payload and identifiers are masked
    unless --reveal; credentials always. Five at most unless --limit says otherwise.
    """
    settings = settings_of(config)
    filters, place = _narrowed(filters, which)
    unknown = warn_of_unknown(checked(filters, settings), settings)
    shower = Shower(settings, reveal=reveal, as_json=as_json)
    limit, found = filters.limit or SHOWN, 0
    more = False

    def take(letter: Letter) -> bool:
        nonlocal found, more
        if place is not None and letter.coordinates != place:
            return True
        if found == limit:
            more = True
            return False
        found += 1
        shower.show(letter)
        return place is None

    on_kafka(settings, lambda kafka: letters(kafka, settings, filters, take))
    if more:
        say(f"the first {found}; there are more: see --limit")
    if not found and unknown:
        raise Problems(unknown)
    if not found:
        say("no dead letter matches")
        raise typer.Exit(3)


def _narrowed(filters: Filters, which: str | None) -> tuple[Filters, str | None]:
    """The filters, and the one place that ``which`` names if it is one."""
    if which is None:
        return filters, None
    place = _PLACE.fullmatch(which)
    if place is not None:
        return filters, f"{int(place[1])}/{int(place[2])}"
    return replace(filters, event_id=(*filters.event_id, which)), None


def told(letter: Letter, *, reveal: bool) -> dict[str, object]:
    """A dead letter as ``ls --json`` prints it."""
    at = letter.event_time
    return {
        "at": letter.coordinates,
        "failed_at": rfc3339(letter.failed_at),
        "account": letter.account,
        "destination": letter.text("destination"),
        "reason": letter.reason,
        "code": letter.code,
        "message": letter.text("message"),
        "event_id": letter.event_id,
        "event_name": letter.event_name,
        "event_time": "" if at is None else rfc3339(at),
        "advertiser": letter.advertiser,
        "order_id": letter.order_id if reveal or not letter.order_id else MASK,
        "attempts": letter.text("attempts"),
        "replays": letter.replays,
        "run": letter.text("run"),
        "origin": letter.text("origin"),
    }


def masked_event(event: object) -> object:
    """An event of which only that is shown that identifies nobody."""
    if not isinstance(event, dict):
        return masked(event)
    return {
        key: one if key in _PLAIN and _PLAIN[key](one) else masked(one)
        for key, one in event.items()
    }


def today_of(settings: Settings) -> Today:
    """The settings, as far as they decide about events."""
    accounts = bind_accounts(settings)
    routing = Routing(accounts, DESTINATIONS)
    return Today(accounts, routing, advertiser_defaults(settings), topic_translator(settings))


class Shower:
    """Prints dead letters, one after the other."""

    def __init__(self, settings: Settings, *, reveal: bool, as_json: bool) -> None:
        self._today = today_of(settings)
        self._reveal = reveal
        self._as_json = as_json

    def show(self, letter: Letter) -> None:
        now = list(self._now(letter))
        if self._as_json:
            row = told(letter, reveal=self._reveal)
            json_line(
                row
                | {"headers": self._headers(letter), "event": self._event(letter)}
                | {"now": now}
            )
            return
        out(f"{letter.coordinates}  failed {rfc3339(letter.failed_at)}")
        for name, value in self._headers(letter).items():
            out(f"  {name}: {value}")
        out(f"  event: {_line(self._event(letter))}")
        for outlook in now:
            out(f"  now: {_sentence(outlook)}")
            if outlook["request"] is not None:
                out(f"  request: {_line(outlook['request'])}")
        out("")

    def _headers(self, letter: Letter) -> dict[str, str]:
        shown = {}
        for name, raw in letter.headers.items():
            hidden = name == _HIDDEN or not name.startswith("forwarder-")
            text = (raw or b"").decode(errors="replace")
            shown[name] = MASK if hidden and not self._reveal else text
        return shown

    def _event(self, letter: Letter) -> object:
        value = letter.record.value
        if value is None:
            return None
        try:
            event = plain(parsed(value), _ALL_LEVELS)
        except ValueError:
            return (
                unframed(value).decode(errors="replace")
                if self._reveal
                else f"{len(value)} bytes, no JSON"
            )
        return event if self._reveal else masked_event(event)

    def _now(self, letter: Letter) -> Iterable[Mapping[str, object]]:
        for outlook in self._today.outlooks(letter, time.time()):
            yield self._told(outlook)

    def _told(self, outlook: Outlook) -> Mapping[str, object]:
        request = None
        if outlook.item is not None:
            account = self._today.accounts[outlook.account]
            request = shown_request(account, outlook.item, reveal=self._reveal)
        outcome = "request" if outlook.fate == "sent" else outlook.fate
        return {
            "account": outlook.account,
            "outcome": outcome,
            "reason": outlook.why,
            "request": request,
        }


def _sentence(outlook: Mapping[str, object]) -> str:
    account = f"{outlook['account']}: " if outlook["account"] else ""
    if outlook["outcome"] == "request":
        return f"{account}would be sent"
    return f"{account}would not be sent: {outlook['outcome']}: {outlook['reason']}"


def _line(value: object) -> str:
    return orjson.dumps(value).decode()
