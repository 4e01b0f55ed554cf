"""Whatever a tool may have written, it becomes events of the schema or a refusal, nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.event import InvalidEvent, decode
from forwarder.sources import SOURCES, Native, Options
from forwarder.sources.contract import NO_PLACE
from forwarder.sources.fields import leaves
from forwarder.sources.reading import translate
from tests.unit.sources.build import NOW, SAMPLES, sample

Kind = Literal["ga4", "segment"]
OPTIONS = Options(
    advertiser="acme",
    appended_at=NOW,
    derive_event_id=True,
    consent={"ad_user_data": ["Advertising", "Other"]},
)
WORDS = sorted(
    {
        part
        for path in SAMPLES.glob("*.json")
        for found in leaves(sample(path.stem))
        for part in found.path.replace("[]", "").split(".")
    }
    | {"consent", "categoryPreferences", "consentManagement", "deniedConsentIds", "advertiser"}
    | {"trackingStatus", "is_limited_ad_tracking", "vendor_id", "x-ga-gcs", "campaign", "ttclid"}
)
readable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["track", "page", "ios", "WEB", "IOS", "Yes", "G111", "a@b.co", "12.5"]),
)
scalars = readable | st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
    ),
    max_leaves=20,
)


def kinds() -> list[tuple[Kind, str]]:
    names = sorted(path.stem for path in SAMPLES.glob("*.json"))
    return [("ga4" if name.startswith("ga4") else "segment", name) for name in names]


def events(kind: Kind, raw: bytes) -> tuple[Native, ...]:
    """What is no event may only be refused."""
    try:
        found = translate(raw, SOURCES[kind], OPTIONS).events
    except InvalidEvent:
        return ()
    for one in found:
        with suppress(InvalidEvent):
            decode(one.json(), {}, NOW)
    return found


def mutated(draw: st.DataObject, node: Any) -> Any:
    """A sample with something else in one place."""
    if isinstance(node, dict) and node and draw.draw(st.integers(0, 9)):
        key = draw.draw(st.sampled_from(sorted(node)))
        return {**node, key: mutated(draw, node[key])}
    if isinstance(node, list) and node and draw.draw(st.integers(0, 9)):
        at = draw.draw(st.integers(0, len(node) - 1))
        return [*node[:at], mutated(draw, node[at]), *node[at + 1 :]]
    return draw.draw(values)


@pytest.mark.parametrize(("kind", "name"), kinds())
@given(draw=st.data())
def test_a_payload_with_anything_in_one_place_is_read_or_refused(
    kind: Kind, name: str, draw: st.DataObject
) -> None:
    events(kind, json.dumps(mutated(draw, sample(name))).encode())


@pytest.mark.parametrize("kind", ["ga4", "segment"])
@given(payload=st.dictionaries(st.sampled_from(WORDS), values, max_size=12))
def test_any_object_is_read_or_refused(kind: Kind, payload: dict[str, Any]) -> None:
    events(kind, json.dumps(payload).encode())


@pytest.mark.parametrize("kind", ["ga4", "segment"])
@given(raw=st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(kind: Kind, raw: bytes) -> None:
    events(kind, raw)


@pytest.mark.parametrize(("kind", "name"), kinds())
@pytest.mark.parametrize("opening", ['{"a":', "["])
@given(draw=st.data(), depth=st.sampled_from([5, 20, 300, 900, 2000]))
def test_no_nesting_is_too_deep(
    kind: Kind, name: str, opening: str, draw: st.DataObject, depth: int
) -> None:
    payload = sample(name)
    key = draw.draw(st.sampled_from(sorted(payload)))
    whole = json.dumps({**payload, key: "@"})
    deep = opening * depth + "1" + {"[": "]"}.get(opening, "}") * depth
    events(kind, whole.replace('"@"', deep).encode())


@given(payload=st.dictionaries(st.sampled_from(WORDS), values, max_size=12))
def test_the_same_payload_gives_the_same_events(payload: dict[str, Any]) -> None:
    raw = json.dumps({"type": "track", "event": "x", **payload}).encode()
    assert [one.json() for one in events("segment", raw)] == [
        one.json() for one in events("segment", raw)
    ]


@given(
    properties=st.dictionaries(st.text("abcdefgh", min_size=1, max_size=6), readable, max_size=8),
    context=st.dictionaries(st.text("abcdefgh", min_size=1, max_size=6), readable, max_size=8),
)
def test_nothing_is_lost_in_silence(
    properties: dict[str, object], context: dict[str, object]
) -> None:
    """A field that no rule knows is a property of the event, or named."""
    payload = {"type": "track", "event": "x", "properties": properties, "context": context}
    (one,) = events("segment", json.dumps(payload).encode())
    kept = orjson.loads(one.json()).get("properties", {})
    named = {note.path for note in one.notes if note.text == NO_PLACE}
    said = {found.path for found in leaves(json.loads(json.dumps(payload)))} - {"type", "event"}
    assert {f"properties.{key}" for key in kept} | named == said
