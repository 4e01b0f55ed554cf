"""Reading events, whatever the bytes are."""

from __future__ import annotations

import json
import math
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from forwarder.event import (
    AdvertiserDefaults,
    ConversionEvent,
    InvalidEvent,
    Item,
    User,
    decode,
    decode_checked,
)
from forwarder.names import STANDARD
from forwarder.schema.event import event_schema
from forwarder.schema.examples import SOURCES, example

NOW = 1_795_262_400.0
DEFAULTS = {"acme": AdvertiserDefaults("USD", "US"), "*": AdvertiserDefaults()}
VALID = Draft202012Validator(event_schema())

WORDS = st.text(st.characters(exclude_characters="\x1c\x1d\x1e\x1f", codec="utf-8"), max_size=12)
"""Without the separators that are white space to Python, not to Unicode."""
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.sampled_from(["null", "web", "granted", "USD", "1", "acme", "+12133734253", "213 373 4253"]),
    st.sampled_from(["a@b.co", "203.0.113.1", "https://a.example/?e=a@b.co", "12.50", "0" * 64]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def blocks(model: type[User | Item | ConversionEvent]) -> list[str]:
    return [str(field.validation_alias or name) for name, field in model.declared.items()]


def some(names: list[str], values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=4), values, max_size=6)


FIELDS = blocks(ConversionEvent)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, JSON),
        "event_id": st.just("e1") | SCALARS,
        "event_name": st.sampled_from(STANDARD) | SCALARS,
        "event_time": st.sampled_from([NOW, NOW * 1000, "2026-01-01T00:00:00Z", "2030"]) | SCALARS,
        "advertiser": st.sampled_from(["acme", "other"]) | SCALARS,
        "user": some(blocks(User), JSON) | JSON,
        "items": st.lists(some(blocks(Item), SCALARS) | SCALARS, max_size=4) | JSON,
        "value": st.sampled_from([None, 5, "12.50", 1e3]) | SCALARS,
        "currency": st.sampled_from([None, "EUR"]) | SCALARS,
    },
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5)


def read(value: bytes | None) -> ConversionEvent | InvalidEvent:
    try:
        return decode(value, DEFAULTS, NOW)
    except InvalidEvent as invalid:
        return invalid


@given(value=st.binary(max_size=200) | st.builds(lambda body: b"\0" * 5 + body, st.binary()))
def test_no_bytes_break_the_reading(value: bytes) -> None:
    assert isinstance(read(value), InvalidEvent)


@given(body=JSON)
def test_no_json_breaks_the_reading(body: object) -> None:
    invalid = read(json.dumps(body).encode())
    assert isinstance(invalid, InvalidEvent)
    assert invalid.errors


@given(body=BODIES)
def test_an_event_is_valid_or_says_why_not(body: dict[str, object]) -> None:
    found = read(json.dumps(body).encode())
    if isinstance(found, InvalidEvent):
        assert found.reason in ("invalid_event", "unsupported_version")
        assert {error.path for error in found.errors} <= {
            *("schema_version", "event_id", "event_name", "event_time", "advertiser"),
            *("value", "currency"),
        }
        assert len({error.path for error in found.errors}) == len(found.errors) > 0
    else:
        holds_only_normal_forms(found)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(STANDARD), source=st.sampled_from(SOURCES), changes=CHANGES)
def test_both_ways_to_read_an_event_agree(
    name: str, source: str, changes: dict[str, object]
) -> None:
    value = json.dumps(example(name, source) | changes).encode()
    first = read(value)
    if isinstance(first, InvalidEvent):
        return
    again = decode_checked(value, DEFAULTS)
    assert again == first
    assert again.defaults == first.defaults
    assert again.user.phones == first.user.phones
    assert again.dropped == first.dropped
    assert again.unknown_fields() == first.unknown_fields()
    holds_only_normal_forms(first)


@given(name=st.sampled_from(STANDARD), source=st.sampled_from(SOURCES), changes=CHANGES)
def test_what_the_schema_allows_is_an_event(
    name: str, source: str, changes: dict[str, object]
) -> None:
    body = example(name, source) | {"advertiser": "acme"} | changes
    found = read(json.dumps(body).encode())
    if VALID.is_valid(body) and not {"event_time", "event_id"} & changes.keys():
        assert isinstance(found, ConversionEvent) or body["advertiser"] != "acme"


def holds_only_normal_forms(event: ConversionEvent) -> None:
    assert 1 <= len(event.event_id) <= 128
    assert 1 <= len(event.event_name) <= 64
    assert 1_262_304_000 <= event.event_time <= NOW + 600
    assert event.action_source in SOURCES
    assert event.value is None or (event.currency and 0 <= event.value < 10**12)
    assert len(event.items) <= 500
    assert len(event.properties) <= 50
    amounts = [event.value, *(item.price for item in event.items)]
    assert all(amount is None or isinstance(amount, Decimal) for amount in amounts)
    texts = [
        *(event.order_id, event.session_id, event.user.city, event.user.ip, event.page.url),
        *(*event.user.emails, *event.user.phones, *event.user.external_ids),
        *event.click_ids.values(),
    ]
    assert all(text is None or (isinstance(text, str) and text.strip()) for text in texts)
    numbers = [value for value in event.properties.values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
