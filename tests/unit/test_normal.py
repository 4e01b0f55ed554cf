"""The normal forms, rule by rule (mapping section 1), with the vendors' official vectors."""

from __future__ import annotations

import hashlib

import pytest

from forwarder import normal

OF_NOTHING = [
    hashlib.sha256(text.encode()).hexdigest()
    for text in ("", " ", "null", "undefined", "none", "unknown")
]
DIGEST = "70574fa9c8f498a7b2e5c8712b1126de7b1406fd02fdc591821c5bd33092fd1c"


def test_the_digests_of_nothing_are_the_published_ones() -> None:
    starts = ["e3b0c442", "36a9e7f1", "74234e98", "eb045d78", "140bedbf", "b23a6a84"]
    assert [digest[:8] for digest in OF_NOTHING] == starts


@pytest.mark.parametrize(
    ("given", "form"),
    [("  a b ", "a b"), ("", None), (" \u00a0\u2003\n", None), ("null", "null")],
)
def test_blank(given: str, form: str | None) -> None:
    assert normal.blank(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (" user_123 ", "user_123"),
        *((word, None) for word in sorted(normal.PLACEHOLDERS)),
        *((f" {word.upper()} ", None) for word in sorted(normal.PLACEHOLDERS)),
        ("nullable", "nullable"),
        ("unknown1", "unknown1"),
        ("", None),
    ],
)
def test_blank_id(given: str, form: str | None) -> None:
    assert normal.blank_id(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("7", "7"),
        (7, "7"),
        (0, "0"),
        (-3, "-3"),
        (2**70, str(2**70)),
        (True, None),
        (False, None),
        (1.0, None),
        (None, None),
        ([], None),
        ("None", None),
    ],
)
def test_identifier(given: object, form: str | None) -> None:
    assert normal.identifier(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [(DIGEST, DIGEST), (f" {DIGEST.upper()} ", DIGEST), (DIGEST[:-1], None), (DIGEST + "0", None)]
    + [(digest, None) for digest in OF_NOTHING]
    + [(digest.upper(), None) for digest in OF_NOTHING],
)
def test_digest(given: str, form: str | None) -> None:
    assert normal.digest(given) == form


def test_a_digest_is_never_hashed_again() -> None:
    assert normal.hashed(DIGEST.upper()) == DIGEST
    assert normal.hashed("user_123") == (
        "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"
    )


@pytest.mark.parametrize(
    ("form", "digest"),
    [
        (
            normal.email(" ALICE_abc@gmail.com "),
            "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f",
        ),
        (
            normal.phone("(+1)2133734253"),
            "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd",
        ),
        (
            normal.id_or_digest("user_123"),
            "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b",
        ),
        (normal.device_id_or_digest("EA7583CD-A667-48BC-B806-42ECB2B48606"), DIGEST),
        (
            normal.device_id_or_digest("aaaaaa-2222-1111-8787-809e92233ba0"),
            "0ebad966881e1eebffe69b3abf624631cf83ec9bf8cb3ce134c7c75c6d8ee7fc",
        ),
        (
            normal.name("Jane"),
            "81f8f6dde88365f3928796ec7aa53f72820b06db8664f5fe76a7eb13e24546a2",
        ),
        (
            normal.zip_code("M5V 3L9"),
            "5c850751d57c5d887fe7807d3da801efe7e8faa1f105ea36cdcd913dd32a41c7",
        ),
    ],
)
def test_official_vectors(form: str | None, digest: str) -> None:
    assert form is not None
    assert normal.hashed(form) == digest


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("Bob.Smith+tag@Gmail.com", "bob.smith+tag@gmail.com"),
        ("ÄNNE@EXAMPLE.de", "änne@example.de"),
        (DIGEST.upper(), DIGEST),
        ("a@b", None),
        ("a@b.", None),
        ("a@.b", None),
        ("a@b.c", "a@b.c"),
        ("a@b@c.d", None),
        ("@b.c", None),
        ("a b@c.d", None),
        ("a@c .d", None),
        ("d41d8cd98f00b204e9800998ecf8427e", None),  # MD5
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", None),  # SHA-1
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", None),  # base64
        *((digest, None) for digest in OF_NOTHING),
    ],
)
def test_email(given: str, form: str | None) -> None:
    assert normal.email(given) == form


