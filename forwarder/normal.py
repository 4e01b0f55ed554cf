"""The normal forms that all destinations share (mapping section 1).

Each takes what a producer gave and returns the form, or ``None`` where there is none: because the
value says nothing (``blank``, ``blank_id`` tell), or because it fails the form and is dropped.
Applied to its own result a form changes nothing. All are pure, and take time linear in their input,
but for ``name`` and ``geo``: those are for text of at most ``LONGEST_NAME``.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

# -- what says nothing ----------------------------------------------------------------------------
PLACEHOLDERS: Final = frozenset({"null", "undefined", "none", "nan", "n/a", "(not set)", "unknown"})
_LONGEST_PLACEHOLDER: Final = max(map(len, PLACEHOLDERS))


def blank(text: str) -> str | None:
    """``text`` without white space around it; ``None`` when nothing is left."""
    return text.strip() or None


def blank_id(text: str) -> str | None:
    """``blank`` for ids, e-mails, phones and click ids, where words like ``null`` say nothing."""
    text = text.strip()
    if len(text) <= _LONGEST_PLACEHOLDER and text.lower() in PLACEHOLDERS:
        return None
    return text or None


def identifier(value: object) -> str | None:
    """A string that is no placeholder, or the decimal digits of an integer. No booleans."""
    if isinstance(value, str):
        return blank_id(value)
    return str(value) if type(value) is int else None


# -- digests --------------------------------------------------------------------------------------
_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64}")
_DIGEST_LENGTH: Final = 64


def sha256_hex(text: str) -> str:
    """The SHA-256 of ``text`` in UTF-8, as lower-case hex digits."""
    return sha256(text.encode()).hexdigest()


_DIGESTS_OF_NOTHING: Final = frozenset(
    map(sha256_hex, ("", " ", "null", "undefined", "none", "unknown"))
)


def is_digest(text: str) -> bool:
    """Whether ``text`` is 64 hex digits: a value that the producer has hashed already."""
    return len(text) == _DIGEST_LENGTH and _DIGEST.fullmatch(text) is not None


def digest(text: str) -> str | None:
    """64 hex digits, lower-case; ``None`` for other text and for the digest of nothing."""
    text = text.strip().lower()
    return text if is_digest(text) and text not in _DIGESTS_OF_NOTHING else None


def hashed(form: str) -> str:
    """The SHA-256 of a normal form; a digest is never hashed again."""
    if len(form) == _DIGEST_LENGTH and is_digest(form):
        return form.lower()
    return sha256(form.encode()).hexdigest()


def text_or_digest(text: str) -> str | None:
    """``blank``, or a digest that is not of nothing."""
    text = text.strip()
    return digest(text) if is_digest(text) else text or None


def id_or_digest(text: str) -> str | None:
    """``blank_id``, or a digest that is not of nothing."""
    text = text.strip()
    return digest(text) if is_digest(text) else blank_id(text)


# -- people ---------------------------------------------------------------------------------------
def email(text: str) -> str | None:
    r"""Lower-case, with one ``@`` and a dot inside the domain; or a digest. No gmail folding.

    This is ``^[^@\s]+@[^@\s]+\.[^@\s]+$`` without a regular expression's backtracking.
    """
    text = text.strip().lower()
    local, at, domain = text.partition("@")
    if not at:
        return digest(text)
    if not local or "@" in domain or "." not in domain[1:-1]:
        return None
    return text if len(text.split(None, 1)) == 1 else None


_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_PHONE: Final = 50
"""Some ways of writing 250 characters, which is what the library takes, cost it 8 ms."""


def phone(text: str, region: str | None = None) -> str | None:
    """E.164, or a digest. ``region`` (alpha-2) is that of numbers without a country's prefix."""
    text = text.strip()
    if _E164.fullmatch(text):
        return text
    if is_digest(text):
        return digest(text)
    if region is None and text.startswith("00"):
        return phone("+" + text[2:])
    return _dialled(text, region) if len(text) <= _LONGEST_PHONE else None


