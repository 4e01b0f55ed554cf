"""An events topic in a tool's format: the router writes events of the schema, or says why not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from forwarder.destinations import DESTINATIONS
from forwarder.event import ConversionEvent, decode
from forwarder.kafka.port import Headers, Outgoing
from forwarder.plan import Plan, Planner
from forwarder.routing import Routing
from forwarder.settings import (
    Settings,
    SettingsProblems,
    advertiser_defaults,
    bind_accounts,
    load,
    topic_translator,
)
from tests.unit.sources.build import NOW, Json, sample

SETTINGS = """\
kafka: {{events_format: {format}{more}}}
advertisers: {{acme: {{currency: USD, phone_region: US}}}}
unrouted: dead_letter
accounts:
  acme-pixel:
    destination: tiktok
    advertisers: [acme]
    event_source_id: C4
    access_token: hush
"""


@dataclass(frozen=True)
class Polled:
    value: bytes | None
    topic: str = "conversions"
    partition: int = 3
    offset: int = 7
    timestamp: int = int(NOW * 1000)
    key: bytes | None = b"k"
    headers: Headers = (("traceparent", b"00-1"),)


def settings(folder: Path, kind: str, more: str = "") -> Settings:
    path = folder / "settings.yaml"
    path.write_text(SETTINGS.format(format=kind, more=more))
    return load(path, {})


def planned(found: Settings, record_value: bytes | None) -> Plan:
    accounts = bind_accounts(found)

    def read(value: bytes | None, *, now: float, appended_at: float | None) -> ConversionEvent:
        return decode(value, advertiser_defaults(found), now, appended_at)

    planner = Planner(
        accounts,
        Routing(accounts, DESTINATIONS),
        read,
        unrouted_dies=True,
        translator=topic_translator(found),
    )
    plan = Plan()
    planner.events([Polled(record_value)], NOW, plan)
    return plan


def routed(plan: Plan) -> Outgoing:
    (outgoing,) = plan.queued["acme-pixel"]
    return outgoing


def buried(plan: Plan) -> tuple[bytes | None, dict[str, str]]:
    (letter,) = plan.dead
    return letter.value, {name: (value or b"").decode() for name, value in letter.headers}


to_json = partial(json.dumps, separators=(",", ":"))


def raw(payload: object) -> bytes:
    return to_json(payload).encode()


CASES: list[tuple[Literal["ga4", "segment"], str, str]] = [
    ("segment", "segment_track", "ajs-next-1795262345-0a1b2c3d"),
    ("ga4", "ga4_bigquery_row", "order-1002"),
    ("ga4", "ga4_event_data", "lead-1003"),
]


@pytest.mark.parametrize(("kind", "name", "event_id"), CASES)
def test_the_queue_holds_the_event_of_the_schema(
    kind: str, name: str, event_id: str, tmp_path: Path
) -> None:
    plan = planned(settings(tmp_path, kind), raw(sample(name)))
    outgoing = routed(plan)
    event = decode(outgoing.value, {}, NOW)
    assert (event.event_id, event.advertiser) == (event_id, "acme")
    assert outgoing.key == b"k"
    assert dict(outgoing.headers) == {
        "traceparent": b"00-1",
        "forwarder-origin": b"conversions/3/7",
    }
    assert plan.records == {("conversions", "routed"): 1}
    assert plan.unknown_fields > 0  # all that has no place


def test_a_framed_record_is_read_too(tmp_path: Path) -> None:
    framed = b"\x00\x00\x00\x00\x2a" + raw(sample("segment_track"))
    assert routed(planned(settings(tmp_path, "segment"), framed))


def test_a_call_without_an_event_is_counted_and_nothing_else(tmp_path: Path) -> None:
    plan = planned(settings(tmp_path, "segment"), raw(sample("segment_identify")))
    assert plan.records == {("conversions", "no_event"): 1}
    assert (plan.queued, plan.dead) == ({}, [])


def test_several_events_in_one_record_are_refused_as_they_came(tmp_path: Path) -> None:
    value = raw(sample("ga4_measurement_protocol"))
    kept, headers = buried(planned(settings(tmp_path, "ga4"), value))
    assert kept == value
    assert headers["forwarder-reason"] == "invalid_event"
    assert headers["forwarder-message"].startswith("events: holds 2 events; ")


def test_one_event_of_a_payload_is_read(tmp_path: Path) -> None:
    given: Json = sample("ga4_measurement_protocol")
    given["events"] = given["events"][1:]
    assert routed(planned(settings(tmp_path, "ga4"), raw(given)))


def test_an_invalid_record_is_kept_as_it_came_and_blamed_by_its_own_names(tmp_path: Path) -> None:
    given = sample("segment_track")
    given["properties"]["revenue"] = "lots"
    kept, headers = buried(planned(settings(tmp_path, "segment"), raw(given)))
    assert kept == raw(given)
    assert headers["forwarder-reason"] == "invalid_event"
    assert headers["forwarder-message"].startswith("properties.revenue: ")
    assert headers["forwarder-event-id"] == given["messageId"]
    assert headers["forwarder-event-name"] == given["event"]
    assert headers["forwarder-advertiser"] == "acme"


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"nonsense", "undecodable"), (b"", "undecodable"), (None, "undecodable"),
     (b"[]", "invalid_event"), (b" " * ((1 << 20) + 1), "oversize")],
)  # fmt: skip
def test_what_cannot_be_read_is_told_apart(
    value: bytes | None, reason: str, tmp_path: Path
) -> None:
    _, headers = buried(planned(settings(tmp_path, "segment"), value))
    assert headers["forwarder-reason"] == reason


def test_an_event_that_nobody_takes_is_buried_as_one_of_the_schema(tmp_path: Path) -> None:
    given = sample("segment_track")
    given["properties"]["advertiser"] = "stranger"
    kept, headers = buried(planned(settings(tmp_path, "segment"), raw(given)))
    assert decode(kept, {}, NOW).advertiser == "stranger"
    assert headers["forwarder-reason"] == "unrouted"
    assert headers["forwarder-event-id"] == "ajs-next-1795262345-0a1b2c3d"


def test_without_a_time_of_its_own_an_event_has_that_of_its_record(tmp_path: Path) -> None:
    given = sample("ga4_event_data")
    del given["timestamp_micros"]
    outgoing = routed(planned(settings(tmp_path, "ga4"), raw(given)))
    assert decode(outgoing.value, {}, NOW).event_time == NOW


def test_native_records_pass_untouched(tmp_path: Path) -> None:
    event = {"event_id": "e", "event_name": "purchase", "event_time": NOW, "advertiser": "acme"}
    value = raw({**event, "value": 1, "user": {"email": "a@b.co"}, "page": {"url": "http://a.b/"}})
    assert routed(planned(settings(tmp_path, "native"), value)).value == value


# -- settings -------------------------------------------------------------------------------------
def test_the_only_advertiser_of_all_accounts_is_whose_the_events_are(tmp_path: Path) -> None:
    translator = topic_translator(settings(tmp_path, "ga4"))
    assert translator is not None
    assert translator.options.advertiser == "acme"
    assert topic_translator(settings(tmp_path, "native")) is None


def test_of_several_advertisers_one_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    text = SETTINGS.format(format="ga4", more="").replace("[acme]", "[acme, beta]")
    path.write_text(text)
    translator = topic_translator(load(path, {}))
    assert translator is not None
    assert translator.options.advertiser is None
    path.write_text(text.replace("ga4", "ga4, events_advertiser: beta"))
    translator = topic_translator(load(path, {}))
    assert translator is not None
    assert translator.options.advertiser == "beta"


def test_an_advertiser_that_nobody_lists_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblems) as caught:
        settings(tmp_path, "ga4", ", events_advertiser: acne")
    (problem,) = caught.value.problems
    assert problem.place.endswith("kafka.events_advertiser")
    assert problem.fix == "did you mean acme?"


def test_categories_of_consent_are_settings(tmp_path: Path) -> None:
    more = ", events_consent: {ad_user_data: [Advertising, Targeting]}"
    translator = topic_translator(settings(tmp_path, "segment", more))
    assert translator is not None
    assert translator.options.consent == {"ad_user_data": ("Advertising", "Targeting")}
