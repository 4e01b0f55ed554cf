"""``dlq export``: who sees whole events."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Run
from tests.unit.cli.memory import Cluster, cluster
from tests.unit.deadletters.build import event

__all__ = ["cluster"]
USER = {"email": "alice@example.com", "phone": "+12133734253"}


def test_what_is_printed_is_masked_unless_revealed_also_into_a_pipe(
    forwarder: Run, settings: Path, cluster: Cluster, home: Path
) -> None:
    cluster.letter(1, value=json.dumps(event(1, user=USER)).encode())
    config = f"--config={settings}"
    ended = forwarder("dlq", "export", config)
    assert (ended.code, ended.json()[0]["event_id"]) == (0, "e1")
    assert ended.json()[0]["user"] == {"email": "***", "phone": "***"}
    assert "masked: name a file with --out" in ended.err
    assert forwarder("dlq", "export", "--reveal", config).json()[0]["user"] == USER
    assert forwarder("dlq", "export", "--out", "out.jsonl", config).code == 0
    assert json.loads((home / "out.jsonl").read_text())["user"] == USER


def test_numbers_that_json_libraries_refuse_are_masked_as_well(
    forwarder: Run, settings: Path, cluster: Cluster
) -> None:
    odd = json.dumps(event(1, value=float("nan"))).replace("}", ',"event_time":1' + "0" * 30 + "}")
    cluster.letter(1, value=odd.encode())
    ended = forwarder("dlq", "export", f"--config={settings}")
    assert (ended.code, ended.json()[0]["value"]) == (0, "***")