@lru_cache(maxsize=4096)  # the router and the sender of one process ask for the same numbers
def _dialled(text: str, region: str | None) -> str | None:
    """What ``phonenumbers`` makes of it. Possible is enough: which numbers are valid changes
    faster than any library, and a number that is only possible locally has no country.
    """
    import phonenumbers as pn  # noqa: PLC0415 - 25 ms that producers of E.164 never pay

    try:
        number = pn.parse(text, region)
    except pn.NumberParseException:
        return None
    if pn.is_possible_number_with_reason(number) != pn.ValidationResult.IS_POSSIBLE:
        return None
    return pn.format_number(number, pn.PhoneNumberFormat.E164)


LONGEST_NAME: Final = 256
"""Characters. Unicode's normal forms take time quadratic in a run of combining marks."""


def name(text: str) -> str | None:
    """A first or last name: lower-case, no punctuation; inner spaces and diacritics stay. [I]"""
    text = unicodedata.normalize("NFC", text).strip().lower()
    if not text.isalpha():
        kept = "".join(c for c in text if unicodedata.category(c)[0] not in "PS")
        text = unicodedata.normalize("NFC", kept).strip()
    return text or None


MANY: Final = 10
_LOOKED_AT: Final = 100
"""A list of 100,000 numbers must not stop the loop."""


class Many(NamedTuple):
    """The forms in a value or list, and whether anything that was given there is missing."""

    forms: tuple[str, ...]
    dropped: bool


def many(value: object, form: Callable[[str], str | None], *, integers: bool = False) -> Many:
    """A value or a list: each normalised, no duplicates, in order, at most 10. [I]

    ``integers``: these are ids, so that an integer is as good as its digits.
    """
    given = value if isinstance(value, list) else [value]
    forms: dict[str, None] = {}
    dropped = len(given) > _LOOKED_AT
    for one in given[:_LOOKED_AT]:
        text = str(one) if integers and type(one) is int else one
        found = form(text) if isinstance(text, str) else None
        if found is not None:
            forms[found] = None
        elif text is not None and not (isinstance(text, str) and blank_id(text) is None):
            dropped = True
    kept = tuple(forms)
    return Many(kept[:MANY], dropped or len(kept) > MANY)


# -- places ---------------------------------------------------------------------------------------
def geo(text: str) -> str | None:
    """Letters and digits alone, lower-case, without diacritics: ``newyork``, ``targumures``."""
    text = text.lower() if text.isascii() else unicodedata.normalize("NFKD", text).lower()
    return text if text.isalnum() else "".join(filter(str.isalnum, text)) or None


_ALPHA2: Final = re.compile(r"[A-Za-z]{2}")


def country(text: str) -> str | None:
    """Alpha-2, upper-case."""
    text = text.strip()
    if not _ALPHA2.fullmatch(text):
        return None
    text = text.upper()
    return "GB" if text == "UK" else text


def state(text: str, of_country: str | None) -> str | None:
    """As given, without its country's prefix: ``US-CA`` is ``CA`` in the US."""
    text = text.strip()
    prefix, dash, rest = text.partition("-")
    if dash and of_country is not None and country(prefix) == of_country:
        return rest.strip() or None
    return text or None


_ZIP_NOISE: Final = re.compile("[\\s\u2010-\u2015-]+")


def zip_code(text: str) -> str | None:
    """No spaces or dashes, lower-case. ZIP+4 stays whole. [I]"""
    return _ZIP_NOISE.sub("", text).lower() or None


# -- devices and networks -------------------------------------------------------------------------
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PUBLIC_IPV4: Final = re.compile(
    r"(?!10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|0\.0\.0\.0"
    r"|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|22[4-9]\.|23[0-9]\.)"
    rf"({_OCTET}(?:\.{_OCTET}){{3}})(?::[0-9]{{1,5}})?"
)
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?")
_UNIQUE_LOCAL: Final = ipaddress.IPv6Network("fc00::/7")
_LONGEST_IP: Final = 64


