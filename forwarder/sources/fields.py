"""A foreign event's fields by path, and which of them found a place in the native event."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from forwarder.normal import blank_id

_NOT_SET: Final = frozenset({"", "(not set)"})
"""What analytics tools write where they have nothing to say."""
_LEVELS: Final = 16
_VALUE_LEVELS: Final = 4
_JSON_INTEGERS: Final = range(-(1 << 63), 1 << 64)


class Found(NamedTuple):
    """A value that says something, and its path as the user wrote it."""

    value: object
    path: str


def says_something(value: object) -> bool:
    """Whether there is a value at all: not ``null``, not blank, no ``(not set)``, not empty."""
    if isinstance(value, str):
        return value.strip() not in _NOT_SET
    return value is not None and value not in ([], {})


def _placeholder(value: object) -> bool:
    return isinstance(value, str) and blank_id(value) is None


def below(value: object, key: str) -> object:
    """The entry ``key`` of an object; ``None`` where there is none."""
    return value.get(key) if isinstance(value, Mapping) else None


@dataclass(slots=True)
class Fields:
    """``tree``: the foreign event. ``shown``: from a path in ``tree`` to the user's spelling of it,
    where the tree was rearranged.
    """

    tree: Mapping[str, object]
    shown: Callable[[str], str] = str
    _taken: set[str] = field(default_factory=set)

    def find(self, *paths: str) -> Found | None:
        """The first of ``paths`` that says something, rather one that is no placeholder. It has
        found its place from now on, and so have the others: they were only there in its stead.
        """
        there = [found for path in paths if (found := self._at(path)) is not None]
        if not there:
            return None
        self._taken.update(paths)
        return next((found for found in there if not _placeholder(found.value)), there[0])

    def every(self, *paths: str) -> list[Found]:
        """Each of ``paths`` that says something."""
        return [found for path in paths if (found := self.find(path)) is not None]

    def ignore(self, *paths: str) -> None:
        """These are understood and have done their work: nobody misses them."""
        self._taken.update(paths)

    def rest(self) -> Iterator[Found]:
        """What says something and has found no place, with paths of ``tree``. List positions are
        written as ``[]``.
        """
        return (
            found for found in leaves(self.tree) if not self._covered(found.path.replace("[]", ""))
        )

    def _at(self, path: str) -> Found | None:
        """Of a list of objects the first one counts."""
        value: object = self.tree
        walked: list[str] = []
        for key in path.split("."):
            if isinstance(value, list):
                value = value[0] if value else None
                walked[-1] += "[0]"
            value = below(value, key)
            walked.append(key)
        if not says_something(value):
            return None
        return Found(plain(value), self.shown(".".join(walked)))

    def _covered(self, path: str) -> bool:
        while path:
            if path in self._taken:
                return True
            path = path.rpartition(".")[0]
        return False


def leaves(value: object, path: str = "", levels: int = _LEVELS) -> Iterator[Found]:
    """Everything below that says something, objects and lists of objects opened: but only so deep,
    since a payload may be nested deeper than Python can follow.
    """
    if isinstance(value, Mapping) and levels:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key), levels - 1)
    elif isinstance(value, list) and levels and any(isinstance(one, Mapping) for one in value):
        for one in value:
            yield from leaves(one, f"{path}[]", levels - 1)
    elif says_something(value):
        yield Found(value, path)


def plain(value: object, levels: int = _VALUE_LEVELS) -> object:
    """``value`` as JSON can hold it: a number that JSON cannot write becomes its text, so that the
    event's rules judge it. No field of an event is nested deep: what lies below is left out.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if type(value) is int and value not in _JSON_INTEGERS:
        return str(value)
    if isinstance(value, list):
        return [plain(one, levels - 1) for one in value] if levels else None
    if isinstance(value, Mapping):
        return {key: plain(one, levels - 1) for key, one in value.items()} if levels else None
    return value


def scalar(value: object) -> bool:
    """Whether ``value`` may be one of an event's ``properties``."""
    return isinstance(value, str | int | float)
