"""The page without a browser: what it says, in which order, and that it cannot be broken into."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from forwarder.ops.condition import ATTENTION, Condition, condition, explain, headline
from forwarder.ops.page import HEADERS, View, render, sparkline
from forwarder.ops.status import AccountStatus, DeadLetters, RouterStatus, Status
from tests.support import statuses
from tests.support.statuses import NOW, blocked, delivering, expiring, idle, probing, throttled

VOID = {"meta", "input", "link", "br", "img"}


class Outline(HTMLParser):
    """Text by row of the accounts table, and every tag that was left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    found.close()
    return found


def names(status: Status, view: View) -> list[str]:
    """Accounts in the order of the page."""
    return re.findall(r'<th scope="row" class="name">([^<]*)', render(status, view))


STATES = [
    (blocked("a", "tiktok"), Condition.BLOCKED),
    (probing("a", "tiktok"), Condition.PROBING),
    (expiring("a", "tiktok"), Condition.EXPIRING),
    (throttled("a", "tiktok"), Condition.THROTTLED),
    (replace(delivering("a", "tiktok"), test_code=True), Condition.TEST),
    (delivering("a", "tiktok"), Condition.DELIVERING),
    (idle("a", "tiktok"), Condition.IDLE),
    (replace(idle("a", "tiktok"), requests_per_minute=(0,) * 58 + (3, 0)), Condition.DELIVERING),
    (replace(delivering("a", "tiktok"), state="draining"), Condition.DRAINING),
    (replace(delivering("a", "tiktok"), state="paused"), Condition.PAUSED),
    (replace(throttled("a", "tiktok"), state="paused"), Condition.PAUSED),
    (replace(expiring("a", "tiktok"), state="paused"), Condition.EXPIRING),
    (replace(blocked("a", "tiktok"), state="paused"), Condition.BLOCKED),
    (replace(delivering("a", "tiktok"), lane=None), Condition.ELSEWHERE),
]


class TestCondition:
    @pytest.mark.parametrize(("account", "wanted"), STATES)
    def test_one_word(self, account: AccountStatus, wanted: Condition) -> None:
        assert condition(account, NOW) is wanted

    def test_all_of_them_are_tried(self) -> None:
        assert {wanted for _, wanted in STATES} == set(Condition)

    def test_a_breaker_says_since_when_why_and_what_is_next(self) -> None:
        assert explain(blocked("a", "tiktok"), NOW) == (
            "since 11:22 UTC because misconfigured (code 40105), next probe in 2 min"
        )

    def test_two_troubles_are_both_told(self) -> None:
        account = blocked("a", "tiktok")
        assert account.lane is not None
        account = replace(account, lane=replace(account.lane, expires_in=600.0))
        assert "next probe in 2 min; the oldest delivery expires in 10 min" in explain(account, NOW)

    def test_nothing_to_say_of_a_calm_account(self) -> None:
        assert explain(delivering("a", "tiktok"), NOW) == ""


class TestHeadline:
    def test_calm(self) -> None:
        assert headline(statuses.three()) == "2 accounts delivering, 1 idle. 15 in retry topics."

    def test_one_account_waits(self) -> None:
        assert headline(statuses.trouble()) == (
            "2 accounts delivering, 1 idle, 1 waiting: nova-pixel, breaker open since 11:22 UTC "
            "because misconfigured (code 40105), next probe in 2 min. 15 in retry topics."
        )

    def test_many_wait(self) -> None:
        assert headline(statuses.two_hundred()).endswith(
            "5 waiting: 2 breaker open, 1 probing, 2 throttled. 6,524 in retry topics."
        )

    def test_kafka_away_comes_first(self) -> None:
        status = replace(statuses.three(), kafka_reachable=False)
        assert headline(status).startswith("Kafka does not answer")

    def test_stopping(self) -> None:
        assert headline(replace(statuses.three(), draining=True)).startswith("Stopping")

    def test_a_queue_that_takes_nothing_comes_first(self) -> None:
        router = RouterStatus((), None, stalled=("conversions.queue.acme",))
        assert headline(replace(statuses.three(), router=router)).startswith(
            "conversions.queue.acme: no acknowledgement, so no event is routed here. 2 accounts"
        )

    def test_nothing_configured(self) -> None:
        assert headline(replace(statuses.status(), retries=())) == "No accounts in the settings."

    def test_only_waiting(self) -> None:
        assert headline(statuses.status(throttled("a", "x"))).startswith("1 account waiting: a, ")