def ip(text: str) -> str | None:
    """A public address, the first of a comma list, without port and brackets.

    ``is_global`` is not asked: it refuses documentation addresses, which vendors' examples use.
    """
    if "," in text:
        text = text.partition(",")[0]
    text = text.strip()
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        text = bracketed[1]
    public = _PUBLIC_IPV4.fullmatch(text)
    if public:
        return public[1]
    return _ipv6(text) if ":" in text and len(text) <= _LONGEST_IP else None


def _ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    if address.ipv4_mapped is not None:
        return ip(str(address.ipv4_mapped))
    unusable = (
        address.scope_id is not None
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _UNIQUE_LOCAL
    )
    return None if unusable else str(address)


_DEVICE_ID: Final = re.compile(r"(?=[0-]*[1-9A-Fa-f])[0-9A-Fa-f-]{16,64}")
_GUID: Final = re.compile(
    r"(?=[0-]*[1-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)


def device_id(text: str) -> str | None:
    """Hex digits and dashes, 16 to 64, not all zeros (what a phone says without permission)."""
    text = text.strip()
    return text if _DEVICE_ID.fullmatch(text) else None


def device_id_or_digest(text: str) -> str | None:
    """``device_id``, or a digest that is not of nothing."""
    text = text.strip()
    return digest(text) if is_digest(text) else device_id(text)


def guid(text: str) -> str | None:
    """36 characters, ``8-4-4-4-12`` hex digits, not all zeros; the case is kept."""
    text = text.strip()
    return text if _GUID.fullmatch(text) else None


_ABSOLUTE: Final = re.compile(
    r"https?://(?:[^\s\0-\x1f\x7f/?#:\[\]]+|\[[0-9a-f:.]+\])(?:[:/?#][^\0-\x1f\x7f]*)?",
    re.IGNORECASE,
)
"""With a host, and without control characters. What else stands in it the vendor may judge."""
LONGEST_URL: Final = 4096


def url(text: str) -> str | None:
    """Absolute http(s), at most 4,096 characters; query values with an ``@`` are redacted. [I]"""
    text = text.strip()
    if len(text) > LONGEST_URL or not _ABSOLUTE.fullmatch(text):
        return None
    if "@" in text or "%40" in text:
        return _without_addresses(text)
    return text


def _without_addresses(text: str) -> str | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    query = "&".join(map(_redacted, parts.query.split("&")))
    return text if query == parts.query else urlunsplit(parts._replace(query=query))


def _redacted(pair: str) -> str:
    key, equals, value = pair.partition("=")
    if not equals:
        key, value = "", key
    return f"{key}{equals}redacted" if "@" in value or "%40" in value else pair


# -- times ----------------------------------------------------------------------------------------
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_MICROSECONDS_FROM: Final = 1e14
MILLISECONDS_FROM: Final = 1e11
_END_OF_TIME: Final = 10**18


def time(value: object) -> float | None:
    """Epoch seconds of an RFC 3339 time with an offset, or of a number (or digits) of seconds,
    milliseconds (from 10^11 on) or microseconds (from 10^14 on).
    """
    if isinstance(value, str):
        text = value.strip()
        written = _RFC3339.fullmatch(text)
        if written:
            return _instant(text, leaps=written[1] == "60")
        return _seconds(float(text)) if _EPOCH.fullmatch(text) else None
    if isinstance(value, float):
        return _seconds(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _END_OF_TIME:
        return _seconds(float(value))
    return None


def _instant(text: str, *, leaps: bool) -> float | None:
    if leaps:
        text = text[:17] + "59" + text[19:]
    try:
        at = datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
    return at + 1 if leaps else at


def _seconds(number: float) -> float | None:
    if not -_END_OF_TIME < number < _END_OF_TIME:  # a NaN neither
        return None
    if number >= _MICROSECONDS_FROM:
        return number / 1e6
    return number / 1e3 if number >= MILLISECONDS_FROM else number
