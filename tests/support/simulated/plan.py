"""What one run is made of, drawn from its seed: settings, load, faults, weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.settings import AccountSettings, BudgetSettings
from forwarder.settings import (
    AdvertiserSettings,
    DeliverySettings,
    KafkaSettings,
    Settings,
)
from forwarder.settings.model import GiveUpSettings
from tests.support.simulated.vendors import KINDS, QUIET, Weather

EVENTS: Final = "conversions"
FIRST: Final = 4.0
"""When the first event is published: the replicas have their places by then."""
PROFILES: Final = ("storm", "storm", "storm", "crashes", "crashes", "planned", "kafka", "vendors")


@dataclass(frozen=True, slots=True)
class Fault:
    """``kind`` is a method of ``faults.Faults``. ``pick`` in [0, 1) chooses whom it meets."""

    at: float
    kind: str
    lasts: float = 0.0
    pick: float = 0.0
    pick_too: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``events``: when each is published, and its kind, if that is not left to chance. ``until``:
    when all faults are over. ``patient``: stay until no retry topic holds anything, for hours.
    ``small``: topics that do not take the longer events. ``upgraded``: the settings that an upgrade
    rolls out: an account more.
    """

    seed: int
    profile: str
    settings: Settings
    upgraded: Settings
    partitions: int
    replicas: int
    split: bool
    skew: float
    latency: float
    connecting: float
    patient: bool
    poll_records: int
    events: Sequence[tuple[float, str | None]]
    strays: Sequence[tuple[float, str]]
    small: Sequence[str]
    faults: Sequence[Fault]
    weather: Sequence[Weather]
    until: float
    environ: Mapping[str, str] = field(default_factory=dict)


REPLICA_FAULTS: Final = (
    "kill",
    "kill",
    "stop",
    "scale_up",
    "scale_down",
    "freeze",
    "freeze",
    "cut",
    "isolate",
    "kill_all",
    "deaf",
)
PLANNED_FAULTS: Final = ("stop", "scale_up", "scale_down")
KAFKA_FAULTS: Final = ("brokers_down", "slow_acks", "refuse", "fence", "slow_network", "isolate")


NEW: Final = "late"
"""The account that an upgrade brings."""
LASTS: Final = (0.5, 2.0, 6.0, 9.0, 14.0, 20.0, 35.0)


def draw(seed: int, profile: str | None = None) -> Plan:
    random = Random(f"plan {seed}")
    profile = profile or random.choice(PROFILES)
    length = random.uniform(30, 80)
    settings = _settings(random)
    upgraded = _upgraded(random, settings)
    faults = _faults(random, profile, length)
    if upgraded is not settings and profile in ("storm", "crashes", "planned"):
        faults = [*faults, Fault(random.uniform(5, length), "upgrade")]
    until = max(length + 20, *(min(f.at + f.lasts, length + 400) for f in faults))
    weather = _weather(random, settings, until) if profile in ("storm", "vendors") else []
    split = random.random() < 0.2
    return Plan(
        seed=seed,
        profile=profile,
        settings=settings,
        upgraded=upgraded,
        partitions=random.randint(1, 6),
        replicas=random.choice((2, 4) if split else (1, 2, 2, 3, 4)),
        split=split,
        skew=random.choice((0.0, 0.5, 3.0, 60.0)),
        latency=random.choice((0.001, 0.005, 0.02)),
        connecting=random.choice((0.0, 0.0, 0.1, 2.0)),
        patient=random.random() < 0.03,
        poll_records=random.choice((3, 8, 20, 2000)),
        events=_load(random, length),
        strays=_strays(random, length),
        small=_small(random, settings),
        faults=faults,
        weather=weather,
        until=until,
        environ={f"KEY_{name.upper()}": f"key-of-{name}" for name in upgraded.accounts},
    )


def _load(random: Random, length: float) -> Sequence[tuple[float, None]]:
    number = random.randint(20, 160) if random.random() < 0.95 else random.randint(300, 600)
    bursts = [FIRST + random.uniform(0, length) for _ in range(random.choice((0, 0, 2, 5)))]
    times = [
        random.choice(bursts) + random.uniform(0, 0.5)
        if bursts
        else FIRST + random.uniform(0, length)
        for _ in range(number)
    ]
    return [(at, None) for at in sorted(times)]


def _strays(random: Random, length: float) -> Sequence[tuple[float, str]]:
    """At most one of each, since they have no event to be told apart by."""
    names = [name for name in ("garbled", "homeless") if random.random() < 0.1]
    return [(FIRST + random.uniform(0, length), name) for name in names]


def _small(random: Random, settings: Settings) -> Sequence[str]:
    if random.random() < 0.9:
        return ()
    kafka = settings.kafka
    topics = [kafka.queue_topic(name) for name in settings.accounts if name != QUIET]
    topics += [*kafka.retry_topics, kafka.dead_letter_topic]
    return random.sample(topics, k=random.randint(1, 2))


