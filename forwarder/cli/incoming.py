"""Lines of any format as events: read, translated and checked in the same way by all commands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from forwarder.cli.console import say
from forwarder.cli.lines import Line
from forwarder.event import AdvertiserDefaults, ConversionEvent, FieldError, InvalidEvent, decode
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings, advertiser_defaults, source_options
from forwarder.sources import SOURCES, Format, Native, Note, Options
from forwarder.sources.contract import NO_PLACE
from forwarder.sources.reading import only, translate

UNKNOWN: Final = "unknown field"
ANY_ADVERTISER: Final = "*"
_UNNAMED: Final = "of events that name none it is taken from the settings; not judged here"
_POSITION: Final = re.compile(r"\[[0-9]+\]")
_NAME: Final = re.compile(r"[\w .$\[\]/:-]{1,200}")
_UNTOLD: Final = "(a field with an unusual name)"
_OTHERS: Final = "(other fields)"
_MOST_NOTES: Final = 500


class Read(NamedTuple):
    """One event of a line, if it is one, and what is wrong with it by the names of its writer.

    ``native``: the event as the topic's schema has it. ``dropped``: fields without a usable form.
    """

    line: int
    event: ConversionEvent | None
    errors: Sequence[FieldError]
    native: bytes
    dropped: Sequence[str] = ()
    named: Callable[[str], str] = str


@dataclass(slots=True)
class Incoming:
    """Reads lines of one format. ``single``: each is, or will be, a record of a topic in that
    format, which holds one event. ``notes`` and ``nothing`` count what there is to say of lines:
    fields that found no place, and calls that hold no event.
    """

    format: Format
    advertisers: Mapping[str, AdvertiserDefaults]
    options: Options = field(default_factory=Options)
    strict: bool = False
    single: bool = False
    notes: Counter[Note] = field(default_factory=Counter)
    nothing: Counter[str] = field(default_factory=Counter)
    _spread: bool = False
    _list: bool = False
    _wide: bool = False

    def read(self, line: Line, now: float, appended_at: float | None = None) -> Iterator[Read]:
        """The events of a line: one; of other formats none or several. ``strict``: a field that
        the schema does not know is wrong as well.
        """
        self._spread |= line.value in _OPENING
        self._list |= line.value.startswith(b"[{")
        self._wide |= line.value.startswith(_WIDE)
        if self.format == "native":
            yield self._judged(line.number, line.value, now, appended_at, str)
            return
        try:
            natives = self.translated(line.value, appended_at)
        except InvalidEvent as invalid:
            yield Read(line.number, None, invalid.errors, line.value)
            return
        for native in natives:
            yield self._of_native(line.number, native, now, appended_at)

    def translated(self, value: bytes, appended_at: float | None = None) -> Sequence[Native]:
        """What a line of a tool's format holds, unchecked. Raises ``InvalidEvent``."""
        options = replace(self.options, appended_at=appended_at)
        natives, nothing = translate(value, SOURCES[self.format], options)
        if nothing:
            self.nothing[nothing] += 1
        if self.single:
            only(natives)
        for native in natives:
            for note in {Note(general(one.path), one.text) for one in native.notes}:
                self.notes[self._counted(note)] += 1
        return natives

    def _counted(self, note: Note) -> Note:
        """``note``, or all others as one: payloads with ids as keys must not fill the screen."""
        if note in self.notes or len(self.notes) < _MOST_NOTES:
            return note
        return Note(_OTHERS, note.text)

    def say_notes(self) -> None:
        """Each thing once, with how often it was met."""
        if self._spread:
            say("each event must be on one line: jq -c . FILE puts JSON of several lines there")
        if self._list:
            say(
                "each event must be on a line of its own: jq -c '.[]' FILE takes them out of a list"
            )
        if self._wide:
            say("the file is UTF-16: save it as UTF-8")
        for kind, count in sorted(self.nothing.items()):
            say(f"{kind} hold no event: {count} left out")
        for note, count in sorted(self.notes.items(), key=lambda item: (-item[1], item[0])):
            say(f"{note.path}: {note.text} ({times(count)})")

    def _of_native(
        self, number: int, native: Native, now: float, appended_at: float | None
    ) -> Read:
        read = self._judged(number, native.json(), now, appended_at, native.named)
        errors = native.renamed(read.errors)
        if self.strict:
            errors += [FieldError(n.path, UNKNOWN) for n in native.notes if n.text == NO_PLACE]
        return read._replace(errors=errors)

    def _judged(
        self,
        number: int,
        value: bytes,
        now: float,
        appended_at: float | None,
        named: Callable[[str], str],
    ) -> Read:
        try:
            event = decode(value, self.advertisers, now, appended_at)
        except InvalidEvent as invalid:
            return Read(number, None, invalid.errors, value, (), named)
        unknown = event.unknown_fields() if self.strict else ()
        errors = [FieldError(path, UNKNOWN) for path in unknown]
        return Read(number, event, errors, value, [named(path) for path in event.dropped], named)


_OPENING: Final = (b"{", b"[")
"""Lines that are JSON spread over several, as editors and manuals write it."""
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
"""UTF-16, as some shells write what is redirected to a file."""
_FIELD: Final = re.compile(r"\b[a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*\b")


def by_name(text: str, named: Callable[[str], str]) -> str:
    """``text`` with the event's fields in it (``page.url``) as their writer calls them."""
    return _FIELD.sub(lambda match: named(match[0]), text)


def general(path: str) -> str:
    """A path without positions in lists, so that what happens often is said once; and without
    what may be a person's rather than a field's name.
    """
    return _POSITION.sub("[]", path) if _NAME.fullmatch(path) else _UNTOLD


def times(count: int) -> str:
    """``1 event``, ``2 events``."""
    return f"{count} event" if count == 1 else f"{count} events"


def incoming(
    settings: Settings | None,
    from_: Format | None,
    advertiser: str | None = None,
    *,
    derive_event_id: bool = False,
    strict: bool = False,
) -> Incoming:
    """What the options and settings say of the lines. Raises ``Problems`` for options that mean
    nothing here.
    """
    topic: Format = "native" if settings is None else settings.kafka.events_format
    chosen = from_ or topic
    if chosen == "native":
        _meaningless(advertiser, derive_event_id=derive_event_id)
    options = Options() if settings is None else source_options(settings)
    options = replace(
        options, advertiser=advertiser or options.advertiser, derive_event_id=derive_event_id
    )
    defaults = {} if settings is None else advertiser_defaults(settings)
    return Incoming(chosen, defaults, options, strict)


def without_settings(read: Incoming) -> Incoming:
    """The same where nobody can know whose the events are: that is not judged then."""
    if read.format != "native" and read.options.advertiser is None:
        read.options = replace(read.options, advertiser=ANY_ADVERTISER)
        say(f"advertiser: {_UNNAMED}")
    return read


def _meaningless(advertiser: str | None, *, derive_event_id: bool) -> None:
    given = {"--advertiser": advertiser is not None, "--derive-event-id": derive_event_id}
    rule = "means nothing for events of the schema: they say it themselves"
    problems = [
        Problem(option, rule, "leave it out, or add --from ga4 or --from segment")
        for option, there in given.items()
        if there
    ]
    if problems:
        raise Problems(problems)
