"""What producers build on: the committed files are what the program writes, and they hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from forwarder.event import AdvertiserDefaults, InvalidEvent, decode
from forwarder.names import STANDARD
from forwarder.schema import files, write_schemas
from forwarder.schema.asyncapi import asyncapi
from forwarder.schema.event import event_schema
from forwarder.schema.examples import SOURCES, examples

COMMITTED = Path(__file__).parents[2] / "schemas"
NOW = 1_795_262_400.0
ACME = {"acme": AdvertiserDefaults("USD")}
HEADERS = """
origin account destination attempts replays retries reason code message first-failed-at
last-failed-at event-id event-name event-time advertiser order-id run
"""
VALID = Draft202012Validator(event_schema())


def required(**fields: object) -> dict[str, object]:
    return {
        "event_id": "e1",
        "event_name": "purchase",
        "event_time": "2026-01-01T00:00:00Z",
        "advertiser": "acme",
        **fields,
    }


def test_the_committed_files_are_those_that_the_program_writes() -> None:
    wanted = dict(files())
    found = {
        path.relative_to(COMMITTED).as_posix(): path.read_text(encoding="utf-8")
        for path in COMMITTED.rglob("*")
        if path.is_file() and path.parent.name != "versions"
    }
    assert sorted(found) == sorted(wanted), "run: forwarder schema --out schemas"
    stale = [name for name, text in wanted.items() if found[name] != text]
    assert stale == [], "run: forwarder schema --out schemas"


def test_files_are_written_where_told(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(written)
    assert (tmp_path / "event.schema.json") in written
    assert (tmp_path / "asyncapi.json") in written


def test_every_standard_event_has_an_example_for_every_source() -> None:
    names = {name for name, _ in examples()}
    assert names >= {
        f"{name}.{source}.json" for name in STANDARD for source in ("web", "app", "offline", "crm")
    }
    assert SOURCES == ("web", "app", "offline", "crm")


@pytest.mark.parametrize("name", dict(examples()))
def test_an_example_is_what_it_shows(name: str) -> None:
    example = dict(examples())[name]
    VALID.validate(example)
    event = decode(json.dumps(example).encode(), ACME, NOW)
    assert f"{event.event_name}.{event.action_source}.json" == name
    assert event.dropped == ()
    assert event.unknown_fields() == ()


def test_the_schema_is_one_and_says_so() -> None:
    schema = event_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"$id", "title", "description", "examples"} <= schema.keys()
    assert schema["required"] == ["event_id", "event_name", "event_time", "advertiser"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_id": ""},
        {"event_id": "x" * 129},
        {"event_name": "x" * 65},
        {"event_name": 7},
        {"event_time": True},
        {"value": -1},
        {"value": "1,5"},
        {"value": True},
        {"currency": "XXX"},
        {"schema_version": "2"},
    ],
    ids=str,
)
def test_what_makes_an_event_invalid_the_schema_forbids(wrong: dict[str, object]) -> None:
    assert VALID.is_valid(required())
    assert not VALID.is_valid(required(**wrong))
    with pytest.raises(InvalidEvent):
        decode(json.dumps(required(**wrong)).encode(), ACME, NOW)


def test_asyncapi_names_every_topic_and_header() -> None:
    document = asyncapi()
    text = json.dumps(document)
    assert document["asyncapi"] == "3.0.0"
    for topic in ("conversions", "conversions.queue.{account}", "conversions.retry.{delay}"):
        assert f'"{topic}"' in text
    assert '"conversions.dlq"' in text
    for header in HEADERS.split():
        assert f'"forwarder-{header}"' in text
    assert "./event.schema.json" in text


def test_asyncapi_points_only_at_what_is_there() -> None:
    document = json.loads(json.dumps(asyncapi()))
    for reference in _references(document):
        if reference.startswith("#/"):
            at = document
            for step in reference[2:].split("/"):
                at = at[step]


def _references(node: object) -> list[str]:
    if isinstance(node, list):
        return [found for part in node for found in _references(part)]
    if not isinstance(node, dict):
        return []
    below = [found for part in node.values() for found in _references(part)]
    return [*below, node["$ref"]] if "$ref" in node else below
