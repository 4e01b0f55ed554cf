"""What a user did that cannot work: where it stands, the rule, and the likely way out.

Everything expected that goes wrong before or beside the running worker is told in this one form.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """``place``: ``settings.yaml:12 accounts.acme.state``, a file and line, or a command's option.
    ``rule``: what is expected there. ``fix``: the likely remedy, empty where none is known. No
    part of it holds a secret or a payload.
    """

    place: str
    rule: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}" + (f" ({self.fix})" if self.fix else "")


class Problems(Exception):
    """One or more problems, all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class SettingsProblems(Problems):
    """The settings cannot be used. Holds every problem at once."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` when something known is close to ``word``, else what is known."""
    names = sorted(set(known))
    folded = {name.lower().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]}?"
    return f"known: {', '.join(names)}" if names else ""
