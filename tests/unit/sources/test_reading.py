"""Bytes that no tool should write: refused or read, and never more than that."""

from __future__ import annotations

from typing import Literal

import pytest

from forwarder.event import InvalidEvent
from forwarder.sources import SOURCES, Options
from forwarder.sources.reading import translate

OPTIONS = Options(advertiser="acme", derive_event_id=True)
Kind = Literal["ga4", "segment"]
PLACES: list[tuple[Kind, str]] = [
    ("segment", '{"type":@,"event":"x"}'),
    ("segment", '{"type":"track","event":@,"messageId":@}'),
    ("segment", '{"type":"track","event":"x","context":{"device":{"type":@}}}'),
    ("segment", '{"type":"track","event":"x","context":{"consent":{"categoryPreferences":@}}}'),
    ("segment", '{"type":"track","event":"x","context":{"traits":{"email":@}}}'),
    ("segment", '{"type":"track","event":"x","properties":{"products":[@]}}'),
    ("segment", '{"type":"track","event":"x","properties":{"products":[{"price":@}]}}'),
    ("segment", '{"type":"track","event":"x","properties":{"price":@,"plan":@}}'),
    ("ga4", '{"event_name":"x","event_params":[{"key":@,"value":{"string_value":"a"}}]}'),
    ("ga4", '{"event_name":"x","event_params":[{"key":"x","value":@}]}'),
    ("ga4", '{"event_name":"x","client_id":@,"timestamp_micros":@}'),
    ("ga4", '{"event_name":"x","x-ga-gcs":@,"platform":@}'),
    ("ga4", '{"events":[{"name":@,"params":{"x":@}}]}'),
    ("ga4", '{"events":[{"name":"x","params":{"items":@}}],"user_data":{"address":@}}'),
]


def read_or_refused(kind: Kind, raw: bytes) -> None:
    try:
        found = translate(raw, SOURCES[kind], OPTIONS)
    except InvalidEvent:
        return
    for one in found.events:
        assert one.json()


@pytest.mark.parametrize(("kind", "place"), PLACES)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize("depth", [3, 30, 450, 1000, 5000])
def test_no_nesting_is_too_deep(
    kind: Kind, place: str, opening: str, closing: str, depth: int
) -> None:
    read_or_refused(kind, place.replace("@", opening * depth + "1" + closing * depth).encode())


@pytest.mark.parametrize(("kind", "place"), PLACES)
@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1" * 400, "1e999", '{"b":[NaN,9e99]}'])
def test_no_number_is_too_odd(kind: Kind, place: str, value: str) -> None:
    """``NaN`` lets a lenient reader in, which yields integers of any size."""
    read_or_refused(kind, place.replace("@", value).encode())


@pytest.mark.parametrize("kind", ["ga4", "segment"])
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "undecodable"),
        (b"", "undecodable"),
        (b"{", "undecodable"),
        (b"\xff", "undecodable"),
        (b'{"type":"track","event":"\\ud800"', "undecodable"),
        (b"\x00\x00\x00\x00\x01", "undecodable"),
        (b"\x00\x00", "undecodable"),
        (b"[]", "invalid_event"),
        (b"1", "invalid_event"),
        (b"{}", "invalid_event"),
        (b'{"x":"' + b"a" * (1 << 20) + b'"}', "oversize"),
    ],
)
def test_what_is_no_record_is_refused(kind: Kind, raw: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        translate(raw, SOURCES[kind], OPTIONS)
    assert caught.value.reason == reason
