"""``check``: what would go wrong, and how fast each account can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from forwarder.cli import check_online, topics
from forwarder.cli.rates import loads, rates
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.memory_clients import MemoryAdmin
from forwarder.kafka.port import Committed, TopicPartition, Unavailable
from forwarder.settings import load
from tests.unit.cli.conftest import SECRETS, SETTINGS, Run, Vendor


def test_all_is_well(forwarder: Run, settings: Path) -> None:
    ended = forwarder("check", f"--config={settings}")
    assert (ended.code, ended.err) == (0, "")
    assert "acme-pixel  tiktok" in ended.out
    assert "9.47 " in ended.out
    assert ended.out.endswith(
        "Nothing is wrong: settings and secrets of 3 accounts; "
        "--online asks brokers and vendors, too.\n"
    )
    assert "600 per 60 s, less the margin, 12 at once and 8 in flight" in ended.out
    assert not any(secret in ended.out for secret in SECRETS.values())


def test_secrets_that_cannot_be_read(
    forwarder: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIXEL_TOKEN", raising=False)
    settings.write_text(SETTINGS.replace("{file: secrets/acme-pixel}", "{env: PIXEL_TOKEN}"))
    (settings.parent / "secrets/acme-ttd").write_text("\n")
    (settings.parent / "secrets/acme-thrad").write_text("hush\nhush")
    ended = forwarder("check", f"--config={settings}")
    assert ended.code == 2
    assert ended.err == (
        f"error: {settings}:12 accounts.acme-pixel.access_token: "
        "the environment variable PIXEL_TOKEN is not set\n"
        "    set it where this command runs\n"
        f"error: {settings}:18 accounts.acme-ttd.secret_key: "
        f"the file {settings.parent}/secrets/acme-ttd is empty\n"
        f"error: {settings}:23 accounts.acme-thrad.api_key: "
        f"the file {settings.parent}/secrets/acme-thrad "
        "holds a line break or another control character\n"
        "    put the secret there, readable for this user, on one line\n"
    )


def test_slips_in_names_are_suspicious(forwarder: Run, settings: Path) -> None:
    settings.write_text(
        "advertisers: {acme: {currency: USD}, shop-1: {currency: USD}}\n"
        "accounts:\n"
        "  one: {destination: thrad, advertisers: [acmee, shop-2, beta], api_key: k,\n"
        "        events: {only: [purchse, our_own]}}\n"
    )
    ended = forwarder("check", f"--config={settings}")
    assert ended.code == 3
    assert ended.err == (
        f"warning: {settings}:3 accounts.one.advertisers: acmee is not under advertisers\n"
        "    did you mean acme?\n"
        f"warning: {settings}:4 accounts.one.events.only: purchse is no standard event\n"
        "    did you mean purchase?\n"
    )


def test_secrets_are_told_together_with_what_is_wrong_in_the_settings(
    forwarder: Run, settings: Path
) -> None:
    settings.write_text(SETTINGS + "unruoted: skip\n")
    (settings.parent / "secrets/acme-ttd").write_text("\n")
    for arguments in ((), ("--json",)):
        ended = forwarder("check", f"--config={settings}", *arguments)
        assert ended.code == 2
        assert "unruoted: unknown key" in ended.err
        assert f"the file {settings.parent}/secrets/acme-ttd is empty" in ended.err
        assert not arguments or ended.out.count('"place"') == 2


TWO = """\
budgets: {app: {requests: 600, per: 60s}}
accounts:
  one: {destination: tiktok, advertisers: [a], event_source_id: A, access_token: same%s}
  two: {destination: tiktok, advertisers: [a], event_source_id: B, access_token: same%s}
  six: {destination: thrad, advertisers: [a], api_key: same}
