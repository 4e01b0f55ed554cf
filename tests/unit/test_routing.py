"""Which accounts an event is for."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from forwarder.event import ConversionEvent, decode
from forwarder.routing import Route, Routing


@dataclass(frozen=True)
class Settings:
    destination: str
    advertisers: tuple[str, ...]
    state: str = "active"


@dataclass(frozen=True)
class Account:
    settings: Settings


ACCOUNTS = {
    "acme-a": Account(Settings("a", ("acme",))),
    "acme-b": Account(Settings("b", ("acme", "other"), "paused")),
    "old": Account(Settings("a", ("acme", "gone"), "draining")),
    "second-a": Account(Settings("a", ("acme",))),
}
EVERYBODY = {"all": Account(Settings("c", ("*",)))}


def event(advertiser: str = "acme", destinations: object = None) -> ConversionEvent:
    body = {
        "event_id": "1",
        "event_name": "purchase",
        "event_time": 1_700_000_000,
        "advertiser": advertiser,
        "destinations": destinations,
    }
    return decode(json.dumps(body).encode(), {}, 1_700_000_000.0)


def test_an_event_goes_to_every_account_of_its_advertiser_but_draining_ones() -> None:
    route = Routing(ACCOUNTS)(event())
    assert route == Route(accounts=("acme-a", "acme-b", "second-a"))
    assert not route.unrouted


@pytest.mark.parametrize("advertiser", ["nobody", "gone", "*", "ACME"])
def test_an_advertiser_that_no_routed_account_lists_is_unrouted(advertiser: str) -> None:
    assert Routing(ACCOUNTS)(event(advertiser)).unrouted


@pytest.mark.parametrize(
    ("destinations", "route"),
    [
        (["a"], Route(("acme-a", "second-a"), ("acme-b",))),
        (["A ", "b"], Route(("acme-a", "acme-b", "second-a"))),
        ("b", Route(("acme-b",), ("acme-a", "second-a"))),
        ([], Route((), ("acme-a", "acme-b", "second-a"))),
        (["x", "y"], Route((), ("acme-a", "acme-b", "second-a"), unknown=2)),
        (["acme-a"], Route((), ("acme-a", "acme-b", "second-a"), unknown=1)),
        (["a", 5], Route(("acme-a", "second-a"), ("acme-b",), unknown=1)),
        ({"a": True}, Route((), ("acme-a", "acme-b", "second-a"))),
    ],
    ids=str,
)
def test_destinations_narrow_the_circle(destinations: object, route: Route) -> None:
    found = Routing(ACCOUNTS)(event(destinations=destinations))
    assert found == route
    assert not found.unrouted


def test_a_kind_without_an_account_is_no_mistake() -> None:
    route = Routing(ACCOUNTS, kinds=["d"])(event(destinations=["d", "e"]))
    assert route.unknown == 1


def test_an_account_may_take_every_advertiser() -> None:
    routing = Routing(ACCOUNTS | EVERYBODY)
    assert routing(event()).accounts == ("acme-a", "acme-b", "second-a", "all")
    assert routing(event("other")).accounts == ("acme-b", "all")
    assert routing(event("nobody")).accounts == ("all",)


def test_without_accounts_everything_is_unrouted() -> None:
    assert Routing({})(event()).unrouted
