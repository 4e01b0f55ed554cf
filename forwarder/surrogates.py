r"""Halves of characters in JSON: what is left where a program cut text between the two code units
of a character such as an emoji. Most writers of JSON let ``\ud83d`` stand alone, few readers do.
"""

from __future__ import annotations

import re
from typing import Final

_PAIR: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_WHOLE: Final = rb"[^\\]++|\\[^u]|" + _PAIR + rb"|\\u(?![dD][89a-fA-F])"
_RUNS: Final = re.compile(rb"((?:" + _WHOLE + rb")++)|" + _HALF)


def mended(json: bytes) -> bytes:
    """The same text with U+FFFD for each half, and whole characters as they are."""
    return _RUNS.sub(lambda found: found[1] or rb"\ufffd", json)