"""


def test_two_accounts_with_the_same_credential_must_share_a_budget(
    forwarder: Run, home: Path
) -> None:
    path = home / "settings.yaml"
    for first, second in [("", ""), (", budgets: [app]", "")]:
        path.write_text(TWO % (first, second))
        ended = forwarder("check", "--config=settings.yaml")
        assert ended.code == 2
        assert ended.err == (
            "error: settings.yaml:3 accounts.one: has the same credential as two, but they share "
            "no named budget\n"
            "    define one under budgets and list its name in the budgets of each\n"
        )
        assert "same," not in ended.out
    path.write_text(TWO % (", budgets: [app]", ", budgets: [app]"))
    assert forwarder("check", "--config=settings.yaml").code == 0


def test_what_is_merely_suspicious(forwarder: Run, settings: Path) -> None:
    settings.write_text(
        "delivery: {request_timeout: 8s}\n"
        + SETTINGS.replace(
            "event_source_id: C4ABCDEFGHIJ", "event_source_id: C4\n    test_event_code: T1"
        )
    )
    ended = forwarder("check", f"--config={settings}")
    assert ended.code == 3
    assert ended.err == (
        f"warning: {settings}:1 delivery.request_timeout: "
        "8 s is more than half of the session time-out\n"
        "    at most 7.5s, or a longer session_timeout\n"
        f"warning: {settings}:13 accounts.acme-pixel.test_event_code: "
        "is left on: the vendor takes these events for tests\n"
        "    remove it before going live\n"
    )


def test_settings_without_accounts(forwarder: Run, home: Path) -> None:
    (home / "settings.yaml").write_text("")
    ended = forwarder("check", "--config=settings.yaml")
    assert ended.code == 3
    assert ended.err == (
        "warning: settings.yaml accounts: no account is defined, so nothing is sent\n"
        "    add one under accounts\n"
    )


def test_more_replicas_than_units_send_no_faster(forwarder: Run, settings: Path) -> None:
    ended = forwarder("check", f"--config={settings}", "--replicas", "3")
    assert ended.code == 0
    assert "Senders over 3 replicas" in ended.out
    assert ended.err == "a unit has one owner: 3 replicas send no faster than 1\n"


def test_json_holds_problems_rates_and_senders(forwarder: Run, settings: Path) -> None:
    (settings.parent / "secrets/acme-thrad").unlink()
    ended = forwarder("check", f"--config={settings}", "--json", "--replicas=2")
    assert ended.code == 2
    (told,) = ended.json()
    assert [problem["place"].rpartition(" ")[2] for problem in told["problems"]] == [
        "accounts.acme-thrad.api_key"
    ]
    assert told["warnings"] == []
    assert told["accounts"]["acme-ttd"]["share"] == pytest.approx((588 - 12 - 4) / 60)
    assert told["replicas"] == 2
    assert [load["destination"] for load in told["senders"]] == ["thrad", "tiktok", "tradedesk"]


def test_json_of_settings_that_cannot_be_read(forwarder: Run, home: Path) -> None:
    (home / "settings.yaml").write_text("unruoted: skip")
    ended = forwarder("check", "--config=settings.yaml", "--json")
    assert ended.code == 2
    assert ended.json() == [
        {
            "problems": [
                {
                    "place": "settings.yaml:1 unruoted",
                    "rule": "unknown key",
                    "fix": "did you mean unrouted?",
                }
            ]
        }
    ]


def test_accounts_of_a_budget_have_their_share_of_it(home: Path) -> None:
    path = home / "settings.yaml"
    path.write_text(
        TWO % (", budgets: [app]", ", budgets: [app, {requests: 60, per: 60s}], concurrency: 2")
    )
    found = rates(load(path, {}))
    whole = (588 - 12 - 10) / 60
    assert found["one"].share == pytest.approx(whole / 2)
    assert found["one"].alone == pytest.approx(whole)
    assert found["one"].events == pytest.approx(whole / 2 * 1000)
    assert found["one"].why.startswith("app: 600 per 60 s")
    assert found["one"].why.endswith("shared by 2 accounts")
    assert found["two"].share == pytest.approx((58.8 - 1.2 - 2) / 60)
    assert found["two"].unit == found["one"].unit == "one"


def test_units_are_dealt_over_replicas(home: Path) -> None:
    path = home / "settings.yaml"
    path.write_text(TWO % ("", ", concurrency: 4"))
    thrad, tiktok = loads(load(path, {}), 1)
    assert (thrad.units, thrad.units_a_replica) == (1, 1)
    assert (tiktok.accounts, tiktok.units, tiktok.units_a_replica) == (2, 2, 2)
    assert tiktok.busiest == pytest.approx(tiktok.total)
    _, halved = loads(load(path, {}), 2)
    assert halved.units_a_replica == 1
    assert halved.busiest == pytest.approx((588 - 12 - 4) / 60)
    assert halved.total == pytest.approx(tiktok.total)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    made = MemoryCluster(lambda: 0.0)
    for module in (topics, check_online):
        monkeypatch.setattr(module, "cluster", lambda _: made.client("cli"))
    return made


def test_online_looks_at_every_topic(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    forwarder("topics", "create", f"--config={settings}")
    assert forwarder("check", "--online", f"--config={settings}").code == 0
    cluster.delete_topic("conversions.dlq")
    cluster.delete_topic("conversions.retry.1h")
    cluster.add_topic(
        "conversions.retry.1h", 4, {"cleanup.policy": "compact", "retention.ms": "1000"}
    )
    cluster.add_topic("conversions.queue.gone")
    ended = forwarder("check", "--online", f"--config={settings}")
    assert ended.code == 3
    assert "warning: topic conversions.queue.gone: is a queue, but no account has its name\n" in (
        ended.err
    )
    assert (
        "error: topic conversions.dlq: is missing, or hidden from this principal\n"
        "    create it with forwarder topics create\n"
    ) in ended.err
    assert (
        "error: topic conversions.retry.1h: cleanup.policy is compact, but must be delete\n"
        in ended.err
    )
    assert (
        ended.err.count("    change the topic: the forwarder never alters one that exists\n") == 1
    )
    assert "conversions.retry.1h: retention.ms is 1000, but must be " in ended.err


def test_a_queue_without_account_is_only_suspicious(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    forwarder("topics", "create", f"--config={settings}")
    cluster.add_topic("conversions.queue.gone")
    assert forwarder("check", "--online", f"--config={settings}").code == 3


def test_brokers_that_do_not_answer(forwarder: Run, settings: Path) -> None:
    settings.write_text("kafka: {bootstrap_servers: 127.0.0.1:1}\n" + SETTINGS)
    ended = forwarder("check", "--online", f"--config={settings}")
    assert ended.code == 1
    told, fix = ended.err.splitlines()
    assert told.startswith("error: kafka 127.0.0.1:1: ")
    assert fix == "    check kafka.bootstrap_servers, and that the brokers are up"


AK = """\
accounts:
  one:
    destination: thrad
    advertisers: [a]
    api_key: key
    advertiser_api_key: ak_hush
    advertiser_api_url: %s
