"""Golden cases: what each event field becomes at each destination (mapping sections 2 to 5)."""

from __future__ import annotations

import orjson
import pytest

from forwarder.destinations.contract import Item, Rejected, Skipped
from forwarder.names import STANDARD
from tests.unit.destinations.build import (
    CREDENTIAL,
    MISSING,
    Case,
    Tree,
    account,
    at,
    cases,
    event,
    load,
)

DESTINATIONS = ("tiktok", "tradedesk", "thrad")
ALL = [case for destination in DESTINATIONS for case in cases(destination)]


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.destination}: {case.name}")
def test_case(case: Case) -> None:
    bound = account(case.destination, case.account)
    given = event(case.event, defaults=case.defaults)
    made = bound.prepare(given)
    if case.skipped is not None:
        assert made == Skipped(case.skipped)
        assert bound.applies(given) == made
        return
    assert bound.applies(given) is None
    if case.rejected is not None:
        assert isinstance(made, Rejected)
        assert made.rule == case.rejected
        return
    assert isinstance(made, Item), made
    item = orjson.loads(made.json)
    if case.item is not None:
        assert item == case.item
    for path, value in case.has.items():
        assert at(item, path) == value, path
    for path in case.lacks:
        assert at(item, path) is MISSING, path


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_every_row_has_a_case(destination: str) -> None:
    rows = load("rows")
    wanted = {*rows["fields"], *rows["consent"], *rows["outcomes"][destination]}
    shown = {row for case in ALL if case.destination == destination for row in case.rows}
    assert wanted - shown == set()
    assert shown - wanted == set()


def spellings(name: str, aliases: list[str]) -> list[str]:
    return [
        spelling
        for one in (name, *aliases)
        for spelling in (one, one.upper(), one.replace("_", " "), one.title().replace("_", ""))
    ]


@pytest.mark.parametrize(("name", "row"), load("names").items())
@pytest.mark.parametrize(
    ("destination", "settings", "over", "column", "key"),
    [
        ("tiktok", {}, {}, 1, "event"),
        ("tiktok", {"event_source": "offline"}, {"action_source": "offline"}, 1, "event"),
        (
            "tiktok",
            {"event_source": "crm"},
            {"action_source": "crm", "lead": {"lead_id": "l"}},
            1,
            "event",
        ),
        ("tiktok", {"event_source": "app", "app_id": "1"}, {"action_source": "app"}, 2, "event"),
        ("tradedesk", {"events": {"custom": "pass"}}, {}, 3, "event_name"),
        ("thrad", {"events": {"custom": "pass"}}, {}, 4, "event_type"),
    ],
)
def test_name(
    name: str,
    row: list[str | list[str] | None],
    destination: str,
    settings: Tree,
    over: Tree,
    column: int,
    key: str,
) -> None:
    everywhere: Tree = {
        "user": {"email": "a@x.com", "ip_address": "203.0.113.1"},
        "page": {"url": "https://shop.example/"},
        "click_ids": {"thrad_click_id": "c"},
        "value": 1,
        "currency": "USD",
    }
    bound = account(destination, settings)
    aliases = row[0]
    assert isinstance(aliases, list)
    for spelling in spellings(name, aliases):
        made = bound.prepare(event({**everywhere, **over, "event_name": spelling}))
        if row[column] is None:
            assert made == Skipped("unmapped_event"), spelling
        else:
            assert isinstance(made, Item), (spelling, made)
            assert orjson.loads(made.json)[key] == row[column], spelling


def test_the_table_holds_every_standard_name() -> None:
    assert set(load("names")) == set(STANDARD)


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_body_is_the_json_of_what_it_says(destination: str) -> None:
    """``preview`` prints a body as an object: dumped again it is what is sent."""
    bound = account(destination)
    made = bound.prepare(event(load("everything")))
    assert isinstance(made, Item)
    body = bound.request([made], CREDENTIAL).body
    assert orjson.dumps(orjson.loads(body)) == body
    assert len(body) == len(made.json) + bound.overhead()
