"""The event's schema only grows: whatever the last version took is taken still, and means the same
field.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from forwarder.schema.event import event_schema
from tests.support.schema_changes import narrowed

VERSIONS = Path(__file__).parents[2] / "schemas" / "versions"
Json = dict[str, Any]


def number(path: Path) -> tuple[int, int]:
    major, minor = re.fullmatch(r"event-(\d+)\.(\d+)\.schema\.json", path.name).groups()  # type: ignore[union-attr]
    return int(major), int(minor)


STORED = sorted(VERSIONS.iterdir(), key=number)


def schema(path: Path) -> Json:
    found: Json = json.loads(path.read_text("utf-8"))
    return found


def current() -> Json:
    """The schema as it is published."""
    found: Json = json.loads(json.dumps(event_schema()))
    return found


LAST = schema(STORED[-1])


def test_nothing_is_taken_away_from_the_last_version() -> None:
    assert narrowed(LAST, current()) == []


def test_each_version_takes_all_of_the_one_before() -> None:
    for before, after in pairwise(STORED):
        if number(before)[0] == number(after)[0]:
            assert narrowed(schema(before), schema(after)) == [], after.name


def test_a_growing_schema_is_stored_as_a_version() -> None:
    """So that what one release adds the next one cannot take back."""
    words = ("description", "examples", "title")

    def bare(node: object) -> object:
        if isinstance(node, dict):
            return {key: bare(value) for key, value in node.items() if key not in words}
        return [bare(one) for one in node] if isinstance(node, list) else node

    major, minor = number(STORED[-1])
    step = f"cp schemas/event.schema.json schemas/versions/event-{major}.{minor + 1}.schema.json"
    assert bare(current()) == bare(LAST), f"the schema has grown; store it: {step}"


def test_examples_of_the_last_version_are_valid_now() -> None:
    for example in LAST["examples"]:
        Draft202012Validator(current()).validate(example)


# -- the comparison can fail ----------------------------------------------------------------------
def fields(node: Json, root: Json, at: str = "") -> Iterator[tuple[str, Json, str]]:
    """Every property: its path, the object that holds it, its name."""
    for name, below in node.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        yield path, node, name
        for inner in (below, below.get("items", {})):
            target = inner
            if "$ref" in inner:
                target = root["$defs"][inner["$ref"].rpartition("/")[2]]
            yield from fields(target, root, path)


PATHS = [path for path, _, _ in fields(LAST, LAST)]


def changed(path: str, change: Callable[[Json], None]) -> Json:
    """The last version with one field's schema changed."""
    made = copy.deepcopy(LAST)
    for found, node, name in fields(made, made):
        if found == path:
            change(node["properties"][name])
            return made
    raise AssertionError(path)


def test_the_fields_are_found() -> None:
    assert {"event_id", "user.email", "items.price", "consent.tcf"} <= set(PATHS)
    assert len(PATHS) > 60


@pytest.mark.parametrize("path", PATHS)
def test_a_field_that_is_gone_is_noticed(path: str) -> None:
    made = copy.deepcopy(LAST)
    for found, node, name in fields(made, made):
        if found == path:
            del node["properties"][name]
            break
    assert any(f"{path.rpartition('.')[2]}: is gone" in loss for loss in narrowed(LAST, made))


@pytest.mark.parametrize("path", PATHS)
def test_a_field_of_another_type_is_noticed(path: str) -> None:
    def replace(field: Json) -> None:
        field.clear()
        field["type"] = "null"

    assert narrowed(LAST, changed(path, replace))


@pytest.mark.parametrize("path", PATHS)
def test_a_field_that_becomes_required_is_noticed(path: str) -> None:
    made = copy.deepcopy(LAST)
    for found, node, name in fields(made, made):
        if found == path:
            if name in node.get("required", ()):
                return
            node["required"] = [*node.get("required", ()), name]
            break
    assert any("is required now" in loss for loss in narrowed(LAST, made))


def put(**words: object) -> Callable[[Json], None]:
    return lambda field: field.update(words)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("event_id", put(maxLength=64)),
        ("event_id", put(minLength=2)),
        ("event_id", put(pattern="^[a-z]+$")),
        ("event_id", put(type="string")),
        ("event_name", put(enum=["purchase"])),
        ("action_source", put(enum=["web", "app"])),
        ("user", put(additionalProperties=False)),
        ("user.email", put(anyOf=[{"type": "string"}])),
        ("user.email", lambda field: field["anyOf"][1].update(maxItems=5)),
        ("user.email", lambda field: field["anyOf"][1]["items"].update(maxLength=9)),
        ("items", put(maxItems=100)),
        ("items.price", put(anyOf=[{"type": "number", "minimum": 0}])),
        ("items.price", put(anyOf=[{"type": "number", "minimum": 1}, {"type": "string"}])),
        ("properties", put(maxProperties=10)),
        ("schema_version", put(const="2")),
        ("currency", put(pattern="^USD$")),
        ("session_id", put(contentEncoding="base64")),
    ],
)
def test_a_field_that_takes_less_is_noticed(path: str, change: Callable[[Json], None]) -> None:
    assert narrowed(LAST, changed(path, change)), path


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("event_id", put(maxLength=256)),
        ("event_id", put(description="other words")),
        ("event_id", put(type=["string", "integer", "number"])),
        ("action_source", put(enum=["web", "app", "offline", "crm", "store"])),
        ("items", put(maxItems=1000)),
        ("session_id", put(type=["integer", "string"])),
        ("user", lambda field: field["properties"].update(nickname={"type": "string"})),
        ("user.email", lambda field: field["anyOf"].append({"type": "null"})),
        ("currency", lambda field: field.pop("pattern", None)),
    ],
)
def test_a_schema_may_grow(path: str, change: Callable[[Json], None]) -> None:
    assert narrowed(LAST, changed(path, change)) == []
