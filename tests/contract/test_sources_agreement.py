"""What other tools write becomes requests that the strict vendors take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from forwarder.destinations.contract import Verdict
from forwarder.sources import Options
from tests.contract.test_sandbox_agreement import deliver
from tests.unit.sources.build import SAMPLES, natives

DEMO = Options(advertiser="demo")
Kind = Literal["ga4", "segment"]


def kind(path: Path) -> Kind:
    return "ga4" if path.name.startswith("ga4") else "segment"


def events() -> Iterator[tuple[str, bytes]]:
    for path in sorted(SAMPLES.glob("*.json")):
        payload = json.loads(path.read_text())
        for number, native in enumerate(natives(kind(path), payload, DEMO)):
            yield f"{path.stem}-{number}", native.json()


EVENTS = dict(events())


@pytest.mark.parametrize("name", EVENTS)
def test_every_sample_is_delivered_without_a_violation(name: str, tmp_path: Path) -> None:
    verdicts, violations = asyncio.run(deliver(tmp_path, EVENTS[name]))
    assert verdicts
    assert set(verdicts.values()) == {Verdict.DELIVERED}, violations
    assert not any(violations.values()), violations


def test_both_kinds_reach_every_vendor(tmp_path: Path) -> None:
    for start in ("ga4", "segment"):
        reached = {
            account
            for name, value in EVENTS.items()
            if name.startswith(start)
            for account in asyncio.run(deliver(tmp_path, value))[0]
        }
        assert {"demo-pixel", "demo-ttd", "demo-thrad"} <= reached
