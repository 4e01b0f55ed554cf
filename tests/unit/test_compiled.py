"""Which core the tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forwarder import normal, plan
from forwarder.destinations import tiktok_event
from forwarder.event import decoding
from forwarder.lane import lane
from tests.support.broker import ROOT


@pytest.mark.parametrize("module", [lane, plan, normal, decoding, tiktok_event])
def test_the_core_is_compiled_where_that_is_asked_for_and_nowhere_else(module: object) -> None:
    compiled = str(ROOT / "build" / "compiled")
    asked = compiled in os.environ.get("PYTHONPATH", "").split(os.pathsep)
    found = Path(getattr(module, "__file__", ""))
    assert found.suffix == (".so" if asked else ".py")
    assert found.is_relative_to(compiled if asked else ROOT / "forwarder")
