"""Failures at run time, in the same form as problems of settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from forwarder.kafka.port import Broken, KafkaProblem, Refused, TooLarge, Unavailable
from forwarder.problems import Problem, Problems


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
            return "check kafka.bootstrap_servers, and that the brokers are up"
        case Refused():
            return "create the topics with forwarder topics create, or grant this principal access"
        case TooLarge():
            return "raise max.message.bytes of the topic: see forwarder topics diff"
        case Broken():
            return "run the command again"
        case _:
            return ""