"""


@pytest.mark.parametrize(
    ("status", "code", "rule"),
    [
        (200, 0, ""),
        (401, 2, "the vendor refuses the credential (HTTP 401)"),
        (500, 1, "the vendor could not say whether the credential works (HTTP 500)"),
    ],
)
def test_online_asks_the_vendor_where_it_can(
    forwarder: Run,
    home: Path,
    cluster: MemoryCluster,
    vendor: Vendor,
    status: int,
    code: int,
    rule: str,
) -> None:
    vendor.status = status
    (home / "settings.yaml").write_text(AK % vendor.url)
    forwarder("topics", "create", "--config=settings.yaml")
    ended = forwarder("check", "--online", "--config=settings.yaml")
    assert ended.code == code
    assert rule in ended.err
    assert "ak_hush" not in ended.err + ended.out
    ((headers, _),) = vendor.got
    assert headers["Authorization"] == "Bearer ak_hush"


def test_a_vendor_that_does_not_answer(forwarder: Run, home: Path, cluster: MemoryCluster) -> None:
    (home / "settings.yaml").write_text(AK % "http://127.0.0.1:1")
    forwarder("topics", "create", "--config=settings.yaml")
    ended = forwarder("check", "--online", "--config=settings.yaml")
    assert ended.code == 1
    assert ended.err == (
        "error: settings.yaml:2 accounts.one: the vendor did not answer (refused)\n"
        "    check base_url and the way out of this network\n"
    )


def test_a_topic_that_may_not_be_seen(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    forwarder("topics", "create", f"--config={settings}")
    cluster.refuse("conversions")
    ended = forwarder("check", "--online", f"--config={settings}")
    assert ended.code == 3
    assert ended.err.startswith("error: topic conversions: is missing, or hidden from this")


@pytest.mark.parametrize(("failures", "code"), [(4, 0), (5, 1)])
def test_a_coordinator_that_is_still_being_made_is_waited_for(
    forwarder: Run,
    settings: Path,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    code: int,
) -> None:
    forwarder("topics", "create", f"--config={settings}")
    left = failures
    committed = MemoryAdmin.committed

    async def late(self: MemoryAdmin, group: str) -> Mapping[TopicPartition, Committed]:
        nonlocal left
        if left:
            left -= 1
            raise Unavailable("no coordinator yet")
        return await committed(self, group)

    monkeypatch.setattr(MemoryAdmin, "committed", late)
    monkeypatch.setattr(check_online, "_PAUSE", 0.0)
    ended = forwarder("check", "--online", f"--config={settings}")
    assert ended.code == code
    assert ("no coordinator yet" in ended.err) == (code == 1)
