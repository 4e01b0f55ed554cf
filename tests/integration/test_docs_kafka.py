"""The quickstart's way through Kafka, command by command, on a real one."""

from __future__ import annotations

from pathlib import Path

from tests.support.broker import free_port
from tests.support.console import Step, play, sections

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
SECTION = "Through Kafka, to vendors that are not real"


def test_the_way_through_kafka_runs_as_it_stands_there(
    kafka_bootstrap: str, unique: str, tmp_path: Path
) -> None:
    port = str(free_port())
    env = {
        "FORWARDER_KAFKA__BOOTSTRAP_SERVERS": kafka_bootstrap,
        "FORWARDER_KAFKA__GROUP_ID": unique,
        "FORWARDER_KAFKA__TOPIC_PREFIX": unique,
        "FORWARDER_KAFKA__EVENTS_TOPIC": f"{unique}.conversions",
        "FORWARDER_OPS__LISTEN": f"127.0.0.1:{free_port()}",
    }
    steps = [
        Step(
            step.command.replace("8900", port),
            tuple(
                line.replace("to conversions", f"to {unique}.conversions") for line in step.printed
            ),
        )
        for step in sections(PAGE)[SECTION]
    ]
    assert any("8900" in step.command for step in sections(PAGE)[SECTION])
    assert play(steps, tmp_path, env) == []
