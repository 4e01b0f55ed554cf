"""What is advised when Kafka does not do what it was asked."""

from __future__ import annotations

import pytest

from forwarder.cli.failures import kafka_failure
from forwarder.kafka.port import KafkaProblem, Refused, Unavailable

HANGS_UP = (
    "check that kafka.security_protocol is that of the port in bootstrap_servers, and the ssl_ "
    "settings where brokers ask for a client's certificate"
)


@pytest.mark.parametrize(
    ("problem", "advice"),
    [
        (
            Unavailable("connecting: ConnectionRefusedError [Errno 111]"),
            "check kafka.bootstrap_servers, and that the brokers are up",
        ),
        (
            Unavailable("connecting: ConnectionResetError"),
            HANGS_UP,
        ),
        (
            Unavailable("connecting: KafkaConnectionError: Connection at b:9092 closed"),
            HANGS_UP,
        ),
        (
            Refused("connecting: [Error 34] IllegalSaslStateError: <AIOKafkaConnection>"),
            "check kafka.security_protocol, and the sasl_ and ssl_ settings beside it",
        ),
        (
            Refused("connecting: [Error 58] SaslAuthenticationFailed"),
            "check kafka.security_protocol, and the sasl_ and ssl_ settings beside it",
        ),
        (
            Refused("connecting: SSLCertVerificationError certificate verify failed"),
            "check kafka.security_protocol, and the sasl_ and ssl_ settings beside it",
        ),
        (
            Refused("writing: [Error 29] TopicAuthorizationFailedError: conversions"),
            "create the topics with forwarder topics create, or grant this principal access",
        ),
    ],
)
def test_the_advice_fits_the_problem(problem: KafkaProblem, advice: str) -> None:
    (told,) = kafka_failure(problem).problems
    assert told.fix == advice
