"""Runs that are written by hand: one trouble, at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.settings import BudgetSettings
from forwarder.settings import AdvertiserSettings, DeliverySettings, KafkaSettings, Settings
from tests.support.simulated.plan import EVENTS, Fault, Plan
from tests.support.simulated.vendors import Weather

OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "tradedesk": {"advertiser_id": "adv", "tracker_id": "t"},
    "tiktok": {"event_source_id": "C4A"},
    "thrad": {},
}
SECRET: Final = {"tradedesk": "secret_key", "tiktok": "access_token", "thrad": "api_key"}


def settings(accounts: Mapping[str, Mapping[str, Any]], **delivery: Any) -> Settings:
    """``accounts``: by name, what differs from a generous account at The Trade Desk."""
    return Settings(
        kafka=KafkaSettings(group_id="g", events_topic=EVENTS, start_from="earliest"),
        delivery=DeliverySettings(**delivery),
        budgets={"app": BudgetSettings(requests=90, per=10.0)},
        advertisers={"acme": AdvertiserSettings(currency="USD", phone_region="US")},
        accounts={name: _account(name, written) for name, written in accounts.items()},
    )


def _account(name: str, written: Mapping[str, Any]) -> Any:
    destination = written.get("destination", "tradedesk")
    whole: dict[str, Any] = {
        "destination": destination,
        "advertisers": ["acme"],
        "base_url": f"https://{name}.example",
        "budgets": [{"requests": 1000, "per": 10.0}],
        "concurrency": 4,
        SECRET[destination]: {"env": f"KEY_{name.upper()}"},
        **OWN[destination],
    }
    if DESTINATIONS[destination].traits.batches:
        whole["batch"] = {"events": 3, "linger": 0.2}
    return DESTINATIONS[destination].settings_model.model_validate(whole | dict(written))


def scene(
    events: Sequence[tuple[float, str | None]],
    *,
    faults: Sequence[Fault] = (),
    weather: Sequence[Weather] = (),
    accounts: Mapping[str, Mapping[str, Any]] | None = None,
    replicas: int = 2,
    until: float = 60.0,
    poll_records: int = 20,
    partitions: int = 1,
    profile: str = "scene",
    **delivery: Any,
) -> Plan:
    """A run in which nothing is left to chance but delays of milliseconds."""
    made = settings({"ttd": {}} if accounts is None else accounts, **delivery)
    return Plan(
        seed=0,
        profile=profile,
        settings=made,
        upgraded=made,
        partitions=partitions,
        replicas=replicas,
        split=False,
        skew=0.0,
        latency=0.005,
        connecting=0.0,
        patient=False,
        poll_records=poll_records,
        events=events,
        strays=(),
        small=(),
        faults=faults,
        weather=weather,
        until=until,
        environ={f"KEY_{name.upper()}": f"key-of-{name}" for name in made.accounts},
    )