@pytest.mark.parametrize(
    ("given", "region", "form"),
    [
        ("+12133734253", None, "+12133734253"),
        (" +12133734253 ", "DE", "+12133734253"),
        ("+9991234567", None, "+9991234567"),  # E.164 by shape: stale metadata cannot drop it
        ("+1 (213) 373-4253", None, "+12133734253"),
        ("(213) 373-4253", "US", "+12133734253"),
        ("(213) 373-4253", None, None),
        ("0171 1234567", "DE", "+491711234567"),
        ("0049 171 1234567", None, "+491711234567"),
        ("001 213 373 4253", None, "+12133734253"),
        ("3734253", "US", None),  # possible only locally
        ("+0123456789", None, None),
        ("+123456", None, None),
        ("+1234567890123456", None, None),
        ("call me", "US", None),
        ("00", None, None),
        ("0000", None, None),
        ("1" * 300, "US", None),
        (DIGEST.upper(), None, DIGEST),
        (OF_NOTHING[0], None, None),
        ("١٢٣", "EG", None),
        ("+١٢١٣٣٧٣٤٢٥٣", None, "+12133734253"),
    ],
)
def test_phone(given: str, region: str | None, form: str | None) -> None:
    assert normal.phone(given, region) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("Jane", "jane"),
        (" O'Connor ", "oconnor"),
        ("O\u2019Neil", "oneil"),
        ("Jean-Luc", "jeanluc"),
        ("van der Berg", "van der berg"),
        ("José", "josé"),
        ("Jose\u0301", "josé"),
        ("St. John", "st john"),
        ("- Jane", "jane"),
        ("...", None),
        ("李", "李"),
        (DIGEST, DIGEST),
    ],
)
def test_name(given: str, form: str | None) -> None:
    assert normal.name(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("Târgu Mureș", "targumures"),
        ("New York", "newyork"),
        ("São Paulo", "saopaulo"),
        ("St. Louis", "stlouis"),
        ("東京", "東京"),
        ("Москва", "москва"),
        ("\uff34\uff2f\uff2b\uff39\uff2f", "tokyo"),
        ("CA", "ca"),
        ("--", None),
        ("", None),
    ],
)
def test_geo(given: str, form: str | None) -> None:
    assert normal.geo(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("us", "US"),
        (" GB ", "GB"),
        ("uk", "GB"),
        ("USA", None),
        ("Germany", None),
        ("U1", None),
        ("ÄÖ", None),
    ],
)
def test_country(given: str, form: str | None) -> None:
    assert normal.country(given) == form


@pytest.mark.parametrize(
    ("given", "country", "form"),
    [
        ("US-CA", "US", "CA"),
        ("us-ca", "US", "ca"),
        ("UK-ENG", "GB", "ENG"),
        ("US-CA", "CA", "US-CA"),
        ("US-CA", None, "US-CA"),
        ("Baden-Württemberg", "DE", "Baden-Württemberg"),
        (" Texas ", "US", "Texas"),
        ("US-", "US", None),
    ],
)
def test_state(given: str, country: str | None, form: str | None) -> None:
    assert normal.state(given, country) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("M5V 3L9", "m5v3l9"),
        ("90001-1234", "900011234"),
        (" 90\u2013001\u00a0", "90001"),
        ("-", None),
    ],
)
def test_zip_code(given: str, form: str | None) -> None:
    assert normal.zip_code(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("203.0.113.1", "203.0.113.1"),  # a documentation address: vendors' own example
        (" 8.8.8.8 , 10.0.0.1", "8.8.8.8"),
        ("8.8.8.8:443", "8.8.8.8"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[203.0.113.7]:443", "203.0.113.7"),
        ("[203.0.113.7]", "203.0.113.7"),
        ("[10.0.0.1]", None),
        ("2001:0db8:0000::0001", "2001:db8::1"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:10.0.0.1", None),
        ("9.255.255.255", "9.255.255.255"),
        ("11.0.0.0", "11.0.0.0"),
        ("10.0.0.1", None),
        ("172.15.255.255", "172.15.255.255"),
        ("172.16.0.1", None),
        ("172.31.255.255", None),
        ("172.32.0.0", "172.32.0.0"),
        ("192.167.1.1", "192.167.1.1"),
        ("192.168.1.1", None),
        ("100.63.255.255", "100.63.255.255"),
        ("100.64.0.1", None),
        ("100.127.255.255", None),
        ("100.128.0.0", "100.128.0.0"),
        ("127.0.0.1", None),
        ("169.254.1.1", None),
        ("169.253.1.1", "169.253.1.1"),
        ("223.255.255.255", "223.255.255.255"),
        ("224.0.0.1", None),
        ("239.1.1.1", None),
        ("0.0.0.0", None),
        ("::", None),
        ("::1", None),
        ("fe80::1", None),
        ("fe80::1%eth0", None),
        ("2001:db8::1%eth0", None),
        ("fc00::1", None),
        ("fdff::1", None),
        ("ff02::1", None),
        ("256.1.1.1", None),
        ("1.2.3", None),
        ("01.2.3.4", None),
        ("1.2.3.4.5", None),
        ("localhost", None),
        (":" * 100, None),
        (",8.8.8.8", None),
        ("", None),
    ],
)
def test_ip(given: str, form: str | None) -> None:
    assert normal.ip(given) == form


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("EA7583CD-A667-48BC-B806-42ECB2B48606", "EA7583CD-A667-48BC-B806-42ECB2B48606"),
        (" aaaaaa-2222-1111-8787-809e92233ba0 ", "aaaaaa-2222-1111-8787-809e92233ba0"),
        ("00000000-0000-0000-0000-000000000000", None),
        ("0" * 32, None),
        ("-" * 20, None),
        ("a" * 15, None),
        ("a" * 16, "a" * 16),
        ("a" * 65, None),
        ("g" * 20, None),
    ],
)
def test_device_id(given: str, form: str | None) -> None:
    assert normal.device_id(given) == form


