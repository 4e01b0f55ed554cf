"""Settings as users write them: what is read, and how every mistake is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from forwarder.settings import (
    SettingsProblems,
    advertiser_defaults,
    bind_accounts,
    config_hash,
    load,
    units,
)
from forwarder.settings.model import Settings

Load = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def run(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        (tmp_path / "settings.yaml").write_text(dedent(text), encoding="utf-8")
        return load(tmp_path / "settings.yaml", environ or {})

    return run


@pytest.fixture
def told(loaded: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """The problems, with the directory cut from their places."""

    def run(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(SettingsProblems) as caught:
            loaded(text, environ)
        return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]

    return run


Told = Callable[..., list[str]]

PIXEL = """\
destination: tiktok
advertisers: [acme]
event_source: web
event_source_id: C4ABCDEFGHIJ
access_token: {file: secrets/acme-pixel}
"""


def accounts(**blocks: str) -> str:
    lines = ["accounts:"]
    for name, block in blocks.items():
        lines.append(f"  {name.replace('_', '-')}:")
        lines += [f"    {line}" for line in block.strip().splitlines()]
    return "\n".join(lines) + "\n"


def test_an_empty_file_is_all_defaults(loaded: Load) -> None:
    settings = loaded("")
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.kafka.group_id == "conversion-forwarder"
    assert settings.kafka.start_from is None
    assert settings.kafka.security_protocol == "PLAINTEXT"
    assert settings.delivery.request_timeout == 7
    assert settings.delivery.session_timeout == 15
    assert settings.delivery.give_up.attempts == 8
    assert settings.delivery.give_up.after == 12 * 3600
    assert settings.delivery.budget_margin == 0.02
    assert settings.delivery.memory == 256 << 20
    assert settings.consent.personalization_denied == "limit"
    assert settings.unrouted == "dead_letter"
    assert settings.ops.address == ("0.0.0.0", 8080)
    assert settings.accounts == {}


def test_scalars_are_text_and_only_true_and_false_are_booleans(loaded: Load) -> None:
    settings = loaded("""\
        kafka: {group_id: 007}
        advertisers:
          NO: {phone_region: NO, currency: nok}
          123: {}
          yes: {phone_region: us}
        """)
    assert settings.kafka.group_id == "007"
    assert set(settings.advertisers) == {"NO", "123", "yes"}
    assert settings.advertisers["NO"].phone_region == "NO"
    assert settings.advertisers["NO"].currency == "NOK"
    assert settings.advertisers["yes"].phone_region == "US"


def test_a_bare_number_is_an_id(loaded: Load) -> None:
    settings = loaded(accounts(acme_pixel=PIXEL.replace("C4ABCDEFGHIJ", "0123456789")))
    dumped = settings.accounts["acme-pixel"].model_dump()
    assert dumped["event_source_id"] == "0123456789"


def test_null_is_as_if_not_written(loaded: Load) -> None:
    settings = loaded("kafka: {start_from: null, group_id: , events_topic: ~}\nops:\n")
    assert settings.kafka.group_id == "conversion-forwarder"
    assert settings.kafka.events_topic == "conversions"


def test_start_from_is_a_word_or_a_time(loaded: Load, told: Told) -> None:
    assert loaded("kafka: {start_from: latest}").kafka.start_from == "latest"
    time = loaded("kafka: {start_from: 2026-01-31T00:00:00Z}").kafka.start_from
    assert time == datetime(2026, 1, 31, tzinfo=UTC).timestamp()
    rule = "must be earliest, latest, or a time such as 2026-01-31T00:00:00Z"
    for wrong in ("yesterday", "2026-01-31T00:00:00", "5", "true"):
        assert told(f"kafka:\n  start_from: {wrong}") == [
            f"settings.yaml:2 kafka.start_from: {rule}"
        ]


def test_defaults_of_a_destination_lie_under_its_accounts(loaded: Load) -> None:
    text = """\
destinations:
  tiktok:
    base_url: http://localhost:9/tiktok
    concurrency: 3
    batch: {events: 10, linger: 1s}
    budgets: [{requests: 100, per: 10s}]
    access_token: {env: TOKEN}
