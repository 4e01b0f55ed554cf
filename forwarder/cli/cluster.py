"""The cluster that the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from forwarder.credentials import Unreadable, read_secret
from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection, WriteLimits, client_options
from forwarder.kafka.port import Kafka
from forwarder.problems import Problem, SettingsProblems
from forwarder.settings import Settings


def cluster(
    settings: Settings,
    environ: Mapping[str, str] = os.environ,
    *,
    limits: WriteLimits | None = None,
) -> Kafka:
    """The cluster; nothing is connected yet. ``limits``: others than the worker's.

    Raises ``SettingsProblems`` for files that cannot be read.
    """
    kafka = settings.kafka
    cafile, certfile, keyfile = (
        _file(settings, key) for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
    )
    connection = Connection(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism or "PLAIN",
        sasl_username=kafka.sasl_username,
        sasl_password=_password(settings, environ),
        session_timeout=settings.delivery.session_timeout,
        ssl_cafile=cafile,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    try:
        client_options(connection, "check")  # reads the TLS files, which every client does anew
    except OSError as error:
        rule = f"the TLS files cannot be used: {error.strerror or type(error).__name__}"
        raise SettingsProblems([_unusable(settings, "security_protocol", rule)]) from None
    if limits is not None:
        connection = replace(connection, write_timeout=limits.write, stop_timeout=limits.stop)
    return open_kafka(connection)


def _file(settings: Settings, key: str) -> str | None:
    path: Path | None = getattr(settings.kafka, key)
    if path is not None and not path.is_file():
        rule = f"there is no file {path}"
        raise SettingsProblems([_unusable(settings, key, rule)])
    return None if path is None else str(path)


def _password(settings: Settings, environ: Mapping[str, str]) -> str | None:
    source = settings.kafka.sasl_password
    if source is None:
        return None
    try:
        return read_secret(source, environ)
    except Unreadable as error:
        raise SettingsProblems([_unusable(settings, "sasl_password", str(error))]) from None


def _unusable(settings: Settings, key: str, rule: str) -> Problem:
    return Problem(settings.place("kafka", key), rule, "check the path, and who may read it")
