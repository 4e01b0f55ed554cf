"""What holds for every valid event at every account."""

from __future__ import annotations

import json
from collections.abc import Iterator

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.consent import ConsentPolicy
from forwarder.destinations.contract import Account, Item, Rejected, Skipped, Verdict
from forwarder.destinations.tiktok import TikTokSettings
from forwarder.destinations.tradedesk import TradeDeskSettings
from forwarder.event import AdvertiserDefaults, ConversionEvent, decode
from forwarder.http.port import HttpAnswer
from forwarder.names import STANDARD
from forwarder.sandbox.tiktok_rules import EVENT
from forwarder.sandbox.tradedesk_rules import event_problems
from tests.unit.destinations.build import CREDENTIAL, NOW, Tree, account, load

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80),
    st.sampled_from(
        ["", " ", "null", "0" * 64, "a" * 64, "1E-1000000", "NaN", "@", "\ud7ff\u0000"]
    ),
    st.lists(st.text(max_size=8), max_size=3),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
EVERYTHING: Tree = load("everything")
MONEY = st.one_of(
    st.none(),
    st.integers(0, 10**12 - 1),
    st.decimals(0, 10**11, allow_nan=False, places=6).map(str),
    st.sampled_from(["1E+11", "0.00004", "1E-400", 1e-300, "0"]),
)
AMOUNTS = st.one_of(MONEY, JUNK)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "item_id": st.one_of(st.sampled_from(["a", 7, ""]), JUNK),
            "item_name": JUNK,
            "item_brand": JUNK,
            "item_category": JUNK,
            "price": AMOUNTS,
            "quantity": AMOUNTS,
        },
    ),
    max_size=4,
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False),
    st.text(max_size=80),
)
NAMES = ["purchase", "generate_lead", "start_trial", "search", "Foo Bar", "ViewForm", "!"]
REQUIRED = st.fixed_dictionaries(
    {
        "event_id": st.text(max_size=120).map(lambda text: f"e-{text}"),
        "event_name": st.one_of(st.sampled_from(NAMES), st.sampled_from(STANDARD)),
        "event_time": st.one_of(st.integers(1262304000, int(NOW)), st.floats(1262304000, NOW)),
        "advertiser": st.just("acme"),
        "action_source": st.sampled_from(["web", "app", "offline", "crm"]),
        "value": MONEY,
        "currency": st.sampled_from(["USD", "XOF", "jpy"]),
        "items": ITEMS,
        "properties": st.dictionaries(
            st.sampled_from(["plan", "seats", "value", "query"]), SCALARS
        ),
    }
)


@st.composite
def blocks(draw: st.DrawFn, whole: Tree) -> Tree:
    """Some of what ``whole`` says, and junk in the place of some more."""
    tree: Tree = {}
    for key, value in whole.items():
        match draw(st.sampled_from(["kept", "kept", "kept", "kept", "junk", "absent"])):
            case "kept":
                tree[key] = draw(blocks(value)) if isinstance(value, dict) else value
            case "junk":
                tree[key] = draw(JUNK)
    return tree


OPTIONAL = {
    key: EVERYTHING[key] for key in EVERYTHING if key not in ("items", "properties", "value")
}


@st.composite
def events(draw: st.DrawFn) -> ConversionEvent:
    tree = {**draw(blocks(OPTIONAL)), **draw(REQUIRED)}
    tree["schema_version"] = "1"
    currency = draw(st.sampled_from([None, "EUR"]))
    value = json.dumps(tree)  # not orjson: integers of any size
    return decode(value.encode(), {"*": AdvertiserDefaults(currency, "US")}, now=NOW)


def bound(destination: str, tree: Tree, policy: ConsentPolicy | None = None) -> Account:
    return account(destination, tree, consent=policy)


