"""What ``forwarder init`` must know: from flags, from answers, or from defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Ask
from forwarder.problems import Problem, Problems, did_you_mean
from forwarder.sources import Format

ADVERTISER: Final = "acme"
CURRENCY: Final = "USD"
REGION: Final = "US"
BOOTSTRAP: Final = "localhost:9092"
_NAME: Final = re.compile(r"[\w .-]{1,64}")
_FORMATS: Final[Mapping[str, Format]] = {"native": "native", "ga4": "ga4", "segment": "segment"}


@dataclass(frozen=True, slots=True)
class Value:
    """``given`` by the user; else an example that he has to replace. ``secret``: kept apart."""

    text: str
    given: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """All that the files are made of. ``values``: by destination and setting."""

    format: Format
    advertiser: str
    currency: str
    region: str
    bootstrap: str
    values: Mapping[str, Mapping[str, Value]]

    def account(self, destination: str) -> str:
        """The name of the account at ``destination``."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.advertiser.lower()).strip("-") or "my"
        return f"{slug}-{destination}"[:64]


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; ``None`` and empty: nothing."""

    format: Format | None
    advertiser: str | None
    currency: str | None
    region: str | None
    bootstrap: str | None
    destinations: Sequence[str]
    settings: Sequence[str]


Question = Callable[[str, str, bool], str]
"""Asks: (text, default, hidden) to the answer. Without a terminal it gives the default."""


def answers(flags: Flags, ask: Question) -> Answers:
    """Ask for what the flags leave open. Raises ``Problems``."""
    chosen = _destinations(flags, ask)
    given = _settings(flags.settings, chosen)
    kinds = " or ".join(_FORMATS)
    said = flags.format or _FORMATS.get(ask(f"What are your events: {kinds}", "native", False))
    if said is None:
        raise Problems([Problem("--from", "no such format", f"one of {kinds}")])
    advertiser = _told(flags.advertiser, ask, "The advertiser's name", ADVERTISER)
    if not _NAME.fullmatch(advertiser):
        rule = "is 1 to 64 letters, digits, spaces and . _ - here"
        raise Problems([Problem("--advertiser", rule, "take a short name of it")])
    return Answers(
        format=said,
        advertiser=advertiser,
        currency=_told(flags.currency, ask, "Its currency, where events name none", CURRENCY),
        region=_told(flags.region, ask, "The country of phone numbers without a prefix", REGION),
        bootstrap=_told(flags.bootstrap, ask, "Kafka brokers", BOOTSTRAP),
        values={name: _values(name, given, ask) for name in chosen},
    )


def _told(flag: str | None, ask: Question, text: str, default: str) -> str:
    return (ask(text, default, False) if flag is None else flag).strip()


def _destinations(flags: Flags, ask: Question) -> list[str]:
    known = sorted(DESTINATIONS)
    names: Sequence[str] = flags.destinations
    if not names:
        names = re.split(r"[\s,]+", ask("Destinations", ", ".join(known), False).strip())
    problems = [
        Problem(f"--destination {name}", "no destination has this name", did_you_mean(name, known))
        for name in names
        if name not in known
    ]
    if problems:
        raise Problems(problems)
    return list(dict.fromkeys(names))


def _settings(pairs: Sequence[str], chosen: Sequence[str]) -> dict[tuple[str, str], str]:
    """``destination.setting=value`` of ids. A secret on a command line would be seen by others."""
    found: dict[tuple[str, str], str] = {}
    problems: list[Problem] = []
    for pair in pairs:
        path, equals, value = pair.partition("=")
        name, _, key = path.partition(".")
        asked = [one.key for one in _asks(name)] if name in chosen else []
        place = f"--set {path}"
        if key in _secrets(name):
            fix = "leave it out: it is asked for, or goes into its file afterwards"
            problems.append(Problem(place, "a secret is not given on the command line", fix))
        elif not equals or key not in asked:
            open_ = [f"{n}.{a.key}" for n in chosen for a in _asks(n) if a.key not in _secrets(n)]
            rule = "is no setting of a chosen destination, written as D.SETTING=VALUE"
            problems.append(Problem(place, rule, did_you_mean(path, open_)))
        else:
            found[name, key] = value.strip()
    if problems:
        raise Problems(problems)
    return found


def _asks(name: str) -> Sequence[Ask]:
    return DESTINATIONS[name].asks if name in DESTINATIONS else ()


def _secrets(name: str) -> Sequence[str]:
    return DESTINATIONS[name].settings_model.secret_fields if name in DESTINATIONS else ()


def _values(name: str, given: Mapping[tuple[str, str], str], ask: Question) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for one in _asks(name):
        secret = one.key in _secrets(name)
        text = given.get((name, one.key))
        if text is None:
            text = ask(f"{name}: {one.what} (empty: later)", "", secret).strip()
        example = "" if secret else one.example
        values[one.key] = Value(text or example, bool(text), secret)
    return values
