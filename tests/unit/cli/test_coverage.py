"""``preview --coverage``: per account what would be sent, why not, and what would lift it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from forwarder.cli import coverage_command
from forwarder.cli.coverage_words import FORMS, REMEDIES
from forwarder.destinations import DESTINATIONS
from forwarder.event import ConversionEvent
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import Outgoing
from forwarder.settings import bind_accounts, load
from tests.unit.cli.conftest import Run, event, jsonl

Json = dict[str, Any]
USER = {"email": "jane@example.com", "phone": "+12133734253", "ip_address": "203.0.113.1"}
EVENTS = [
    event(event_id="full", user=USER),
    event(event_id="no-url", page={}, user=USER),
    event(event_id="bad-mail", user={"email": "jane", "phone": "+12133734253"}),
    event(event_id="nobody", user={}, page={"url": "https://shop.example/"}),
    event(event_id="scroll", event_name="scroll"),
    event(event_id="other", advertiser="beta", currency="USD"),
    event(event_id="narrow", destinations=["thrad"]),
    event(event_id="wrong", value=-1),
]


@pytest.fixture
def covered(forwarder: Run, settings: Path) -> Any:
    def run(*events: object, code: int = 0) -> Json:
        ended = forwarder("preview", "--coverage", "--json", f"-c{settings}", stdin=jsonl(*events))
        assert ended.code == code, ended.err
        (told,) = ended.json()
        assert isinstance(told, dict)
        return told

    return run


def account(told: Json, name: str) -> Json:
    found: Json = next(one for one in told["accounts"] if one["account"] == name)
    return found


def counts(rows: list[Json], by: str = "reason") -> dict[str, int]:
    return {row[by]: row["events"] for row in rows}


def test_every_event_is_counted_once_for_each_account(covered: Any) -> None:
    told = covered(*EVENTS, code=3)
    assert (told["events"], told["invalid"], told["unrouted"]) == (8, 1, {"beta": 1})
    assert counts(told["errors"], "path") == {"value": 1}
    for one in told["accounts"]:
        ended = sum(counts(one["skipped"]).values()) + sum(counts(one["rejected"]).values())
        assert one["events"] == 6 == one["request"] + ended


def test_skips_and_rejections_have_reasons_and_remedies(covered: Any) -> None:
    pixel = account(covered(*EVENTS, code=3), "acme-pixel")
    assert pixel["request"] == 2
    assert counts(pixel["skipped"]) == {"no_match_key": 1, "unmapped_event": 1, "not_targeted": 1}
    assert counts(pixel["rejected"]) == {"page_url_missing": 1}
    assert pixel["unmapped_events"] == {"scroll": 1}
    remedies = {row["reason"]: row["remedy"] for row in pixel["skipped"] + pixel["rejected"]}
    assert "default_page_url" in remedies["page_url_missing"]
    assert remedies["unmapped_event"].startswith("scroll 1: ")
    assert "user.email" in remedies["no_match_key"]


def test_match_keys_are_those_that_requests_carry(covered: Any) -> None:
    pixel = account(covered(*EVENTS, code=3), "acme-pixel")
    keys = {row["key"]: (row["events"], row["share"]) for row in pixel["match_keys"]}
    assert keys["user.email"] == (1, 0.5)
    assert keys["user.phone"] == (2, 1.0)
    assert keys["user.ttclid"] == (0, 0.0)


def test_fields_are_dropped_with_a_reason(covered: Any) -> None:
    told = covered(*EVENTS, code=3)
    (dropped,) = told["dropped"]
    assert (dropped["field"], dropped["events"]) == ("user.email", 1)
    assert "e-mail" in dropped["why"]
    assert counts(account(told, "acme-pixel")["dropped"], "field") == {"user.email": 1}
    assert account(told, "acme-thrad")["dropped"] == []  # it never looks at addresses


def test_what_would_lift_the_match_rate_comes_first_by_what_it_brings(covered: Any) -> None:
    lift = account(covered(*EVENTS, code=3), "acme-pixel")["lift"]
    assert lift[0]["say"].endswith("to send these")
    assert lift[0]["events"] == 1
    assert lift[1]["say"].startswith("send user.email; 1 given, but not an e-mail address")
    assert not any(row["say"].startswith("send user.phone") for row in lift)


def test_an_event_that_everybody_takes_needs_no_lift(covered: Any) -> None:
    user = {**USER, "external_id": "u", "user_agent": "x"}
    clicks = {"ttclid": "c", "ttp": "t"}
    pixel = account(covered(event(user=user, click_ids=clicks)), "acme-pixel")
    assert (pixel["request"], pixel["lift"]) == (1, [])


def test_of_a_payload_fields_have_the_sources_names(forwarder: Run, settings: Path) -> None:
    given = {
        "client_id": "c",
        "timestamp_micros": 1769817600000000,
        "user_data": {"email_address": "jane"},
        "ip_override": "203.0.113.1",
        "user_agent": "x",
        "session": 7,
        "events": [
            {
                "name": "purchase",
                "params": {
                    "event_id": "g1",
                    "value": 1,
                    "currency": "USD",
                    "page_location": "https://shop.example/",
                },
            }
        ]
        * 2,
    }
    ended = forwarder(
        "preview", "--coverage", "--json", "--from=ga4", f"-c{settings}", stdin=jsonl(given)
    )
    (told,) = ended.json()
    assert told["dropped"][0]["field"] == "user_data.email_address"
    pixel, ttd = account(told, "acme-pixel"), account(told, "acme-ttd")
    assert pixel["request"] == 2
    fields = {row["key"]: row["fields"] for row in pixel["match_keys"]}
    assert fields["user.email"] == ["user_data.email_address"]
    assert fields["user.ttclid"] == [
        "events[].params.ttclid",
        "events[].params.page_location",
    ]
    assert {row["key"]: row["fields"] for row in ttd["match_keys"]}["adid"] == []
    assert told["unmapped_fields"] == [
        {"field": "session", "note": "has no place in the event, left out", "events": 2}
    ]


def test_the_table_says_the_same_in_words(forwarder: Run, settings: Path) -> None:
    ended = forwarder("preview", "--coverage", f"-c{settings}", stdin=jsonl(*EVENTS))
    assert ended.code == 3
    for said in (
        "8 events, 1 invalid, 1 unrouted",
        "value: must be a number of 0 or more",
        "beta: no account lists this advertiser",
        "acme-pixel (tiktok): 2 of 6 events would be sent (33%)",
        "page_url_missing",
        "user.email: not an e-mail address",
    ):
        assert said in ended.out
    assert "jane" not in ended.out + ended.err


def test_an_account_without_events_is_named_all_the_same(forwarder: Run, settings: Path) -> None:
    settings.write_text(settings.read_text().replace("C4ABCDEFGHIJ", "C4\n    state: draining"))
    ended = forwarder("preview", "--coverage", f"-c{settings}", stdin=jsonl(EVENTS[0]))
    assert "acme-pixel (tiktok) draining: none of these events are for it" in ended.out


# -- the topic ------------------------------------------------------------------------------------
@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    made = MemoryCluster(lambda: 1_795_262_400.0)
    made.add_topic("conversions", 3)
    monkeypatch.setattr(coverage_command, "cluster", lambda _: made.client("cli"))
    return made


async def fill(cluster: MemoryCluster, events: list[Json]) -> None:
    producer = cluster.client("shop").producer()
    await producer.start()
    for number, one in enumerate(events):
        value = json.dumps(one).encode()
        await producer.write("conversions", [Outgoing(None, value, ())], number % 3)
    await producer.stop()


def run_async(work: Any) -> None:
    import asyncio  # noqa: PLC0415 - the command runs a loop of its own beside it

    asyncio.run(work)


@pytest.mark.parametrize(("sample", "seen"), [(6, 6), (30, 30), (1000, 30)])
def test_the_last_records_of_the_topic_are_sampled(
    forwarder: Run, settings: Path, cluster: MemoryCluster, sample: int, seen: int
) -> None:
    run_async(fill(cluster, [event(event_id=f"e{n}") for n in range(30)]))
    ended = forwarder(
        "preview", "--coverage", "--topic", f"--sample={sample}", "--json", f"-c{settings}"
    )
    assert ended.code == 0, ended.err
    (told,) = ended.json()
    assert told["events"] == seen
    assert account(told, "acme-pixel")["request"] == seen


def test_a_short_partition_leaves_its_share_to_the_others(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    async def lopsided() -> None:
        producer = cluster.client("shop").producer()
        await producer.start()
        value = json.dumps(event()).encode()
        await producer.write("conversions", [Outgoing(None, value, ())] * 20, 2)
        await producer.stop()

    run_async(lopsided())
    ended = forwarder("preview", "--coverage", "--topic", "--sample=9", "--json", f"-c{settings}")
    assert ended.json()[0]["events"] == 9


def test_an_empty_topic_has_no_events(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    ended = forwarder("preview", "--coverage", "--topic", f"-c{settings}")
    assert ended.code == 0
    assert ended.out.startswith("0 events")


def test_a_topic_in_a_tools_format_is_read_in_it(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    settings.write_text(settings.read_text() + "kafka: {events_format: segment}\n")
    page = {"type": "page", "messageId": "m", "properties": {"url": "https://shop.example/"}}
    run_async(fill(cluster, [page, {"type": "identify"}]))
    ended = forwarder("preview", "--coverage", "--topic", "--json", f"-c{settings}")
    (told,) = ended.json()
    assert (told["events"], told["no_event"]) == (1, {"identify calls": 1})


def test_a_record_that_the_router_refuses_is_invalid_here_too(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    settings.write_text(settings.read_text() + "kafka: {events_format: ga4}\n")
    one = {"name": "purchase", "params": {"event_id": "g"}}
    payload = {"client_id": "c", "timestamp_micros": 1769817600000000, "events": [one, one]}
    run_async(fill(cluster, [payload]))
    ended = forwarder("preview", "--coverage", "--topic", "--json", f"-c{settings}")
    assert ended.code == 3
    assert ended.json()[0]["errors"][0]["path"] == "events"


def test_the_topic_must_exist(forwarder: Run, settings: Path, cluster: MemoryCluster) -> None:
    cluster.delete_topic("conversions")
    ended = forwarder("preview", "--coverage", "--topic", f"-c{settings}")
    assert ended.code == 1
    assert "forwarder topics create" in ended.err


@pytest.mark.parametrize("option", ["--topic", "--sample=5"])
def test_options_of_coverage_mean_nothing_without_it(
    forwarder: Run, settings: Path, option: str
) -> None:
    ended = forwarder("preview", option, f"-c{settings}", stdin=b"")
    assert ended.code == 2
    assert option.partition("=")[0] in ended.err


@pytest.mark.parametrize(
    ("options", "named"), [(("--topic", "events.jsonl"), "--topic"), (("--sample=5",), "--sample")]
)
def test_coverage_counts_a_file_or_the_topic(
    forwarder: Run, settings: Path, options: tuple[str, ...], named: str
) -> None:
    ended = forwarder("preview", "--coverage", *options, f"-c{settings}", stdin=b"")
    assert ended.code == 2
    assert named in ended.err


# -- words ----------------------------------------------------------------------------------------
def test_every_reason_has_a_remedy() -> None:
    rules = (
        "page_url_missing app_id_missing lead_id_missing value_missing currency_missing "
        "currency_unlisted request_too_large"
    )
    reasons = (
        "not_targeted source_mismatch event_excluded unmapped_event reserved_event "
        "consent_denied consent_missing limited_data_use"
    )
    assert set(REMEDIES) == {*rules.split(), *reasons.split()}


def test_forms_are_those_of_fields_that_exist() -> None:
    schema = TypeAdapter(ConversionEvent).json_schema()

    def known(path: str) -> bool:
        node = schema
        for part in path.split("."):
            node = resolved(node)["properties"].get(part)
            if node is None:
                return False
        return True

    def resolved(node: Json) -> Json:
        for one in [node, *node.get("anyOf", ()), node.get("items", {})]:
            if "$ref" in one:
                return resolved(schema["$defs"][one["$ref"].rpartition("/")[2]])
        return node

    assert [path for path in FORMS if not known(path)] == []


def test_match_keys_are_made_of_fields_and_found_in_items(settings: Path) -> None:
    for name, one in bind_accounts(load(settings, {}), DESTINATIONS).items():
        keys = one.match_keys()
        assert keys, name
        assert len({key.path for key in keys}) == len(keys)
