"""What would become of a record at an account now, with today's settings. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from forwarder.deadletters.letter import Letter
from forwarder.destinations.contract import Account, Item, Rejected, Skipped
from forwarder.event import AdvertiserDefaults, ConversionEvent, FieldError, InvalidEvent, decode
from forwarder.kafka.port import Record
from forwarder.routing import Routing
from forwarder.sources.reading import TopicTranslator

Fate = Literal["sent", "skipped", "rejected", "expired", "invalid", "unrouted", "unknown_account"]


class Outlook(NamedTuple):
    """``fate`` of the record at ``account`` (empty: before any account is asked). ``why``: reason
    or rule in words, empty for ``sent``. ``item``: what would be sent.
    """

    account: str
    fate: Fate
    why: str = ""
    item: Item | None = None


@dataclass(frozen=True, slots=True)
class Today:
    """The settings, as far as they decide about events. ``translator``: of an events topic that is
    in another tool's format.
    """

    accounts: Mapping[str, Account]
    routing: Routing
    advertisers: Mapping[str, AdvertiserDefaults]
    translator: TopicTranslator | None = None

    def event(self, value: bytes | None, now: float, appended_at: float) -> ConversionEvent:
        """Raises ``InvalidEvent``."""
        return decode(value, self.advertisers, now, appended_at)

    def of_topic(self, record: Record, now: float) -> tuple[Record, ConversionEvent]:
        """The event of a record as it came from the events topic, and the record with that event
        in it, as queues hold it. Raises ``InvalidEvent``, also for a record that holds none.
        """
        at = record.timestamp / 1000
        if self.translator is None:
            return record, self.event(record.value, now, at)
        read = self.translator.read(record, lambda value: self.event(value, now, at))
        if read is None:
            raise InvalidEvent("invalid_event", [FieldError("$", "holds no event")])
        return read.record, read.event

    def of_letter(self, letter: Letter, now: float) -> tuple[Record, ConversionEvent]:
        """The same of a dead letter. One that could not be read is kept as it came to the events
        topic; all others are events of the schema already.
        """
        record = letter.record
        try:
            return record, self.event(record.value, now, record.timestamp / 1000)
        except InvalidEvent:
            if letter.account:
                raise
        return self.of_topic(record, now)

    def outlooks(self, letter: Letter, now: float) -> Iterator[Outlook]:
        """For the one account that failed; for every account where the whole record did."""
        name = letter.account
        if name and name not in self.accounts:
            yield Outlook(name, "unknown_account", "the settings have no such account")
            return
        try:
            _, event = self.of_letter(letter, now)
        except InvalidEvent as invalid:
            yield Outlook(name, "invalid", str(invalid))
            return
        names = [name] if name else list(self.takers(event))
        if not names:
            yield Outlook("", "unrouted", "no account lists the event's advertiser")
        for one in names:
            yield self.outlook(self.accounts[one], event, now)

    def takers(self, event: ConversionEvent) -> tuple[str, ...]:
        """The accounts that the event is for, by advertiser and destinations."""
        return self.routing(event).accounts

    def outlook(self, account: Account, event: ConversionEvent, now: float) -> Outlook:
        """What the lane of ``account`` would do with the event."""
        name, age = account.name, now - event.event_time
        if age > account.settings.max_event_age:
            limit = account.settings.max_event_age
            return Outlook(name, "expired", f"{age:.0f} s old, max_event_age is {limit:.0f} s")
        match account.applies(event) or account.prepare(event):
            case Skipped(reason):
                return Outlook(name, "skipped", reason)
            case Rejected(rule, message):
                return Outlook(name, "rejected", f"local.{rule}: {message}")
            case Item() as item:
                return Outlook(name, "sent", "", item)
