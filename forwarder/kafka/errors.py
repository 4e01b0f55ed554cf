"""The one place where aiokafka's errors become the port's."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Final

from aiokafka import errors as foreign

from forwarder.kafka.port import Broken, KafkaProblem, Refused, Stale, TooLarge, Unavailable

_STALE: Final = (
    foreign.CommitFailedError,
    foreign.ConsumerStoppedError,
    foreign.IllegalGenerationError,
    foreign.IllegalStateError,
    foreign.RebalanceInProgressError,
    foreign.UnknownMemberIdError,
)
_TOO_LARGE: Final = (
    foreign.MessageSizeTooLargeError,
    foreign.RecordListTooLargeError,
    foreign.RecordTooLargeError,
)
_REFUSED: Final = (
    foreign.AuthenticationFailedError,
    foreign.AuthenticationMethodNotSupported,
    foreign.ClusterAuthorizationFailedError,
    foreign.GroupAuthorizationFailedError,
    foreign.IllegalSaslStateError,
    foreign.InconsistentGroupProtocolError,
    foreign.InvalidConfigurationError,
    foreign.InvalidGroupIdError,
    foreign.InvalidPartitionsError,
    foreign.InvalidReplicationFactorError,
    foreign.InvalidSessionTimeoutError,
    foreign.InvalidTimestampError,
    foreign.InvalidTopicError,
    foreign.OffsetMetadataTooLargeError,
    foreign.PolicyViolationError,
    foreign.SaslAuthenticationFailed,
    foreign.SecurityDisabled,
    foreign.TopicAuthorizationFailedError,
    foreign.TransactionalIdAuthorizationFailed,
    foreign.UnknownTopicOrPartitionError,
    foreign.UnsupportedSaslMechanismError,
)
_UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    foreign.BrokerNotAvailableError,
    foreign.KafkaConnectionError,
    foreign.KafkaTimeoutError,
    foreign.KafkaUnavailableError,
    foreign.ReplicaNotAvailableError,
    foreign.UnknownError,
)


def translated(error: Exception, doing: str) -> KafkaProblem:
    """``error`` as the port names it. ``doing`` says in the text what did not work."""
    if isinstance(error, KafkaProblem):
        return error
    text = f"{doing}: {_reason(error)}"
    if isinstance(error, ssl.SSLError):
        return Refused(text)
    for kinds, problem in (
        (_STALE, Stale),
        (_TOO_LARGE, TooLarge),
        (_REFUSED, Refused),
        (_UNAVAILABLE, Unavailable),
    ):
        if isinstance(error, kinds):
            return problem(text)
    return Unavailable(text) if getattr(error, "retriable", False) else Broken(text)


@contextlib.asynccontextmanager
async def limited(doing: str, seconds: float) -> AsyncIterator[None]:
    """Time limit and translation around one exchange with the brokers."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (foreign.KafkaError, foreign.ConsumerStoppedError, OSError, TimeoutError) as error:
        raise translated(error, doing) from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    name, text = type(error).__name__, str(error).strip()
    return (text if name in text else f"{name} {text}".strip())[:400]
