"""The house's rules that a reader relies on: who imports whom, how long a module gets, where a
vendor is named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "forwarder"
MODULES = sorted(PACKAGE.rglob("*.py"))

PURE = (
    "event",
    "normal",
    "consent",
    "routing",
    "names",
    "surrogates",
    "plan",
    "units",
    "destinations/",
    "lane/",
    "sources/",
    "kafka/port",
    "kafka/records",
    "http/port",
)
OUTSIDE_WORLD = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "os",
    "socket",
    "subprocess",
    "threading",
    "time",
}
LOOP_TIME = {"lane/budget": {"asyncio"}}
"""A budget waits, on the loop's time: the one exception."""
PURE_MAY_IMPORT = re.compile(
    r"forwarder(\.(event|normal|consent|routing|names|plan|units|credentials|destinations|lane|sources"
    r"|money|currencies|surrogates"
    r"|kafka\.(port|records)|http\.port)(\..*)?)?$"
)
OWNERS = {
    "aiokafka": ("kafka/",),
    "aiohttp": ("http/", "ops/", "sandbox/"),
    "confluent_kafka": ("sandbox/", "demo/"),
    "typer": ("cli/",),
}
VENDOR = re.compile(r"tik_?tok|trade_?desk|adsrvr|thrad", re.IGNORECASE)
VENDOR_ROOMS = ("destinations/", "sandbox/")
LONGEST = 400


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imports(path: Path) -> Iterator[str]:
    """Modules that ``path`` imports when it runs (not those for type checking alone)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith(PURE)], ids=name)
def test_a_pure_module_knows_nothing_of_the_outside(path: Path) -> None:
    allowed = LOOP_TIME.get(name(path), set())
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in OUTSIDE_WORLD - allowed, f"{name(path)} imports {module}"
        if top == "forwarder":
            assert PURE_MAY_IMPORT.match(module), f"{name(path)} imports {module}"


@pytest.mark.parametrize("library", OWNERS)
def test_a_foreign_library_has_one_room(library: str) -> None:
    strangers = [
        name(path)
        for path in MODULES
        if any(module.split(".")[0] == library for module in imports(path))
        and not name(path).startswith(OWNERS[library])
    ]
    assert strangers == []


@pytest.mark.parametrize(
    "path", [p for p in MODULES if not name(p).startswith(VENDOR_ROOMS)], ids=name
)
def test_no_vendor_is_named_outside_its_rooms(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if VENDOR.search(line)]
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_the_rules_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import asyncio\nfrom aiokafka.errors import KafkaError\n")
    assert set(imports(bad)) == {"asyncio", "aiokafka.errors"}
    assert VENDOR.search("send it to TikTok")
    assert VENDOR.search("thrad_click_id")
    assert not VENDOR.search("a thread")
