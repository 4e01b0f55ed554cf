"""What settings say about reaching the cluster must hold before anything connects."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.cli.cluster import cluster
from forwarder.kafka.client import AiokafkaCluster
from forwarder.problems import SettingsProblems
from forwarder.settings import load

SASL = """\
kafka:
  security_protocol: SASL_PLAINTEXT
  sasl_mechanism: SCRAM-SHA-512
  sasl_username: me
  sasl_password: {file: secrets/kafka}
delivery: {session_timeout: 20s}
"""


def problem(home: Path, text: str) -> str:
    (home / "settings.yaml").write_text(text)
    with pytest.raises(SettingsProblems) as caught:
        cluster(load(Path("settings.yaml"), {}), {})
    (only,) = caught.value.problems
    return str(only)


def test_everything_reaches_the_connection(home: Path) -> None:
    (home / "settings.yaml").write_text(SASL)
    (home / "secrets").mkdir()
    (home / "secrets/kafka").write_text("hush\n")
    made = cluster(load(Path("settings.yaml"), {}), {})
    assert isinstance(made, AiokafkaCluster)
    connection = made.connection
    assert connection.security_protocol == "SASL_PLAINTEXT"
    assert connection.sasl_mechanism == "SCRAM-SHA-512"
    assert (connection.sasl_username, connection.sasl_password) == ("me", "hush")
    assert connection.session_timeout == 20
    assert "hush" not in repr(made)


def test_a_password_that_cannot_be_read(home: Path) -> None:
    assert problem(home, SASL) == (
        "settings.yaml:5 kafka.sasl_password: the file secrets/kafka cannot be read: "
        "No such file or directory (check the path, and who may read it)"
    )


def test_tls_files_that_are_missing_or_no_certificates(home: Path) -> None:
    text = "kafka:\n  security_protocol: SSL\n  ssl_cafile: ca.pem\n"
    assert problem(home, text) == (
        "settings.yaml:3 kafka.ssl_cafile: there is no file ca.pem "
        "(check the path, and who may read it)"
    )
    (home / "ca.pem").write_text("no certificate")
    assert problem(home, text).startswith(
        "settings.yaml:2 kafka.security_protocol: the TLS files cannot be used: "
    )