PASS: Tree = {"events": {"custom": "pass"}}
ACCOUNTS = [
    bound("tiktok", {**PASS, "pass_properties": ["plan", "seats", "value", "query"]}),
    bound("tiktok", {"event_source": "app", "unlisted_currency": "drop_value", "app_id": "1"}),
    bound("tiktok", {"event_source": "offline", "external_id_case": "lower"}),
    bound("tiktok", {"event_source": "crm", "default_page_url": "https://a.example/"}),
    bound(
        "tradedesk",
        {**PASS, "location": "alpha3", "td": {"td1": "properties.seats", "td2": "properties.plan"}},
    ),
    bound(
        "tradedesk",
        {"tracker_id": None, "upixel_id": "u", "ldu_region": "US-CA", "td": {"td1": "value"}},
        ConsentPolicy(personalization_denied="skip"),
    ),
    bound("thrad", {**PASS, "tag_id": "t", "default_value": {"lead_created": "1.5"}}),
    bound("thrad", {"sources": ["app", "crm"]}, ConsentPolicy(require=("ad_storage",))),
]


def leaves(value: object) -> Iterator[object]:
    """Everything in a JSON value that is empty or no container, keys included."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield key
            yield from leaves(below)
    elif isinstance(value, list) and value:
        for below in value:
            yield from leaves(below)
    else:
        yield value


@given(event=events())
@settings(max_examples=400, deadline=None)
def test_every_event_is_made_skipped_or_rejected(event: ConversionEvent) -> None:
    for bound in ACCOUNTS:
        made = bound.prepare(event)
        skipped = bound.applies(event)
        assert skipped == (made if isinstance(made, Skipped) else None)
        assert bound.prepare(event) == made
        if isinstance(made, Item):
            sendable(bound, made)
        elif isinstance(made, Rejected):
            assert event.event_id not in made.message


def sendable(bound: Account, item: Item) -> None:
    """Nothing in it is empty, the simulator takes it, and the body is the JSON of what it says."""
    for leaf in leaves(orjson.loads(item.json)):
        assert leaf is not None
        assert leaf not in ("", [], {})
    match bound.settings:
        case TikTokSettings(event_source=source):
            assert list(EVENT[source](orjson.loads(item.json))) == []
        case TradeDeskSettings():
            assert list(event_problems(orjson.loads(item.json))) == []
    body = bound.request([item], CREDENTIAL).body
    assert orjson.dumps(orjson.loads(body)) == body


VENDOR_WORDS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(0, 70000),
        st.text(max_size=40),
        st.sampled_from(
            ["Batch.0.x: no", "data[1]: no", "ok", "duplicate", "Click not found", "a@b.c"]
        ),
    ),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "message",
                    "request_id",
                    "data",
                    "status",
                    "error",
                    "detail",
                    "loc",
                    "msg",
                    "Message",
                    "EventResponses",
                    "EventIndex",
                    "EventErrors",
                    "Successful",
                    "Error",
                    "ErrorMessage",
                ]
            ),
            below,
            max_size=6,
        ),
    ),
    max_leaves=12,
)


@given(
    bound=st.sampled_from(ACCOUNTS),
    status=st.one_of(
        st.sampled_from([200, 400, 401, 404, 413, 422, 429, 503]), st.integers(100, 599)
    ),
    body=st.one_of(VENDOR_WORDS.map(orjson.dumps), st.binary(max_size=200)),
    wait=st.one_of(st.just("5"), st.text(max_size=40)),
    count=st.integers(1, 3),
)
@settings(max_examples=400, deadline=None)
def test_every_answer_means_something(
    bound: Account, status: int, body: bytes, wait: str, count: int
) -> None:
    read = bound.read(HttpAnswer(status, {"retry-after": wait}, body), count, NOW)
    assert set(read.named) <= set(range(count))
    assert not read.rest_delivered or read.named
    assert not read.later or read.verdict is Verdict.TRANSIENT
    assert read.retry_after is None or 0 <= read.retry_after <= 3600
    assert (read.verdict is not Verdict.DELIVERED) or status == 200
    assert "@" not in read.message
    assert len(read.message.encode()) <= 256