# -- settings -----------------------------------------------------------------------------------
def _settings(random: Random) -> Settings:
    session, request = random.choice(((15.0, 7.0), (15.0, 7.0), (6.0, 3.0), (10.0, 2.0)))
    shared = random.choice((30, 90))
    accounts = dict(_accounts(random))
    return Settings(
        kafka=KafkaSettings(
            group_id="g",
            events_topic=EVENTS,
            start_from="earliest",
            settlements_topic=random.choice((None, None, "settlements")),
        ),
        delivery=DeliverySettings(
            request_timeout=request,
            session_timeout=session,
            give_up=random.choice((GiveUpSettings(), GiveUpSettings(attempts=3, after=60.0))),
        ),
        budgets={"app": BudgetSettings(requests=shared, per=10.0)},
        advertisers={"acme": AdvertiserSettings(currency="USD", phone_region="US")},
        accounts=accounts,
    )


def _upgraded(random: Random, settings: Settings) -> Settings:
    """With one more account in a shared budget, or none."""
    if "pixel" not in settings.accounts or random.random() < 0.6:
        return settings
    accounts = dict([*settings.accounts.items(), _tiktok(random, NEW)])
    return settings.model_copy(update={"accounts": accounts})


def _accounts(random: Random) -> Sequence[tuple[str, AccountSettings]]:
    found = [_tradedesk(random, "ttd")]
    if random.random() < 0.7:
        found.append(_tiktok(random, "pixel"))
        if random.random() < 0.4:
            found.append(_tiktok(random, "second"))
    if len(found) == 1 or random.random() < 0.3:
        found.append(_thrad(random, "thrad"))
    if random.random() < 0.15:
        found.append(_tradedesk(random, "idle", {"state": "paused"}))
    found.append(_quiet(random))
    return found


def _tradedesk(random: Random, name: str, more: Mapping[str, Any] | None = None) -> tuple[str, Any]:
    own = {"advertiser_id": "adv", "tracker_id": "t", **(more or {})}
    return _account(random, "tradedesk", name, "secret_key", own, None)


def _quiet(random: Random) -> tuple[str, Any]:
    """It can always keep up, so what makes it late is others."""
    own = {
        "advertiser_id": "adv",
        "tracker_id": "t",
        "concurrency": 4,
        "batch": {"events": 24, "linger": 0.2},
    }
    return _account(random, "tradedesk", QUIET, "secret_key", own, 2000)


def _tiktok(random: Random, name: str) -> tuple[str, Any]:
    own = {"event_source_id": "C4A", "budgets": [_budget(random, None), "app"]}
    return _account(random, "tiktok", name, "access_token", own, None)


def _thrad(random: Random, name: str) -> tuple[str, Any]:
    return _account(random, "thrad", name, "api_key", {}, random.choice((60, 100)))


def _account(
    random: Random,
    destination: str,
    name: str,
    secret: str,
    own: Mapping[str, Any],
    requests: int | None,
) -> tuple[str, Any]:
    batch = {"events": random.choice((1, 3, 8)), "linger": random.choice((0.0, 0.2))}
    written: dict[str, Any] = {
        "destination": destination,
        "advertisers": ["acme"],
        "base_url": f"https://{name}.example",
        "budgets": [_budget(random, requests)],
        "concurrency": random.choice((1, 2, 4)),
        secret: {"env": f"KEY_{name.upper()}"},
    }
    if DESTINATIONS[destination].traits.batches:
        written["batch"] = batch
    written |= own
    return name, DESTINATIONS[destination].settings_model.model_validate(written)


def _budget(random: Random, requests: int | None) -> dict[str, Any]:
    return {"requests": requests or random.choice((20, 40, 100)), "per": 10.0}


# -- faults -------------------------------------------------------------------------------------
def _faults(random: Random, profile: str, length: float) -> list[Fault]:
    kinds = {
        "storm": REPLICA_FAULTS + KAFKA_FAULTS + ("credential", "credential"),
        "crashes": REPLICA_FAULTS,
        "planned": PLANNED_FAULTS,
        "kafka": KAFKA_FAULTS,
        "vendors": ("credential",),
    }[profile]
    found = [
        Fault(
            at=random.uniform(3, length),
            kind=random.choice(kinds),
            lasts=random.choice(LASTS) if random.random() < 0.97 else random.uniform(100, 330),
            pick=random.random(),
            pick_too=random.random(),
        )
        for _ in range(random.randint(1, 5) if random.random() < 0.8 else random.randint(6, 14))
    ]
    return sorted(found, key=lambda fault: fault.at)


def _weather(random: Random, settings: Settings, until: float) -> Sequence[Weather]:
    found = []
    for name in settings.accounts:
        at = random.uniform(0, until / 2)
        while at < until and name != QUIET and random.random() < 0.75:
            end = min(until, at + random.choice((3.0, 10.0, 25.0, 60.0)))
            share = random.choice((0.3, 0.7, 1.0))
            found.append(Weather(name, at, end, random.choice(KINDS), share))
            at = end + random.uniform(0, 20)
    return found
