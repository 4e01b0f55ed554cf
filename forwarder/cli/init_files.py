"""The files that ``forwarder init`` writes, as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, NamedTuple

from forwarder.cli.init_answers import Answers
from forwarder.destinations import DESTINATIONS
from forwarder.sources import Format

SETTINGS: Final = "settings.yaml"
SAMPLE: Final = "events.jsonl"
TOPIC: Final = "conversions"
_SECRETS: Final = "secrets"
_SAMPLE_ID: Final = "order-100245"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")
_WORDS: Final = frozenset({"true", "false", "null"})


class File(NamedTuple):
    """``secret``: nobody but its owner may read it."""

    path: str
    text: str
    secret: bool = False


def all_files(answers: Answers, now: float) -> list[File]:
    """Every file; ``now`` (epoch seconds) is the time of the sample event."""
    return [
        File(SETTINGS, settings_text(answers)),
        File(f"{_SECRETS}/.gitignore", "*\n"),
        *_secrets(answers),
        File(SAMPLE, _sample(answers, now)),
        *(File(f"snippets/{name}", _snippet(answers, name)) for name in SNIPPETS),
    ]


# -- settings -------------------------------------------------------------------------------------
def secret_path(answers: Answers, destination: str, key: str) -> str:
    """Where a secret goes, relative to the settings."""
    account = answers.account(destination)
    alone = sum(value.secret for value in answers.values[destination].values()) == 1
    return f"{_SECRETS}/{account}" if alone else f"{_SECRETS}/{account}-{key}"


def settings_text(answers: Answers) -> str:
    """``settings.yaml``."""
    return "\n".join(_lines(answers)) + "\n"


def _lines(answers: Answers) -> Iterator[str]:
    advertiser = _scalar(answers.advertiser)
    yield "# Written by `forwarder init`. All settings: docs/settings.md"
    yield "kafka:"
    yield f"  bootstrap_servers: {_scalar(answers.bootstrap)}"
    yield f"  events_topic: {TOPIC}"
    if answers.format != "native":
        yield f"  events_format: {answers.format}  # what the records of that topic hold"
        yield f"  events_advertiser: {advertiser}  # of events that name no advertiser"
    defaults = {"currency": answers.currency, "phone_region": answers.region}
    told = ", ".join(f"{key}: {_scalar(value)}" for key, value in defaults.items() if value)
    yield "advertisers:"
    yield f"  {advertiser}: {{{told}}}"
    yield "accounts:"
    for destination in answers.values:
        yield f"  {answers.account(destination)}:"
        yield f"    destination: {destination}"
        yield f"    advertisers: [{advertiser}]"
        yield from _account(answers, destination)


def _account(answers: Answers, destination: str) -> Iterator[str]:
    for one in DESTINATIONS[destination].asks:
        value = answers.values[destination][one.key]
        if value.secret:
            path = secret_path(answers, destination, one.key)
            yield f"    {one.key}: {{file: {path}}}"
        elif value.given:
            yield f"    {one.key}: {_scalar(value.text)}"
        else:
            yield f"    {one.key}: {_scalar(value.text)}  # an example: put in {one.what}"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _secrets(answers: Answers) -> Iterator[File]:
    for destination, values in answers.values.items():
        for key, value in values.items():
            if value.secret:
                text = f"{value.text}\n" if value.given else ""
                yield File(secret_path(answers, destination, key), text, secret=True)


# -- a sample event, and how to publish one -------------------------------------------------------
def _template(name: str) -> str:
    return files("forwarder.cli").joinpath("init_templates", name).read_text("utf-8")


def _event(answers: Answers) -> str:
    """The sample as JSON text, with ``@id@`` and ``@time@`` in it."""
    advertiser = json.dumps(answers.advertiser)[1:-1]
    return _template(f"{answers.format}.json").replace("@advertiser@", advertiser).strip()


def _sample(answers: Answers, now: float) -> str:
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    written = str(int(now * 1_000_000)) if answers.format == "ga4" else time
    text = _event(answers).replace("@id@", _SAMPLE_ID).replace("@time@", written)
    return json.dumps(json.loads(text)) + "\n"


class _Language(NamedTuple):
    """How a snippet's language writes the current time as text and as microseconds, how far the
    event is indented, and what stands for id and time in it.
    """

    text: str
    micros: str
    indent: int
    id: str
    time: str


SNIPPETS: Final[Mapping[str, _Language]] = {
    "publish.py": _Language(
        'time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())',
        "str(time.time_ns() // 1000)",
        4,
        "event_id",
        "now",
    ),
    "publish.mjs": _Language(
        "new Date().toISOString()", "String(Date.now() * 1000)", 2, "eventId", "now"
    ),
    "Publish.java": _Language(
        "Instant.now().toString()",
        "String.valueOf(System.currentTimeMillis() * 1000)",
        12,
        '"%1$s"',
        '"%2$s"',
    ),
    "publish.go": _Language(
        "time.Now().UTC().Format(time.RFC3339)",
        "fmt.Sprint(time.Now().UnixMicro())",
        0,
        '"%[1]s"',
        '"%[2]s"',
    ),
}


def _snippet(answers: Answers, name: str) -> str:
    language = SNIPPETS[name]
    clock = language.micros if _counts_micros(answers.format) else language.text
    event = _event(answers).replace('"@id@"', language.id).replace('"@time@"', language.time)
    text = _template(f"{name}.tmpl")
    places = {
        "@event@": event.replace("\n", "\n" + " " * language.indent),
        "@time@": clock,
        "@bootstrap@": answers.bootstrap,
        "@topic@": TOPIC,
    }
    for place, put in places.items():
        text = text.replace(place, put)
    return text


def _counts_micros(format_: Format) -> bool:
    return format_ == "ga4"
