"""Failures at run time, in the same form as problems of settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from forwarder.kafka.port import Broken, KafkaProblem, Refused, TooLarge, Unavailable
from forwarder.problems import Problem, Problems

_HANGS_UP: Final = re.compile(
    r"connecting: .*(ConnectionReset|Connection at \S+ closed|Unable to bootstrap)"
)
"""What a listener does that is spoken to in another protocol, and what is no broker at all."""
_STRANGER: Final = re.compile(r"sasl|ssl|certificate|authentication", re.IGNORECASE)


class Failed(Problems):
    """A command could not do its work, though it was asked rightly."""


def kafka_failure(problem: KafkaProblem, place: str = "kafka") -> Failed:
    """``problem`` as a user reads it."""
    return Failed([Problem(place, str(problem) or type(problem).__name__, _fix(problem))])


@contextmanager
def kafka_at(place: str) -> Iterator[None]:
    """Names the setting behind whatever Kafka refuses inside."""
    try:
        yield
    except KafkaProblem as problem:
        raise kafka_failure(problem, place) from None


def _fix(problem: KafkaProblem) -> str:
    match problem:
        case Unavailable():
            fix = "check kafka.bootstrap_servers, and that the brokers are up"
            if _HANGS_UP.match(str(problem)):
                fix = (
                    "check that kafka.security_protocol is that of the port in bootstrap_servers, "
                    "and the ssl_ settings where brokers ask for a client's certificate"
                )
        case Refused():
            fix = "create the topics with forwarder topics create, or grant this principal access"
            if _STRANGER.search(str(problem)):
                fix = "check kafka.security_protocol, and the sasl_ and ssl_ settings beside it"
        case TooLarge():
            fix = "raise max.message.bytes of the topic: see forwarder topics diff"
        case Broken():
            fix = "run the command again"
        case _:
            fix = ""
    return fix
