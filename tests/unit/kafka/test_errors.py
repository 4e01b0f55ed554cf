from __future__ import annotations

import asyncio
import ssl

import pytest
from aiokafka import errors as foreign

from forwarder.kafka.connection import Connection, client_options, pace
from forwarder.kafka.errors import limited, translated
from forwarder.kafka.port import Broken, KafkaProblem, Refused, Stale, TooLarge, Unavailable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (foreign.CommitFailedError("x"), Stale),
        (foreign.IllegalStateError("x"), Stale),
        (foreign.UnknownMemberIdError(), Stale),
        (foreign.MessageSizeTooLargeError(), TooLarge),
        (foreign.RecordListTooLargeError(), TooLarge),
        (foreign.TopicAuthorizationFailedError("t"), Refused),
        (foreign.GroupAuthorizationFailedError("g"), Refused),
        (foreign.UnknownTopicOrPartitionError(), Refused),
        (foreign.SaslAuthenticationFailed(), Refused),
        (foreign.InconsistentGroupProtocolError(), Refused),
        (foreign.PolicyViolationError(), Refused),
        (ssl.SSLCertVerificationError("x"), Refused),
        (foreign.KafkaConnectionError("x"), Unavailable),
        (foreign.KafkaTimeoutError(), Unavailable),
        (foreign.NotEnoughReplicasError(), Unavailable),
        (foreign.LeaderNotAvailableError(), Unavailable),
        (foreign.RequestTimedOutError(), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (TimeoutError(), Unavailable),
        (foreign.ProducerFenced(), Broken),
        (foreign.OutOfOrderSequenceNumber(), Broken),
        (foreign.InvalidProducerEpoch(), Broken),
        (foreign.KafkaError("coordination ended"), Broken),
    ],
)
def test_every_error_is_named_by_its_remedy(error: Exception, kind: type[KafkaProblem]) -> None:
    made = translated(error, "doing it")
    assert type(made) is kind
    assert str(made).startswith("doing it: ")


def test_the_ports_own_errors_stay_as_they_are() -> None:
    problem = Stale("over")
    assert translated(problem, "doing it") is problem


async def test_a_limit_is_unavailable_and_names_what_took_too_long() -> None:
    with pytest.raises(Unavailable, match="committing: no answer in time"):
        async with limited("committing", 0.01):
            await asyncio.sleep(5)


async def test_mistakes_of_our_own_are_not_translated() -> None:
    with pytest.raises(ZeroDivisionError):
        async with limited("committing", 1):
            raise ZeroDivisionError


def test_the_password_is_not_shown() -> None:
    connection = Connection("localhost:9092", sasl_username="app", sasl_password="hush-hush")
    assert "hush-hush" not in repr(connection)
    assert client_options(connection, "x")["sasl_plain_password"] == "hush-hush"


def test_few_partitions_are_read_at_once_and_many_in_bundles() -> None:
    connection = Connection("localhost:9092")
    assert pace(connection, 10) == (0.5, 1)
    assert pace(connection, 300) == (0.2, 64 * 1024)
    told = Connection("localhost:9092", fetch_wait=0.1, fetch_min_bytes=7)
    assert pace(told, 300) == (0.1, 7)