def test_a_device_id_may_be_a_digest() -> None:
    assert normal.device_id_or_digest(DIGEST.upper()) == DIGEST
    assert normal.device_id_or_digest(OF_NOTHING[2]) is None
    assert normal.device_id_or_digest("0" * 63) is None


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("8E1F2A34-5b6c-4d7e-8f90-a1b2c3d4e5f6", "8E1F2A34-5b6c-4d7e-8f90-a1b2c3d4e5f6"),
        ("8e1f2a345b6c4d7e8f90a1b2c3d4e5f6", None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_guid(given: str, form: str | None) -> None:
    assert normal.guid(given) == form


LONGEST = "https://a.example/" + "x" * (4096 - 18)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (" https://a.example/x?y=1#z ", "https://a.example/x?y=1#z"),
        ("HTTP://A.example", "HTTP://A.example"),
        ("https://a.example?e=a@b.c&x=1", "https://a.example?e=redacted&x=1"),
        ("https://a.example/?x=1&e=a%40b.c&", "https://a.example/?x=1&e=redacted&"),
        ("https://a.example/?a@b.c", "https://a.example/?redacted"),
        ("https://a.example/?e=a=b@c", "https://a.example/?e=redacted"),
        ("https://a.example/@user?x=1", "https://a.example/@user?x=1"),
        ("/thanks", None),
        ("//a.example/x", None),
        ("ftp://a.example", None),
        ("https://", None),
        ("https:///x", None),
        ("javascript:alert(1)", None),
        (LONGEST, LONGEST),
        (LONGEST + "x", None),
        ("https://[a@b", None),
        ("https://[a/b", None),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
        ("https://:80/x", None),
        ("https://a b/x", None),
        ("https://a.example:8443/x y", "https://a.example:8443/x y"),
        ("https://a.example/\0", None),
        ("https://a\x1fb/", None),
    ],
)
def test_url(given: str, form: str | None) -> None:
    assert normal.url(given) == form


AT = 1_795_262_400.0


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("2026-11-21T12:00:00Z", AT),
        ("2026-11-21t12:00:00z", AT),
        ("2026-11-21 12:00:00Z", AT),
        ("2026-11-21T14:00:00+02:00", AT),
        ("2026-11-21T11:00:00.25-01:00", AT + 0.25),
        ("2026-11-21T12:00:00.123456789Z", AT + 0.123456),
        ("2026-11-21T11:59:60Z", AT),
        ("2026-11-21T12:00:00", None),
        ("2026-11-21T12:00:00+0200", None),
        ("2026-11-21", None),
        ("20261121T120000Z", None),
        ("2026-W47-6T12:00:00Z", None),
        ("2026-13-21T12:00:00Z", None),
        ("2026-11-21T25:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        (1_795_262_400, AT),
        (1_795_262_400.5, AT + 0.5),
        (1_795_262_400_000, AT),
        (1_795_262_400_000_000, AT),
        ("1795262400", AT),
        (" 1795262400.25 ", AT + 0.25),
        ("1795262400000", AT),
        ("1795262400000000", AT),
        (99_999_999_999, 99_999_999_999.0),
        (100_000_000_000, 100_000_000.0),
        (99_999_999_999_999, 99_999_999_999.999),
        (100_000_000_000_000, 100_000_000.0),
        (-1, -1.0),
        ("-1", None),
        (True, None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ("1" * 5000, None),
        ("", None),
        ({}, None),
    ],
)
def test_time(given: object, form: float | None) -> None:
    assert normal.time(given) == form


@pytest.mark.parametrize(
    ("given", "forms", "dropped"),
    [
        ("A@b.c", ("a@b.c",), False),
        (["A@b.c", "a@B.c", "d@e.f"], ("a@b.c", "d@e.f"), False),
        (["a@b.c", "x", 5], ("a@b.c",), True),
        (["a@b.c", None, "", "null"], ("a@b.c",), False),
        ("x", (), True),
        ("unknown", (), False),
        (None, (), False),
        ([], (), False),
        (True, (), True),
        ({"a": 1}, (), True),
        ([f"{n}@b.c" for n in range(10)], tuple(f"{n}@b.c" for n in range(10)), False),
        ([f"{n}@b.c" for n in range(11)], tuple(f"{n}@b.c" for n in range(10)), True),
        (["a@b.c"] * 101, ("a@b.c",), True),
    ],
)
def test_many(given: object, forms: tuple[str, ...], dropped: bool) -> None:
    assert normal.many(given, normal.email) == (forms, dropped)


def test_many_ids_may_be_integers() -> None:
    found = normal.many([7, "7", True, 1.5, 8], normal.id_or_digest, integers=True)
    assert found == (("7", "8"), True)
    assert normal.many(7, normal.id_or_digest, integers=True) == (("7",), False)
