"""Normal forms, whatever is given: stable, and the same by either way in."""

from __future__ import annotations

import ipaddress
import math
import re
import string
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError

from forwarder import normal
from forwarder.event import forms
from forwarder.event.lenient import Lenient, says_nothing
from forwarder.money import money, quantity
from forwarder.names import STANDARD, canonical

TEXT_FORMS: list[Callable[[str], str | None]] = [
    normal.blank,
    normal.blank_id,
    normal.digest,
    normal.text_or_digest,
    normal.id_or_digest,
    normal.email,
    normal.phone,
    normal.name,
    normal.geo,
    normal.country,
    normal.zip_code,
    normal.ip,
    normal.device_id,
    normal.device_id_or_digest,
    normal.guid,
    normal.url,
]
SPACES = st.text(" \t\n\u00a0\u2003", max_size=2)


def near(alphabet: str, longest: int = 20) -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=longest)


SEPARATORS = "\x1c\x1d\x1e\x1f"
"""White space to Python, not to Unicode."""
texts = st.one_of(
    st.text(st.characters(exclude_characters=SEPARATORS, codec="utf-8"), max_size=30),
    near("ab.@ \u00a0+-_\u0130ß"),
    near("0123456789+ -()"),
    near("0123456789.:[],"),
    near("0123456789abcdefABCDEF-", 70),
    st.text("0123456789abcdefABCDEF", min_size=62, max_size=66),
    near("0123456789abcdef:.%[]", 40),
    st.builds("{}{}{}".format, SPACES, st.sampled_from(sorted(normal.PLACEHOLDERS)), SPACES),
    st.builds("https://{}{}".format, near("ab./?"), near("a=&@%40#?")),
    st.builds("{}{}{}".format, SPACES, st.emails(), SPACES),
    st.builds(str, st.ip_addresses()),
)


@pytest.mark.parametrize("form", TEXT_FORMS, ids=lambda form: form.__name__)
@given(text=texts)
def test_a_form_is_its_own_form(form: Callable[[str], str | None], text: str) -> None:
    once = form(text)
    assert once is None or form(once) == once
    assert once != ""


@given(text=texts)
def test_an_email_is_what_the_rule_says(text: str) -> None:
    trimmed = text.strip().lower()
    assume(not normal.is_digest(trimmed))
    fits = re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", trimmed)
    assert normal.email(text) == (trimmed if fits else None)


@given(address=st.ip_addresses(v=4))
def test_an_address_is_dropped_by_its_network(address: ipaddress.IPv4Address) -> None:
    own = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")
    shared = ("169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/32")
    hidden = any(address in ipaddress.IPv4Network(net) for net in own + shared)
    assert normal.ip(str(address)) == (None if hidden else str(address))


@given(address=st.ip_addresses(v=6))
def test_an_ipv6_address_is_written_in_one_way(address: ipaddress.IPv6Address) -> None:
    form = normal.ip(str(address))
    assert form == normal.ip(address.exploded.upper()) == normal.ip(f"[{address}]:443")


NUMERALS = st.one_of(
    st.integers(-10, 10**13),
    st.floats(),
    st.decimals(allow_nan=True).map(str),
    near("0123456789.eE+-", 12),
    st.from_regex(re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?", re.ASCII), fullmatch=True),
)


@given(value=NUMERALS)
def test_an_amount_is_near_what_was_given_and_stable(value: object) -> None:
    amount = money(value)
    if amount is None:
        return
    assert amount.is_finite()
    assert 0 <= amount < 10**12
    assert abs(amount - Decimal(str(value).strip())) <= Decimal("0.00005")
    digits = format(amount, "f")
    assert re.fullmatch(r"[0-9]+(\.[0-9]{1,4})?", digits)
    assert str(money(digits)) == digits
    assert quantity(value) == amount


@given(value=st.one_of(NUMERALS, st.datetimes().map(lambda at: f"{at.isoformat()}Z"), texts))
def test_a_time_is_a_finite_number(value: object) -> None:
    at = normal.time(value)
    assert at is None or (isinstance(at, float) and math.isfinite(at))


@given(value=st.recursive(st.none() | st.booleans() | texts, st.lists, max_leaves=30))
def test_many_are_few_and_different(value: object) -> None:
    found = normal.many(value, normal.id_or_digest)
    assert len(found.forms) == len(set(found.forms)) <= 10
    assert normal.many(list(found.forms), normal.id_or_digest) == (found.forms, False)


@given(name=st.text(max_size=20) | st.sampled_from(STANDARD))
def test_a_name_is_read_alike_however_it_is_written(name: str) -> None:
    found = canonical(name)
    assert canonical(found) == found
    assert canonical(f" {name}-") == found


LENIENT = {name: kind for name, kind in vars(forms).items() if isinstance(kind, Lenient)}
GIVEN = st.one_of(
    texts,
    st.none() | st.booleans() | st.integers() | st.floats(),
    st.sampled_from(["granted", "denied", "web", "app", "US", "UK", "US-CA", "1YNN", "CPx", "1.5"]),
    st.lists(texts | st.integers(), max_size=12),
    st.dictionaries(st.text(string.ascii_letters, max_size=3), texts | st.integers(), max_size=3),
)


@pytest.mark.parametrize("kind", [name for name in LENIENT if name != "PHONE"])
@given(value=GIVEN)
def test_the_fast_way_in_takes_only_what_the_form_leaves_alike(kind: str, value: object) -> None:
    lenient = LENIENT[kind]
    try:
        exact = SchemaValidator(lenient.exact).validate_python(value)
    except ValidationError:
        return
    form = lenient.form(value, {})
    if form is not None:
        assert form == exact
    else:
        assert lenient.form.__name__ == "_no_form" or says_nothing(value)
