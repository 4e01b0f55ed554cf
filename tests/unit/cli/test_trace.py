"""``trace``: every state that a delivery can be in."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from forwarder.kafka.port import Outgoing, TopicPartition
from forwarder.kafka.records import Progress, Trouble, troubled
from tests.unit.cli.conftest import Run
from tests.unit.cli.memory import Cluster, cluster, queue
from tests.unit.deadletters.build import DLQ, dead, stored

__all__ = ["cluster"]
ROUTERS = "conversion-forwarder"
EVENTS = TopicPartition("conversions", 0)


@pytest.fixture
def config(settings: Path) -> str:
    return f"--config={settings}"


@pytest.fixture
def proving(settings: Path, config: str) -> str:
    """Settings with a settlements topic."""
    settings.write_text("kafka: {settlements_topic: settlements}\n" + settings.read_text())
    return config


def traced(forwarder: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    """What is told about each account, of the one occurrence."""
    ended = forwarder("trace", "--json", *arguments)
    assert ended.code == 0, ended.err
    (found,) = ended.json()
    (occurrence,) = found["occurrences"]
    return {fate["account"]: fate for fate in occurrence["accounts"]}


def states(forwarder: Run, *arguments: str) -> dict[str, tuple[str, bool]]:
    return {
        name: (fate["state"], fate["proven"])
        for name, fate in traced(forwarder, *arguments).items()
    }


def retry(cluster: Cluster, number: int, account: str) -> None:
    record = stored(dead(number, event_time=time.time() - 60))
    progress = Progress(f"conversions/0/{number}", attempts=4, retries=1, account=account)
    made = troubled(record, progress, Trouble("transient", "503"), destination="thrad")
    cluster.kafka.put(TopicPartition("conversions.retry.10m", 0), [made])


# -- states ---------------------------------------------------------------------------------------
def test_waiting_for_a_router_and_then_in_each_queue(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.publish(0)
    found = traced(forwarder, "e0", config)
    assert {fate["state"] for fate in found.values()} == {"waiting"}
    assert {fate["detail"] for fate in found.values()} == {"for a router"}
    cluster.route(0)
    cluster.send("acme-pixel", 1)
    assert states(forwarder, "e0", config) == {
        "acme-pixel": ("delivered", False),
        "acme-ttd": ("waiting", True),
        "acme-thrad": ("waiting", True),
    }
    assert traced(forwarder, "e0", config)["acme-pixel"]["detail"] == "finished, no dead letter"


UNPROVEN = "not proven: set kafka.settlements_topic, and what vendors answer from then on is kept\n"


def test_what_is_not_proven_names_the_setting_that_would_prove_it(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.publish(0)
    cluster.route(0)
    assert forwarder("trace", "e0", config).err == ""
    cluster.send("acme-pixel", 1)
    assert forwarder("trace", "e0", config).err == UNPROVEN
    assert forwarder("trace", "e0", "--json", config).err == UNPROVEN


def test_without_a_settlement_it_does_not_ask_for_the_setting_that_is_there(
    forwarder: Run, proving: str, cluster: Cluster
) -> None:
    cluster.publish(0)
    cluster.route(0)
    cluster.send("acme-pixel", 1)
    said = forwarder("trace", "e0", proving).err
    assert said == (
        "not proven: settlements does not tell of it (any more, or it was skipped by a router)\n"
    )


def test_skipped_says_what_todays_settings_say(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    cluster.publish(0, click_ids={}, destinations=["thrad", "tiktok"])
    cluster.route(0, ["acme-pixel"])
    found = traced(forwarder, "e0", config)
    assert (found["acme-thrad"]["state"], found["acme-thrad"]["reason"]) == (
        "skipped",
        "no_click_id",
    )
    assert (found["acme-ttd"]["state"], found["acme-ttd"]["reason"]) == ("skipped", "not_targeted")
    assert not found["acme-ttd"]["proven"]


def test_skipped_in_the_lane(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0, user={})
    cluster.route(0, ["acme-pixel"])
    cluster.send("acme-pixel", 1)
    found = traced(forwarder, "e0", config)["acme-pixel"]
    assert (found["state"], found["reason"]) == ("skipped", "no_match_key")


def test_what_todays_settings_refuse_is_not_told_as_delivered(
    forwarder: Run, config: str, cluster: Cluster
) -> None:
    """Its dead letter was purged, or is older than the topic keeps them."""
    cluster.publish(1, page=None)
    cluster.route(0, ["acme-pixel"])
    cluster.send("acme-pixel", 1)
    fate = traced(forwarder, "e1", config)["acme-pixel"]
    assert (fate["state"], fate["proven"]) == ("unknown", False)
    assert (fate["reason"], fate["code"]) == ("rejected", "local.page_url_missing")
    assert "no dead letter of it is left" in fate["detail"]


def test_retrying(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0)
    cluster.route(0)
    for account in ("acme-pixel", "acme-ttd", "acme-thrad"):
        cluster.send(account, 1)
    retry(cluster, 0, "acme-thrad")
    found = traced(forwarder, "e0", config)["acme-thrad"]
    assert (found["state"], found["proven"], found["code"]) == ("retrying", True, "503")
    assert found["detail"] in ("again in 10 min", "again in 9 min")
    cluster.commit(ROUTERS, TopicPartition("conversions.retry.10m", 0), 1)
    assert states(forwarder, "e0", config)["acme-thrad"] == ("delivered", False)


def test_dead_lettered_and_then_replayed(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0)
    cluster.route(0, ["acme-pixel"])
    cluster.send("acme-pixel", 1)
    cluster.letter(0)
    found = traced(forwarder, "e0", config)["acme-pixel"]
    assert (found["state"], found["reason"], found["code"]) == (
        "dead_lettered",
        "rejected",
        "40002",
    )
    assert found["detail"] == "the vendor says no"
    assert forwarder("replay", "--run-id", "r1", "--source", "dlq", config).code == 0
    found = traced(forwarder, "e0", config)["acme-pixel"]
    assert (found["state"], found["replayed"][0]["run"]) == ("waiting", "r1")
    cluster.send("acme-pixel", 2)
    found = traced(forwarder, "e0", config)["acme-pixel"]
    assert (found["state"], found["proven"]) == ("delivered", False)
    assert "replayed by r1 at" in forwarder("trace", "e0", config).out
    cluster.letter(0, replays=1)
    assert states(forwarder, "e0", config)["acme-pixel"] == ("dead_lettered", True)


def test_replayed_where_the_queue_is_gone(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.letter(0)
    assert forwarder("replay", config).code == 0
    cluster.kafka.delete_topic(queue("acme-pixel").topic)
    cluster.kafka.add_topic(queue("acme-pixel").topic)
    assert states(forwarder, "e0", config)["acme-pixel"] == ("replayed", True)


def test_a_record_of_no_account(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0, value=-1)
    cluster.commit(ROUTERS, EVENTS, 1)
    assert states(forwarder, "e0", config) == {"": ("unknown", False)}
    cluster.letter(0, account=None, reason="invalid_event", value=None, described=True)
    found = traced(forwarder, "e0", config)[""]
    assert (found["state"], found["reason"]) == ("dead_lettered", "invalid_event")
    assert "(no account)" in forwarder("trace", "e0", config).out


def test_unrouted(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0, advertiser="nobody")
    cluster.commit(ROUTERS, EVENTS, 1)
    found = traced(forwarder, "e0", config)[""]
    assert (found["state"], found["reason"]) == ("unknown", "unrouted")


def test_routed_and_yet_not_in_the_queue(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0)
    cluster.route(0, ["acme-pixel"])
    found = traced(forwarder, "e0", config)["acme-ttd"]
    assert (found["state"], found["proven"]) == ("unknown", False)


def test_unknown(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0)
    ended = forwarder("trace", "e9", config)
    assert ended.code == 3
    assert "unknown: no topic tells of it since" in ended.err
    ended = forwarder("trace", "e9", "--json", config)
    assert (ended.code, ended.json()[0]["occurrences"]) == (3, [])


# -- proof ----------------------------------------------------------------------------------------
def test_settlements_are_proof(forwarder: Run, proving: str, cluster: Cluster) -> None:
    cluster.publish(0)
    cluster.route(0)
    for account in ("acme-pixel", "acme-ttd", "acme-thrad"):
        cluster.send(account, 1)
    about = {"origin": "conversions/0/0", "event_id": "e0", "at": "2026-11-21T12:00:00.000Z"}
    cluster.settle(account="acme-pixel", outcome="delivered", code="0", request_id="req-1", **about)
    cluster.settle(account="acme-ttd", outcome="skipped", reason="repeated_record", **about)
    found = traced(forwarder, "e0", proving)
    pixel = found["acme-pixel"]
    assert (pixel["state"], pixel["proven"], pixel["code"]) == ("delivered", True, "0")
    assert (pixel["request_id"], pixel["at"]) == ("req-1", "2026-11-21T12:00:00.000Z")
    ttd = found["acme-ttd"]
    assert (ttd["state"], ttd["proven"], ttd["reason"]) == ("skipped", True, "repeated_record")
    assert (found["acme-thrad"]["state"], found["acme-thrad"]["proven"]) == ("delivered", False)
    assert "request id req-1" in forwarder("trace", "e0", proving).out


def test_proof_outlives_the_event(forwarder: Run, proving: str, cluster: Cluster) -> None:
    cluster.settle(
        account="acme-pixel",
        outcome="delivered",
        event_id="e0",
        origin="conversions/0/0",
        at="2026-11-21T12:00:00.000Z",
    )
    assert states(forwarder, "e0", proving)["acme-pixel"] == ("delivered", True)


# -- finding it -----------------------------------------------------------------------------------
def test_by_order(forwarder: Run, proving: str, cluster: Cluster) -> None:
    for number in range(3):
        cluster.publish(number)
        cluster.route(number, ["acme-pixel"])
    cluster.send("acme-pixel", 3)
    told = {"account": "acme-pixel", "outcome": "delivered", "at": "2026-11-21T12:00:00.000Z"}
    for number in range(3):
        cluster.settle(event_id=f"e{number}", origin=f"conversions/0/{number}", **told)
    assert states(forwarder, "--order-id", "o1", proving)["acme-pixel"] == ("delivered", True)
    assert forwarder("trace", "e2", "--order-id", "o1", proving).code == 3


def test_the_same_event_twice(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(0)
    cluster.publish(0)
    (found,) = forwarder("trace", "e0", "--json", config).json()
    assert [one["origin"] for one in found["occurrences"]] == ["conversions/0/0", "conversions/0/1"]


@pytest.mark.parametrize("event_id", ["gid://shop/1", "größe-1", 'a"b', "12345678901234567890"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_id_is_found_however_it_is_written(
    forwarder: Run, config: str, cluster: Cluster, event_id: str, ascii_only: bool
) -> None:
    body = {"event_id": event_id, "event_name": "purchase", "event_time": time.time() - 9}
    text = json.dumps(body | {"advertiser": "acme"}, ensure_ascii=ascii_only)
    text = text.replace("/", "\\/") if ascii_only else text
    cluster.kafka.put(EVENTS, [Outgoing(None, text.encode(), ())])
    assert set(states(forwarder, event_id, config)) == {"acme-pixel", "acme-ttd", "acme-thrad"}


def test_an_id_inside_of_another_is_not_it(forwarder: Run, config: str, cluster: Cluster) -> None:
    cluster.publish(10)
    assert forwarder("trace", "e1", config).code == 3


def test_since(forwarder: Run, config: str, cluster: Cluster) -> None:
    value = json.dumps({"event_id": "e0", "event_name": "x", "advertiser": "acme"}).encode()
    old = int((time.time() - 86_400 * 3) * 1000)
    cluster.kafka.put(EVENTS, [Outgoing(None, value, (), old)])
    assert forwarder("trace", "e0", config).code == 3
    assert forwarder("trace", "e0", "--since", "4d", config).code == 0


# -- wrong use ------------------------------------------------------------------------------------
def test_wrong_use(forwarder: Run, config: str, cluster: Cluster) -> None:
    ended = forwarder("trace", config)
    assert (ended.code, "give its EVENT_ID, or --order-id" in ended.err) == (2, True)
    ended = forwarder("trace", "e0", "--since", "soon", config)
    assert (ended.code, "--since: soon is no time" in ended.err) == (2, True)
    cluster.kafka.refuse("conversions")
    ended = forwarder("trace", "e0", config)
    assert ended.code == 1
    assert "no topic conversions that this principal can see" in ended.err
    cluster.kafka.allow("conversions")
    cluster.kafka.delete_topic(DLQ)
    assert forwarder("trace", "e0", config).code == 3