""" + accounts(one=PIXEL + "batch: {linger: 2s}\nconcurrency: 5")
    account = loaded(text).accounts["one"]
    assert account.base_url == "http://localhost:9/tiktok"
    assert account.concurrency == 5
    assert (account.batch.events, account.batch.linger) == (10, 2)
    assert account.secrets()["access_token"].env is None


def test_secrets_stand_beside_the_settings_file(loaded: Load, tmp_path: Path) -> None:
    secret = loaded(accounts(one=PIXEL)).accounts["one"].secrets()["access_token"]
    assert secret.file == tmp_path / "secrets/acme-pixel"
    bare = PIXEL.replace("{file: secrets/acme-pixel}", "hush-hush")
    settings = loaded(accounts(one=bare))
    value = settings.accounts["one"].secrets()["access_token"].value
    assert value is not None
    assert value.get_secret_value() == "hush-hush"
    assert "hush-hush" not in repr(settings)


def test_every_problem_is_told_at_once_with_place_rule_and_fix(told: Told) -> None:
    text = (
        "kafka:\n  group_ip: x\n  security_protocol: ssl\ndelivery: {request_timeout: 7 seconds}\n"
        + accounts(
            one=PIXEL.replace("event_source_id:", "event_sorce_id:"), two="destination: tictok"
        )
        + "unruoted: skip\n"
    )
    assert told(text) == [
        "settings.yaml:2 kafka.group_ip: unknown key (did you mean group_id?)",
        (
            "settings.yaml:3 kafka.security_protocol: must be PLAINTEXT, SSL, SASL_PLAINTEXT or "
            "SASL_SSL (did you mean SSL?)"
        ),
        (
            "settings.yaml:4 delivery.request_timeout: a duration is a number and a unit: "
            "500ms 20s 5m 24h 28d"
        ),
        "settings.yaml:6 accounts.one.event_source_id: is required (add `event_source_id: ...`)",
        (
            "settings.yaml:10 accounts.one.event_sorce_id: unknown key "
            "(did you mean event_source_id?)"
        ),
        (
            "settings.yaml:13 accounts.two.destination: no destination has this name "
            "(did you mean tiktok?)"
        ),
        "settings.yaml:14 unruoted: unknown key (did you mean unrouted?)",
    ]


def test_a_wrong_key_hides_no_rule_about_several_keys_or_blocks(told: Told) -> None:
    pixel = "destination: tradedesk\nadvertisers: [acme]\nadvertiser_id: a\nstate: Paused\n"
    found = told(
        accounts(
            one=pixel + "merchant_id: b\ntracker_id: t\n",
            two=pixel + "tracker_id: t\nbudgets: [app]\n",
        )
    )
    state = "must be active, paused or draining (did you mean paused?)"
    assert found == [
        (
            "settings.yaml:2 accounts.one: exactly one of advertiser_id and merchant_id is needed, "
            "and both are set"
        ),
        f"settings.yaml:6 accounts.one.state: {state}",
        f"settings.yaml:13 accounts.two.state: {state}",
        (
            "settings.yaml:15 accounts.two.budgets.0: no budget is called app "
            "(define it under budgets)"
        ),
    ]


def test_a_rule_about_a_key_that_is_wrong_itself_is_not_told_too(told: Told) -> None:
    found = told(
        accounts(
            one="destination: tradedesk\nadvertisers: [acme]\nadvertiser_id: [a]\ntracker_id: t\n"
        )
    )
    assert found == [
        "settings.yaml:5 accounts.one.advertiser_id: must be text (write it in quotes)"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("destinatons: {}", ":1 destinatons: unknown key (did you mean destinations?)"),
        (
            "destinations: {tictoc: {}}",
            ":1 destinations.tictoc: no destination has this name (did you mean tiktok?)",
        ),
        (
            "destinations:\n  tiktok:\n    bas_url: x",
            ":3 destinations.tiktok.bas_url: unknown key (did you mean base_url?)",
        ),
        (
            "kafka: [a]",
            ":1 kafka: must be a block of `key: value` lines (indent the lines that belong to it)",
        ),
        (
            "accounts: []",
            (
                ":1 accounts: must be a block of `key: value` lines "
                "(indent the lines that belong to it)"
            ),
        ),
        (
            "accounts: {one: }",
            (
                ":1 accounts.one: must be a block of `key: value` lines "
                "(indent the lines that belong to it)"
            ),
        ),
        (
            "accounts: {one: {}}",
            ":1 accounts.one.destination: is required (one of: thrad, tiktok, tradedesk)",
        ),
        ("kafka: {group_id: true}", ":1 kafka.group_id: must be text (write it in quotes)"),
        ("kafka: {group_id: ''}", ":1 kafka.group_id: must not be empty"),
        (
            "kafka: {events_topic: a b}",
            ":1 kafka.events_topic: a topic name is 1 to 249 of the characters a-z A-Z 0-9 . _ -",
        ),
        (
            "kafka: {bootstrap_servers: localhost}",
            ":1 kafka.bootstrap_servers: must be host:port, several separated by commas",
        ),
        (
            "delivery: {give_up: {attempts: 0}}",
            ":1 delivery.give_up.attempts: must be greater than 0",
        ),
        (
            "delivery: {give_up: {attempts: many}}",
            ":1 delivery.give_up.attempts: must be a whole number",
        ),
        ("delivery: {budget_margin: 1}", ":1 delivery.budget_margin: must be less than 1"),
        ("delivery: {budget_margin: big}", ":1 delivery.budget_margin: must be a number"),
        ("delivery: {budget_margin: false}", ":1 delivery.budget_margin: must be a number"),
        (
            "delivery: {request_timeout: true}",
            (
                ":1 delivery.request_timeout: a duration is a number and a unit: "
                "500ms 20s 5m 24h 28d"
            ),
        ),
        (
            "delivery: {memory: 256MB}",
            ":1 delivery.memory: a size is a whole number and a unit: 256KiB 1MiB",
        ),
        (
            "advertisers: {acme: {currency: dollars}}",
            ":1 advertisers.acme.currency: must be an active ISO 4217 code such as USD",
        ),
        (
            "advertisers: {acme: {phone_region: UK}}",
            (
                ":1 advertisers.acme.phone_region: must be a two-letter country code such as US "
                "or DE "
                "(the United Kingdom is GB)"
            ),
        ),
        (
            "consent: {require: [ad_stoarge]}",
            (
                ":1 consent.require.0: must be ad_storage, ad_user_data or ad_personalization "
                "(did you mean ad_storage?)"
            ),
        ),
        (
            "consent: {require: ad_storage}",
            ":1 consent.require: must be a list (put it in brackets: [a, b])",
        ),
        (
            "ops: {listen: 8080}",
            ":1 ops.listen: must be an address and a port, such as 0.0.0.0:8080",
        ),
        (
            "budgets: {app: {requests: 4, per: 60s}}",
            (
                ":1 budgets.app: 4 requests less the margin of 0.02 can never send "
                "(at least 5 requests; for the same rate lengthen per as well)"
            ),
        ),
        (
            "kafka: {events_topic: conversions.dlq}",
            (
                ":1 kafka.events_topic: conversions.dlq is the dead-letter topic "
                "(choose another events_topic or topic_prefix)"
            ),
        ),
        (
            "kafka: {settlements_topic: conversions}",
            (
                ":1 kafka.settlements_topic: conversions is the events topic "
                "(choose another settlements_topic)"
            ),
        ),
        (
            "kafka: {ssl_cafile: ca.pem}",
            (
                ":1 kafka.ssl_cafile: means nothing with security_protocol PLAINTEXT "
                "(set security_protocol to SSL or SASL_SSL, or remove it)"
            ),
        ),
        (
            "kafka: {security_protocol: SSL, ssl_certfile: c.pem}",
            (
                ":1 kafka.ssl_keyfile: a client certificate needs both ssl_certfile and "
                "ssl_keyfile "
                "(add `ssl_keyfile: ...`)"
            ),
        ),
        (
            "kafka: {sasl_username: me}",
            (
                ":1 kafka.sasl_username: means nothing with security_protocol PLAINTEXT "
                "(set security_protocol to SASL_SSL, or remove it)"
            ),
        ),
        (
            "kafka: {security_protocol: SASL_SSL, sasl_username: me, sasl_password: x}",
            (
                ":1 kafka.sasl_mechanism: is required with security_protocol SASL_SSL "
                "(add `sasl_mechanism: ...`)"
            ),
        ),
        (
            "kafka: {sasl_password: {fiel: x}}",
            ":1 kafka.sasl_password.fiel: unknown key (did you mean file?)",
        ),
        (
            "kafka: {sasl_password: {file: x, env: Y}}",
            (
                ":1 kafka.sasl_password: a secret is {file: PATH}, {env: NAME}, or the value "
                "itself "
                "as text"
            ),
        ),
    ],
)
def test_one_mistake_outside_the_accounts(told: Told, text: str, problem: str) -> None:
    assert told(text) == [f"settings.yaml{problem}"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("stat: active", "stat: unknown key (did you mean state?)"),
        ("state: stopped", "state: must be active, paused or draining"),
        ("budgets: [{requets: 5, per: 1s}]", None),
        (
            "budgets: [app]",
            "budgets.0: no budget is called app (define it under budgets)",
        ),
        ("budgets: []", "budgets: must have at least 1 of them (add one)"),
        ("concurrency: 0", "concurrency: must be greater than 0"),
        ("concurrency: true", "concurrency: must be a whole number"),
        ("batch: {event: 5}", "batch.event: unknown key (did you mean events?)"),
        (
            "budgets: [{requests: 3, per: 1h}]",
            (
                "budgets.0: 3 requests less the margin of 0.02 can never send "
                "(at least 5 requests; for the same rate lengthen per as well)"
            ),
        ),
        (
            "max_event_age: 28",
            "max_event_age: a duration is a number and a unit: 500ms 20s 5m 24h 28d",
        ),
        (
            "consent: {require: [x]}",
            "consent.require.0: must be ad_storage, ad_user_data or ad_personalization",
        ),
    ],
)
def test_one_mistake_in_an_account(told: Told, lines: str, problem: str | None) -> None:
    found = told(accounts(one=PIXEL + lines))
    if problem is None:
        assert found == [
            "settings.yaml:8 accounts.one.budgets.0.requests: is required (add `requests: ...`)",
            "settings.yaml:8 accounts.one.budgets.0.requets: unknown key (did you mean requests?)",
        ]
    else:
        assert found == [f"settings.yaml:8 accounts.one.{problem}"]


@pytest.mark.parametrize("name", ["Acme", "acme_pixel", "-acme", "a" * 65, "acme.pixel"])
def test_an_account_name_names_a_topic(told: Told, name: str) -> None:
    (problem,) = told("accounts:\n" + f"  {name}:\n    " + "\n    ".join(PIXEL.splitlines()))
    assert f"settings.yaml:2 accounts.{name}: an account's name is 1 to 64" in problem
    assert "(for example a" in problem


def test_a_mistake_in_a_destinations_defaults_is_told_once_where_it_stands(told: Told) -> None:
    text = "destinations:\n  tiktok:\n    concurrency: none\n" + accounts(one=PIXEL, two=PIXEL)
    assert told(text) == ["settings.yaml:3 destinations.tiktok.concurrency: must be a whole number"]


def test_named_budgets_must_exist_once_and_have_one_destination(told: Told) -> None:
    thrad = "destination: thrad\nadvertisers: [acme]\napi_key: k\nbudgets: [app]"
    text = "budgets:\n  app: {requests: 600, per: 60s}\n" + accounts(
        one=PIXEL + "budgets: [app, app]", two=thrad, three=PIXEL + "budgets: [ap]"
    )
    assert told(text) == [
        (
            "settings.yaml:2 budgets.app: is shared by accounts of thrad and tiktok "
            "(a named budget has one destination; make one for each)"
        ),
        "settings.yaml:10 accounts.one.budgets: lists app twice (keep one of them)",
        "settings.yaml:22 accounts.three.budgets.0: no budget is called ap (did you mean app?)",
    ]


def test_a_budget_that_is_wrong_by_itself_is_still_known(told: Told) -> None:
    text = "budgets:\n  app: {requests: none, per: 60s}\n" + accounts(one=PIXEL + "budgets: [app]")
    assert told(text) == ["settings.yaml:2 budgets.app.requests: must be a whole number"]


def test_a_destination_without_batches_takes_no_batch(told: Told) -> None:
    thrad = "destination: thrad\nadvertisers: [acme]\napi_key: k\nbatch: {events: 2}"
    (problem,) = told(accounts(one=thrad))
    assert problem.startswith("settings.yaml:6 accounts.one.batch")
    assert "one event a request" in problem


def test_topics_may_not_meet(told: Told) -> None:
    text = "kafka:\n  events_topic: conversions.queue.one\n" + accounts(one=PIXEL)
    assert told(text) == [
        (
            "settings.yaml:2 kafka.events_topic: conversions.queue.one is account one's "
            "queue topic "
            "(choose another events_topic or topic_prefix)"
        )
    ]


def test_units_are_linked_by_named_budgets_through_others(loaded: Load) -> None:
    text = (
        "budgets: {app: {requests: 60, per: 10s}, bis: {requests: 60, per: 10s}, "
        "lone: {requests: 60, per: 10s}}\n"
    ) + accounts(
        e=PIXEL + "budgets: [lone]",
        d=PIXEL + "budgets: [bis]",
        c=PIXEL + "budgets: [app, bis]",
        b=PIXEL + "budgets: [{requests: 60, per: 10s}, app]",
        a=PIXEL,
    )
    assert units(loaded(text)) == {"a": "a", "b": "b", "c": "b", "d": "b", "e": "e"}


def test_advertiser_defaults_are_by_advertiser(loaded: Load) -> None:
    defaults = advertiser_defaults(loaded("advertisers: {acme: {currency: EUR}, '*': {}}"))
    assert defaults["acme"].currency == "EUR"
    assert defaults["acme"].phone_region is None
    assert set(defaults) == {"acme", "*"}


def test_what_an_advertiser_leaves_open_is_that_of_all(loaded: Load) -> None:
    text = "advertisers: {acme: {phone_region: US}, '*': {currency: RON, phone_region: RO}}"
    acme = advertiser_defaults(loaded(text))["acme"]
    assert (acme.currency, acme.phone_region) == ("RON", "US")


def test_accounts_are_bound_with_their_own_consent_over_the_common_one(loaded: Load) -> None:
    text = "consent: {require: [ad_storage]}\n" + accounts(
        one=PIXEL,
        two=PIXEL + "consent: {personalization_denied: skip}",
        three=PIXEL + "consent: {require: []}",
    )
    bound = bind_accounts(loaded(text))
    assert bound["one"].consent.require == ("ad_storage",)
    assert bound["two"].consent.require == ("ad_storage",)
    assert bound["two"].consent.personalization_denied == "skip"
    assert bound["three"].consent.require == ()


def test_the_hash_tells_settings_apart_but_not_secrets(loaded: Load) -> None:
    text = accounts(one=PIXEL.replace("{file: secrets/acme-pixel}", "first"))
    same = config_hash(loaded(text.replace("first", "second")))
    assert config_hash(loaded(text)) == same
    assert config_hash(loaded(text + "unrouted: skip")) != same
    assert len(same) == 12


def test_names_of_topics_and_groups(loaded: Load) -> None:
    kafka = loaded("kafka: {topic_prefix: ads, group_id: g}").kafka
    assert kafka.queue_topic("one") == "ads.queue.one"
    assert kafka.retry_topics == ("ads.retry.1m", "ads.retry.10m", "ads.retry.1h")
    assert (kafka.dead_letter_topic, kafka.replays_topic) == ("ads.dlq", "ads.replays")
    assert kafka.sender_group("tiktok") == "g.senders.tiktok"
