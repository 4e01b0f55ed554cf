"""How to reach a cluster, and the time limits that hold there."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiokafka.client
from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.metadata import MetadataRequest

KIB: Final = 1024
MAX_RECORD: Final = 1024 * KIB
# Our headers and Kafka's own framing on top of the largest event.
RECORD_ROOM: Final = 64 * KIB

FEW_PARTITIONS: Final = 32

# Asking for a missing topic by name would create it with the broker's defaults. The client has no
# option for that, and this is the one place where it makes such requests.
aiokafka.client.MetadataRequest = functools.partial(
    MetadataRequest, allow_auto_topic_creation=False
)


class WriteLimits(NamedTuple):
    """Seconds after which a write is given up, and a client that closes gives up what it holds."""

    write: float
    stop: float


@dataclass(frozen=True, slots=True)
class Connection:
    """All times in seconds.

    ``session_timeout``: a member is put out that long after its last sign of life.
    ``rebalance_timeout``: how long the group waits for the ``revoked`` of its members.
    ``write_timeout``, ``commit_timeout``: an acknowledgement that takes longer is ``Unavailable``.
    A write waits longer than one request (``request_timeout``), so that a lost answer is asked for
    again with the same sequence number; given up and written again by its caller, it could be there
    twice.
    ``fetch_wait`` and ``fetch_min_bytes``: the broker answers a fetch when it has that much, or
    after that time. ``None``: by the number of topics (see ``pace``).
    """

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    session_timeout: float = 15.0
    rebalance_timeout: float = 60.0
    request_timeout: float = 10.0
    write_timeout: float = 20.0
    commit_timeout: float = 5.0
    start_timeout: float = 75.0
    stop_timeout: float = 10.0
    fetch_wait: float | None = None
    fetch_min_bytes: int | None = None
    partition_fetch_bytes: int = 512 * KIB
    fetch_bytes: int = 8 * 1024 * KIB


def client_options(connection: Connection, client_id: str) -> dict[str, Any]:
    """What every kind of aiokafka client takes. Raises ``OSError`` for unreadable TLS files."""
    return {
        "bootstrap_servers": connection.bootstrap_servers,
        "client_id": client_id,
        # A topic that is created again, or gets more partitions, is noticed within this time.
        "metadata_max_age_ms": 15_000,
        "retry_backoff_ms": 100,
        "security_protocol": connection.security_protocol,
        "sasl_mechanism": connection.sasl_mechanism or "PLAIN",
        "sasl_plain_username": connection.sasl_username,
        "sasl_plain_password": connection.sasl_password,
        "ssl_context": _tls(connection),
    }


def answer_within(connection: Connection) -> int:
    """Milliseconds that aiokafka waits for an answer: less than whoever asks. Only when it gives up
    by itself does it close the connection, and the next question goes out on a new one.
    """
    return milliseconds(connection.request_timeout * 0.7)


def pace(connection: Connection, partitions: int) -> tuple[float, int]:
    """Seconds and bytes that a fetch waits for.

    A fetch names each partition, so with many of them an answer for every single record costs more
    than the record: 300 partitions at 50 records a second took 42% of a core. Waiting up to 0.2 s
    for 64 KiB halves that. With few partitions records are read as they come.
    """
    wait, least = (0.5, 1) if partitions <= FEW_PARTITIONS else (0.2, 64 * KIB)
    return (
        wait if connection.fetch_wait is None else connection.fetch_wait,
        least if connection.fetch_min_bytes is None else connection.fetch_min_bytes,
    )


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _tls(connection: Connection) -> ssl.SSLContext | None:
    if connection.security_protocol not in ("SSL", "SASL_SSL"):
        return None
    make: Callable[..., ssl.SSLContext] = create_ssl_context
    return make(
        cafile=connection.ssl_cafile,
        certfile=connection.ssl_certfile,
        keyfile=connection.ssl_keyfile,
        password="",  # or OpenSSL asks a terminal for it
    )