class TestOrderAndSearch:
    def test_who_needs_attention_comes_first(self) -> None:
        status = statuses.two_hundred()
        found = {account.name: account for account in status.accounts}
        order = [condition(found[name], NOW) for name in names(status, View())]
        needing = sum(condition(account, NOW) in ATTENTION for account in status.accounts)
        assert needing == 7
        assert set(order[:needing]) == ATTENTION
        assert order[0] is Condition.BLOCKED
        assert order[-1] is Condition.ELSEWHERE

    def test_by_name(self) -> None:
        found = names(statuses.two_hundred(), View(sort="name"))
        assert found == sorted(found)
        assert len(found) == 200

    def test_most_waiting(self) -> None:
        assert names(statuses.two_hundred(), View(sort="waiting"))[0] == "advertiser-058-tradedesk"

    def test_oldest(self) -> None:
        assert names(statuses.two_hundred(), View(sort="oldest"))[0] == "advertiser-058-tradedesk"

    def test_search_looks_at_names_and_destinations(self) -> None:
        status = statuses.trouble()
        assert names(status, View(search=" NOVA ")) == ["nova-pixel"]
        assert names(status, View(search="tradedesk")) == ["acme-ttd"]
        assert names(status, View(search="nobody")) == []
        assert "0 of 4 accounts" in render(status, View(search="nobody"))

    def test_only_those_in_trouble_or_owned_here(self) -> None:
        status = statuses.two_hundred()
        assert len(names(status, View(show="attention"))) == 7
        here = sum(account.lane is not None for account in status.accounts)
        assert len(names(status, View(show="here"))) == here

    def test_what_was_chosen_stays_chosen(self) -> None:
        html = render(statuses.three(), View(search="acme", show="attention", sort="name"))
        assert '<option value="attention" selected>' in html
        assert '<option value="name" selected>' in html
        assert 'name="q" value="acme"' in html

    def test_unknown_choices_are_the_usual_view(self) -> None:
        status = statuses.trouble()
        assert names(status, View(show="x", sort="y")) == names(status, View())


class TestDocument:
    @pytest.mark.parametrize(
        "status", [statuses.three(), statuses.two_hundred(), statuses.status()], ids=str
    )
    def test_it_is_well_formed(self, status: Status) -> None:
        assert outline(render(status, View())).open == []

    def test_it_needs_no_other_file(self) -> None:
        found = outline(render(statuses.two_hundred(), View()))
        for tag, attributes in found.tags:
            assert tag not in {"link", "img", "iframe", "object"}
            assert "src" not in attributes
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
        assert "http" not in re.sub(r"http-equiv", "", render(statuses.two_hundred(), View()))

    def test_without_javascript_it_reloads_itself(self) -> None:
        html = render(statuses.three(), View())
        assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in html

    def test_what_comes_from_outside_is_text(self) -> None:
        evil = '"><script>alert(1)</script>'
        account = blocked(evil, evil)
        assert account.lane is not None
        account = replace(account, lane=replace(account.lane, reason=evil, code=evil))
        status = replace(
            statuses.status(account),
            version=evil,
            config_hash=evil,
            dead_letters=(DeadLetters(evil, evil, 1),),
        )
        html = render(status, View(search=evil, show=evil, sort=evil))
        assert "<script>alert" not in html
        assert [tag for tag, _ in outline(html).tags].count("script") == 1

    def test_only_our_own_script_and_style_may_run(self) -> None:
        policy = HEADERS["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy

    def test_a_page_of_two_hundred_accounts_is_small(self) -> None:
        assert len(render(statuses.two_hundred(), View())) < 600_000

    def test_a_replica_without_router(self) -> None:
        html = render(replace(statuses.three(), router=None, retries=()), View())
        assert "Router" not in html
        assert "events lag" not in html

    def test_a_line_of_zeros_is_no_picture(self) -> None:
        assert sparkline((0,) * 60) == ""
        assert sparkline((0, 2)).count("<svg") == 1
