"""Reading events: what makes a record one, what is dropped of it, what is kept."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from forwarder.event import (
    MAX_BYTES,
    AdvertiserDefaults,
    ConversionEvent,
    FieldError,
    InvalidEvent,
    decode,
    decode_checked,
)

Json = dict[str, object]
NOW = 1_795_262_400.0
ACME = {"acme": AdvertiserDefaults("USD", "US")}
DIGEST = "70574fa9c8f498a7b2e5c8712b1126de7b1406fd02fdc591821c5bd33092fd1c"
OF_NULL = "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"


def record(**fields: object) -> bytes:
    body = {
        "event_id": "e1",
        "event_name": "purchase",
        "event_time": NOW,
        "advertiser": "acme",
    }
    return json.dumps(body | fields).encode()


def read(**fields: object) -> ConversionEvent:
    return decode(record(**fields), ACME, NOW)


def refused(value: bytes | None, now: float = NOW, appended: float | None = None) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        decode(value, ACME, now, appended)
    return caught.value


def errors(**fields: object) -> list[FieldError]:
    invalid = refused(record(**fields))
    assert invalid.reason == "invalid_event"
    return list(invalid.errors)


# -- the record -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "has no value"),
        (b"", "has no value"),
        (b"\0\0\0\0\7", "must be JSON: EOF while parsing a value at line 1 column 0"),
        (b"{", "must be JSON: EOF while parsing an object at line 1 column 1"),
        (b"hello", "must be JSON: expected value at line 1 column 1"),
        (b"{}{}", "must be JSON: trailing characters at line 1 column 3"),
        (b'{"a":1,}', "must be JSON: trailing comma at line 1 column 8"),
        (b'{"a":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_is_no_json_is_undecodable(value: bytes | None, rule: str | None) -> None:
    invalid = refused(value)
    assert invalid.reason == "undecodable"
    assert [error.path for error in invalid.errors] == ["$"]
    assert rule is None or invalid.errors[0].rule == rule


@pytest.mark.parametrize("value", [b"[]", b'"x"', b"5", b"null", b"true", b"[{}]"])
def test_json_that_is_no_object_is_no_event(value: bytes) -> None:
    invalid = refused(value)
    assert invalid.reason == "invalid_event"
    assert invalid.errors == (FieldError("$", "must be a JSON object"),)


def test_a_record_has_at_most_1_mib() -> None:
    full = record(description="x" * (MAX_BYTES - len(record(description=""))))
    assert len(full) == MAX_BYTES
    assert decode(full, ACME, NOW).description is not None
    assert refused(full + b" ").reason == "oversize"


def test_half_a_character_hides_nothing_else() -> None:
    halves = rb"\ud83d \uDE00\ud83d\ude00 \\ud83d \ud83d"
    mended = "\ufffd \ufffd\U0001f600 \\ud83d \ufffd"
    value = record(description="@").replace(b"@", halves)
    assert decode(value, ACME, NOW).description == mended
    assert decode_checked(b"\0\0\0\1\2" + value, ACME).description == mended
    assert refused(value[:-1]).reason == "undecodable"
    assert refused(b"\0\0\0\0\1" * 2 + value).reason == "undecodable"


def test_confluent_framing_is_accepted() -> None:
    framed = b"\0\0\0\1\2" + record(order_id="o1")
    assert decode(framed, ACME, NOW).order_id == "o1"
    assert decode_checked(framed, ACME) == decode(framed, ACME, NOW)


@pytest.mark.parametrize("version", ["2", 2, "2.1", " 3 ", "v2", 0, "10"])
def test_another_major_version_is_refused_before_all_else(version: object) -> None:
    invalid = refused(record(schema_version=version, event_id=None, value=-1))
    assert invalid.reason == "unsupported_version"
    assert invalid.errors == (FieldError("schema_version", 'has another major version than "1"'),)


@pytest.mark.parametrize(
    ("version", "read_as"),
    [("1", "1"), (1, "1"), ("1.7", "1.7"), (None, "1"), ("", "1"), (1.0, "1.0")],
)
def test_this_major_version_is_ours(version: object, read_as: str) -> None:
    assert read(schema_version=version).schema_version == read_as


@pytest.mark.parametrize("version", [True, "one", [], {}])
def test_what_is_no_version(version: object) -> None:
    assert errors(schema_version=version) == [("schema_version", 'must be "1"')]


def test_of_a_name_that_stands_twice_the_last_one_counts() -> None:
    twice = record()[:-1] + b',"event_id":"e2"}'
    assert decode(twice, ACME, NOW).event_id == "e2"


# -- required fields ------------------------------------------------------------------------------
def test_every_broken_rule_is_named_at_once() -> None:
    invalid = refused(b'{"event_name":7,"event_time":"today","value":"x","currency":"ABC"}')
    assert invalid.errors == (
        FieldError("event_id", "is required"),
        FieldError("event_name", "must be a string"),
        FieldError(
            "event_time",
            "must be RFC 3339 with an offset, or epoch seconds, milliseconds or microseconds",
        ),
        FieldError("advertiser", "is required"),
        FieldError("value", "must be a number of 0 or more, below 10^12"),
        FieldError("currency", "must be an active ISO 4217 code"),
    )


@pytest.mark.parametrize("blank", [None, "", "  ", "null", "UNDEFINED", "(not set)"])
@pytest.mark.parametrize("field", ["event_id", "advertiser"])
def test_a_blank_id_is_missing(field: str, blank: object) -> None:
    assert errors(**{field: blank}) == [(field, "is required")]


@pytest.mark.parametrize("blank", [None, "", " \u00a0"])
@pytest.mark.parametrize("field", ["event_name", "event_time"])
def test_a_blank_field_is_missing(field: str, blank: object) -> None:
    assert errors(**{field: blank}) == [(field, "is required")]


@pytest.mark.parametrize("wrong", [True, 1.5, [], {}, ["e1"]])
@pytest.mark.parametrize("field", ["event_id", "advertiser"])
def test_an_id_is_a_string_or_an_integer(field: str, wrong: object) -> None:
    assert errors(**{field: wrong}) == [(field, "must be a string or an integer")]
    assert getattr(read(**{field: 7}), field) == "7"
    assert getattr(read(**{field: 2**80}), field) == str(2**80)


@pytest.mark.parametrize(("field", "most"), [("event_id", 128), ("event_name", 64)])
def test_required_text_is_limited(field: str, most: int) -> None:
    assert getattr(read(**{field: " " + "é" * most + " "}), field) == "é" * most
    assert errors(**{field: "é" * (most + 1)}) == [(field, f"must have at most {most} characters")]


def test_an_event_name_may_be_any_word() -> None:
    assert read(event_name=" null ").event_name == "null"


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        (1_262_303_999, "must not be before 2010"),
        ("2009-12-31T23:59:59Z", "must not be before 2010"),
        (NOW + 601, "must not be more than 10 minutes ahead"),
        ((NOW + 601) * 1000, "must not be more than 10 minutes ahead"),
    ],
)
def test_the_time_has_bounds(at: object, rule: str) -> None:
    assert errors(event_time=at) == [("event_time", rule)]


@pytest.mark.parametrize("at", [1_262_304_000, NOW + 600, (NOW + 600) * 1e6])
def test_the_bounds_belong_to_the_time(at: float) -> None:
    assert read(event_time=at).event_time <= NOW + 600


def test_a_late_reader_trusts_the_append_time_and_an_early_one_its_clock() -> None:
    value = record(event_time=NOW + 5000)
    assert decode(value, ACME, NOW, NOW + 4400).event_time == NOW + 5000
    assert decode(value, ACME, NOW + 4400, NOW).event_time == NOW + 5000
    assert refused(value, NOW, NOW + 4399).errors[0].path == "event_time"
    assert decode(record(), ACME, NOW, -0.001).event_time == NOW


# -- money ----------------------------------------------------------------------------------------
NO_VALUES: list[object] = [
    *(True, False, -1, "-0.01", "1,299.00", "ten", "null", [], {}, ["5"]),
    *("NaN", "Infinity", float("nan"), float("inf"), 1e12, "1e999999"),
]


@pytest.mark.parametrize(
    "wrong",
    NO_VALUES,
    ids=str,
)
def test_a_value_is_an_amount(wrong: object) -> None:
    assert errors(value=wrong) == [("value", "must be a number of 0 or more, below 10^12")]


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        (b'"19.90"', "19.90"),
        (b"249.95000000000002", "249.95"),
        (b"1E+3", "1000"),
        (b"1000.0", "1000.0"),
        (b"0", "0"),
        (b'" 5 "', "5"),
        (b"1e-9", "0"),
    ],
)
def test_a_value_keeps_its_digits_and_so_does_a_price(written: bytes, digits: str) -> None:
    value = record()[:-1] + b',"value":' + written + b',"items":[{"price":' + written + b"}]}"
    event = decode(value, ACME, NOW)
    assert str(event.value) == str(event.items[0].price) == digits


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_value_is_none(blank: object) -> None:
    event = read(value=blank)
    assert event.value is None
    assert event.currency is None


@pytest.mark.parametrize("code", ["usd", " EUR ", "XAU", "ZWG"])
def test_a_currency_is_read_in_any_case(code: str) -> None:
    assert read(currency=code).currency == code.strip().upper()


@pytest.mark.parametrize("wrong", ["XXX", "XTS", "DEM", "EURO", "€", 978, True, [], {}, "null"])
def test_a_currency_is_an_active_one(wrong: object) -> None:
    assert errors(currency=wrong) == [("currency", "must be an active ISO 4217 code")]


def test_a_value_without_currency_takes_its_advertisers() -> None:
    assert read(value=5).currency == "USD"
    assert read(value=5, currency="EUR").currency == "EUR"
    everybody = {"*": AdvertiserDefaults("GBP")} | ACME
    assert decode(record(value=5, advertiser="x"), everybody, NOW).currency == "GBP"
    assert decode(record(value=5), everybody, NOW).currency == "USD"


MISSING = (
    "currency",
    "is required beside a value, unless the advertiser has a default currency",
)


def test_a_value_without_any_currency_is_invalid() -> None:
    assert errors(value=0, advertiser="x") == [MISSING]
    assert errors(value=5, advertiser="x", currency=" ") == [MISSING]
    assert errors(value=5, advertiser="x", event_id="") == [("event_id", "is required"), MISSING]
    assert errors(value=5, event_id="") == [("event_id", "is required")]


# -- optional fields ------------------------------------------------------------------------------
def test_what_is_absent_is_empty() -> None:
    event = read()
    assert (event.schema_version, event.action_source, event.destinations) == ("1", "web", None)
    assert event.user.emails == event.user.phones == event.user.external_ids == ()
    assert (event.items, event.consent.gpp_sid) == ((), ())
    assert event.click_ids == event.properties == {}
    assert (event.page.url, event.app.app_id, event.lead.lead_id) == (None, None, None)
    assert (event.user.ip, event.attribution.callback, event.consent.tcf) == (None, None, None)
    assert (event.dropped, event.unknown_fields()) == ((), ())
    assert event.defaults == AdvertiserDefaults("USD", "US")


GOOD: list[tuple[str, object, object]] = [
    ("user.emails", {"email": " A@B.co "}, ("a@b.co",)),
    ("user.emails", {"email": ["A@B.co", "a@b.co", DIGEST.upper()]}, ("a@b.co", DIGEST)),
    ("user.phones", {"phone": "+12133734253"}, ("+12133734253",)),
    ("user.phones", {"phone": "(213) 373-4253"}, ("+12133734253",)),
    ("user.phones", {"phone": "0171 1234567", "country": "DE"}, ("+491711234567",)),
    ("user.phones", {"phone": [DIGEST.upper(), "unknown"]}, (DIGEST,)),
    ("user.external_ids", {"external_id": 7}, ("7",)),
    ("user.external_ids", {"external_id": ["u", 8, DIGEST.upper()]}, ("u", "8", DIGEST)),
    ("user.first_name", {"first_name": " Jane "}, "Jane"),
    ("user.last_name", {"last_name": DIGEST.upper()}, DIGEST),
    ("user.zip", {"zip": "M5V 3L9"}, "M5V 3L9"),
    ("user.city", {"city": " New York "}, "New York"),
    ("user.country", {"country": "uk"}, "GB"),
    ("user.state", {"state": "US-CA", "country": "us"}, "CA"),
    ("user.state", {"state": "US-CA"}, "US-CA"),
    ("user.metro", {"metro": 803}, "803"),
    ("user.ip", {"ip_address": "203.0.113.1, 10.0.0.1"}, "203.0.113.1"),
    ("user.ip", {"ip_address": "2001:DB8::1"}, "2001:db8::1"),
    ("user.user_agent", {"user_agent": " Mozilla/5.0 "}, "Mozilla/5.0"),
    ("user.locale", {"locale": "en_US"}, "en_US"),
    ("user.client_id", {"client_id": 12.5}, None),
    ("user.client_id", {"client_id": "1.2"}, "1.2"),
    (
        "user.idfa",
        {"idfa": "ea7583cd-a667-48bc-b806-42ecb2b48606"},
        "ea7583cd-a667-48bc-b806-42ecb2b48606",
    ),
    ("user.idfa", {"idfa": DIGEST.upper(), "att_status": "authorized"}, DIGEST),
    ("user.idfv", {"idfv": "1F8E6B9C-2A4D-4E3F"}, "1F8E6B9C-2A4D-4E3F"),
    (
        "user.gaid",
        {"gaid": "aaaaaa-2222-1111-8787-809e92233ba0"},
        "aaaaaa-2222-1111-8787-809e92233ba0",
    ),
    ("user.att_status", {"att_status": "not_determined"}, "NOT_DETERMINED"),
    (
        "user.tdid",
        {"tdid": "8E1F2A34-5b6c-4d7e-8f90-a1b2c3d4e5f6"},
        "8E1F2A34-5b6c-4d7e-8f90-a1b2c3d4e5f6",
    ),
    ("user.uid2", {"uid2": "x" * 43 + "="}, "x" * 43 + "="),
    ("user.uid2_token", {"uid2_token": "AdvTok1"}, "AdvTok1"),
    ("user.euid", {"euid": "x" * 44}, "x" * 44),
    ("user.euid_token", {"euid_token": "EuTok1"}, "EuTok1"),
    ("user.ramp_id", {"ramp_id": "X" * 49}, "X" * 49),
    ("user.ramp_id", {"ramp_id": "X" * 70}, "X" * 70),
    ("page.url", {"url": "https://a.example/?e=a@b.co"}, "https://a.example/?e=redacted"),
    ("page.referrer", {"referrer": " https://b.example "}, "https://b.example"),
    ("app.app_id", {"app_id": 123}, "123"),
    ("app.version", {"version": "1.2"}, "1.2"),
    ("lead.lead_id", {"lead_id": 99}, "99"),
    ("attribution.callback", {"callback": "cb"}, "cb"),
    ("attribution.is_retargeting", {"is_retargeting": False}, False),
    ("attribution.attribution_share", {"attribution_share": 0.5}, 0.5),
    ("attribution.attribution_share", {"attribution_share": 1}, 1.0),
    ("consent.ad_storage", {"ad_storage": " Granted"}, True),
    ("consent.ad_user_data", {"ad_user_data": "denied"}, False),
    ("consent.limited_data_use", {"limited_data_use": False}, False),
    ("consent.gdpr_applies", {"gdpr_applies": True}, True),
    ("consent.tcf", {"tcf": " CPx.y-z_1 "}, "CPx.y-z_1"),
    ("consent.us_privacy", {"us_privacy": "1ynn"}, "1ynn"),
    ("consent.gpp", {"gpp": "DBABMA~1YNN"}, "DBABMA~1YNN"),
    ("consent.gpp_sid", {"gpp_sid": [-1]}, (-1,)),
    ("consent.region", {"region": "us-ca"}, "US-CA"),
]


@pytest.mark.parametrize(("path", "given", "form"), GOOD, ids=str)
def test_a_field_of_a_block_is_read(path: str, given: Json, form: object) -> None:
    block, _, name = path.partition(".")
    event = read(**{block: given})
    assert getattr(getattr(event, block), name) == form
    assert (event.dropped == ()) == (form is not None)


BAD: list[tuple[str, object]] = [
    *((f"user.{name}", 5) for name in ("email", "phone", "first_name", "city", "user_agent")),
    *((f"user.{name}", True) for name in ("external_id", "metro", "zip", "state", "tdid")),
    *((f"user.{name}", {"a": 1}) for name in ("email", "phone", "external_id", "client_id")),
    *((f"user.{name}", OF_NULL) for name in ("email", "phone", "external_id", "first_name")),
    *((f"user.{name}", OF_NULL) for name in ("last_name", "zip", "idfa", "gaid")),
    ("user.email", "no address"),
    ("user.email", ["a@b.co", "x"]),
    ("user.email", [f"{n}@b.co" for n in range(11)]),
    ("user.phone", "123"),
    *((f"user.{name}", "x" * 257) for name in ("first_name", "last_name", "city", "state")),
    ("user.phone", "0721" + " " * 47 + "234567"),
    ("user.country", "USA"),
    ("user.ip_address", "10.0.0.1"),
    ("user.idfa", "00000000-0000-0000-0000-000000000000"),
    ("user.idfv", "xyz"),
    ("user.att_status", "MAYBE"),
    ("user.tdid", "00000000-0000-0000-0000-000000000000"),
    ("user.uid2", "x" * 43),
    ("user.euid", "x" * 45),
    ("user.ramp_id", "x" * 50),
    ("page.url", "/thanks"),
    ("page.referrer", 5),
    ("app.app_id", 1.5),
    ("app.name", 5),
    ("lead.lead_id", []),
    ("attribution.attributed", "true"),
    ("attribution.is_retargeting", 1),
    ("attribution.attribution_share", 1.5),
    ("attribution.attribution_share", True),
    ("attribution.attribution_share", "0.5"),
    ("consent.ad_storage", "yes"),
    ("consent.ad_user_data", True),
    ("consent.limited_data_use", "true"),
    ("consent.limited_data_use", 1),
    ("consent.gdpr_applies", 0),
    ("consent.tcf", "BOx"),
    ("consent.tcf", "CP x"),
    ("consent.us_privacy", "1YN"),
    ("consent.us_privacy", "2YNN"),
    ("consent.gpp", "DB!"),
    ("consent.gpp_sid", [True]),
    ("consent.gpp_sid", ["7"]),
    ("consent.gpp_sid", 7),
    ("items.price", -1),
    ("items.price", True),
    ("items.quantity", "two"),
    ("items.item_id", 1.5),
    ("items.item_name", 5),
]


@pytest.mark.parametrize(("path", "given"), BAD, ids=lambda part: str(part)[:30])
def test_a_field_without_its_form_is_dropped_and_the_event_goes_on(
    path: str, given: object
) -> None:
    block, _, name = path.partition(".")
    fields = {name: given}
    event = read(**{block: [{"item_brand": "x"} | fields] if block == "items" else fields})
    assert event.dropped == (path,)
    assert event.unknown_fields() == ()


@pytest.mark.parametrize("blank", [None, "", "  ", "null", "(not set)"])
@pytest.mark.parametrize(
    ("block", "name"),
    [
        *(("user", name) for name in ("email", "phone", "external_id", "ip_address", "idfa")),
        *(("user", "tdid"), ("app", "app_id"), ("consent", "tcf")),
    ],
)
def test_what_says_nothing_is_not_dropped(block: str, name: str, blank: object) -> None:
    event = read(**{block: {name: blank}})
    assert event.dropped == ()
    assert event.user.phones == ()
    assert name == "phone" or event == read(**{block: {}})


@pytest.mark.parametrize("status", ["DENIED", "restricted", "NOT_DETERMINED"])
def test_an_idfa_needs_permission_wherever_it_stands(status: str) -> None:
    idfa = "EA7583CD-A667-48BC-B806-42ECB2B48606"
    for user in ({"idfa": idfa, "att_status": status}, {"att_status": status, "idfa": idfa}):
        event = read(user=user)
        assert event.user.idfa is None
        assert event.user.att_status == status.upper()
        assert event.dropped == ("user.idfa",)


@pytest.mark.parametrize("block", ["user", "page", "app", "lead", "attribution", "consent"])
@pytest.mark.parametrize("wrong", ["x", 5, True, [], [{}]])
def test_a_block_that_is_no_object_is_dropped(block: str, wrong: object) -> None:
    event = read(**{block: wrong})
    assert event.dropped == (block,)
    assert getattr(event, block) == getattr(read(), block)
    assert read(**{block: None}).dropped == ()


SINGLE: list[tuple[str, object, object, tuple[str, ...]]] = [
    ("action_source", "APP", "app", ()),
    ("action_source", "store", "web", ("action_source",)),
    ("action_source", None, "web", ()),
    ("session_id", 5, "5", ()),
    ("shop_id", True, None, ("shop_id",)),
    ("order_id", 1001, "1001", ()),
    ("order_id", "null", None, ()),
    ("order_id", 10.5, None, ("order_id",)),
    ("search_term", " shoes ", "shoes", ()),
    ("description", ["x"], None, ("description",)),
    ("customer_type", "New", "new", ()),
    ("customer_type", "old", None, ("customer_type",)),
    ("destinations", ["A", " b"], ("a", "b"), ()),
    ("destinations", [], (), ()),
    ("destinations", "A", ("a",), ()),
    ("destinations", " ", None, ()),
    ("destinations", "none", ("none",), ()),
    ("destinations", ["a", 5], ("a", ""), ()),
    ("destinations", {"a": True}, (), ("destinations",)),
    ("destinations", 5, (), ("destinations",)),
    ("destinations", None, None, ()),
]


@pytest.mark.parametrize(("name", "given", "form", "dropped"), SINGLE, ids=str)
def test_a_single_field_is_read(
    name: str, given: object, form: object, dropped: tuple[str, ...]
) -> None:
    event = read(**{name: given})
    assert getattr(event, name) == form
    assert event.dropped == dropped


def test_items_are_rows() -> None:
    rows = [{"item_id": 7, "price": "5.00", "quantity": 2.0}, {"item_name": " Hat ", "price": 1e2}]
    event = read(items=rows)
    first, second = event.items
    assert (first.item_id, first.price, first.quantity) == ("7", Decimal("5.00"), Decimal(2))
    assert str(first.quantity) == "2"
    assert (second.item_name, second.price, second.quantity) == ("Hat", Decimal(100), None)
    assert event.dropped == ()


@pytest.mark.parametrize(
    ("items", "kept", "dropped"),
    [
        ([{"item_id": "a"}] * 500, 500, ()),
        ([{"item_id": "a"}] * 501, 500, ("items",)),
        ([{"item_id": "a"}, "b", None], 1, ("items",)),
        ({"item_id": "a"}, 0, ("items",)),
        ("a", 0, ("items",)),
        ([], 0, ()),
        (None, 0, ()),
    ],
    ids=lambda part: str(part)[:20],
)
def test_rows_that_are_none_and_rows_past_500_are_dropped(
    items: object, kept: int, dropped: tuple[str, ...]
) -> None:
    event = read(items=items)
    assert len(event.items) == kept
    assert event.dropped == dropped


@pytest.mark.parametrize(
    ("given", "kept", "dropped"),
    [
        ({"a": "x", "b": 5}, {"a": "x", "b": "5"}, ()),
        ({"a": "unknown", "b": None, "c": " y "}, {"c": "y"}, ()),
        ({"a": ["x"], "b": "y"}, {"b": "y"}, ("click_ids",)),
        ("x", {}, ("click_ids",)),
        (None, {}, ()),
    ],
    ids=str,
)
def test_click_ids_of_any_name_are_kept(
    given: object, kept: Json, dropped: tuple[str, ...]
) -> None:
    event = read(click_ids=given)
    assert event.click_ids == kept
    assert event.dropped == dropped


@pytest.mark.parametrize(
    ("given", "kept", "dropped"),
    [
        (
            {"a": " x ", "b": 1, "c": 1.5, "d": False},
            {"a": " x ", "b": 1, "c": 1.5, "d": False},
            (),
        ),
        ({"a": "", "b": None, "c": 0}, {"c": 0}, ()),
        ({"a": [1], "b": {"c": 1}, "d": 1}, {"d": 1}, ("properties",)),
        ({"a": float("nan"), "b": 2**64, "c": 2**64 - 1}, {"c": 2**64 - 1}, ("properties",)),
        ({str(n): n for n in range(51)}, {str(n): n for n in range(50)}, ("properties",)),
        ([1], {}, ("properties",)),
    ],
    ids=lambda part: str(part)[:30],
)
def test_properties_are_scalars(given: object, kept: Json, dropped: tuple[str, ...]) -> None:
    event = read(properties=given)
    assert event.properties == kept
    assert [type(value) for value in event.properties.values()] == list(map(type, kept.values()))
    assert event.dropped == dropped


def test_unknown_fields_are_named_by_their_paths() -> None:
    event = read(
        foo=1,
        user={"email": "a@b.co", "nick": 1},
        page={"title": "x"},
        items=[{"sku": 1}, {"sku": 2, "item_id": "a"}],
        click_ids={"new_id": "x"},
        properties={"any": 1},
        consent={"marketing": "granted"},
    )
    assert event.unknown_fields() == (
        "foo",
        "user.nick",
        "page.title",
        "consent.marketing",
        "items.sku",
    )


@pytest.mark.parametrize(
    "name", ["emails", "ip", "external_ids", "phones", "phone_region", "phone_given"]
)
def test_a_field_named_like_an_attribute_changes_nothing(name: str) -> None:
    event = read(user={name: "1.2.3.4"})
    assert event.user.emails == event.user.phones == event.user.external_ids == ()
    assert event.user.ip is None
    assert event.unknown_fields() == (f"user.{name}",)


@pytest.mark.parametrize("name", ["defaults", "noted", "dropped", "unknown_fields", "__class__"])
def test_a_producer_cannot_reach_what_is_ours(name: str) -> None:
    event = read(**{name: "x"})
    assert event.defaults == ACME["acme"]
    assert event.dropped == ()
    assert event.unknown_fields() == (name,)


# -- privacy and trust ----------------------------------------------------------------------------
def test_no_value_stands_in_any_text() -> None:
    event = read(user={"email": "alice@secret.example"}, order_id="s3cret-order")
    assert "secret" not in f"{event!r}{event}{event.user!r}{event.user}"
    invalid = refused(record(event_id=["s3cret"], value="s3cret", currency="s3cret"))
    assert "s3cret" not in f"{invalid}{invalid!r}{invalid.errors}"
    assert "s3cret" not in str(refused(b'{"a":s3cret}'))
    assert invalid.__cause__ is None
    assert invalid.__context__ is None


def test_a_checked_record_is_read_alike_whatever_the_time_is() -> None:
    value = record(event_time=NOW + 600, value=5, user={"phone": "(213) 373-4253"}, foo=1)
    first, again = decode(value, ACME, NOW), decode_checked(value, ACME)
    assert again == first
    assert again.defaults == first.defaults
    assert again.user.phones == first.user.phones == ("+12133734253",)
    assert again.unknown_fields() == first.unknown_fields()


def test_a_checked_record_whose_advertiser_lost_its_currency_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="currency: is required beside a value"):
        decode_checked(record(value=5), {})


@pytest.mark.parametrize("blank", ["\x1c", "\x1f" * 3, "\x1d" * 12, " \x1e\t"])
def test_separators_alone_are_blank(blank: str) -> None:
    """Python trims them, pydantic's core does not."""
    event = read(
        order_id=blank,
        description=blank,
        user={"first_name": blank, "state": blank, "external_id": blank, "user_agent": blank},
        items=[{"item_id": blank, "item_name": blank}],
        click_ids={"ttclid": blank},
        properties={"p": blank},
    )
    user, item = event.user, event.items[0]
    assert (event.order_id, event.description, item.item_id, item.item_name) == (None,) * 4
    assert (user.first_name, user.state, user.user_agent) == (None,) * 3
    assert (user.external_ids, event.click_ids, event.properties) == ((), {}, {})
