"""What must not stand in a log line, taken out of texts that others wrote."""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 500
_MASK: Final = "***"

_NAMED: Final = r"(?:token|secret|password|authorization|key|signature)(?!\w*Error\b)"
_PATTERNS: Final = (
    # name=value, "name": "value", Name: Scheme value
    (
        re.compile(
            rf"({_NAMED}\w*[\"']?\s*[:=]\s*[\"']?(?:bearer\s+)?)[^\s\"',;&)]+", re.IGNORECASE
        ),
        rf"\1{_MASK}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(r"\b[0-9a-f]{32,128}\b", re.IGNORECASE), _MASK),  # digests of identifiers, keys
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), _MASK),
    (re.compile(r"\+\d[\d ().-]{6,}\d"), _MASK),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+@"), f"{_MASK}@"),
    (re.compile(r"(\?)[^\s\"')]+"), rf"\1{_MASK}"),  # queries of URLs
)


def scrub(text: str) -> str:
    """``text`` on one line, without credentials, e-mails, phone numbers, digests and queries of
    URLs, cut to ``MAX_TEXT`` characters.
    """
    text = " ".join(text.split())
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
