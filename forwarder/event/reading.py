"""How the event's JSON is read: leniently, and no more of it than somebody asks for.

A block's cheap fields are read together when the block is first touched, each present key once; an
absent field is the class's default and costs nothing. What costs more (lists of e-mails and
phones, items) is a ``lazy`` attribute. Whatever was given and has no normal form is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, TypeVar

from forwarder.normal import blank_id

B = TypeVar("B")
T = TypeVar("T")
Form = Callable[[object], object]
"""From what was given to the normal form, or to ``None`` where it has none."""
Forms = Mapping[str, Form]
Dropped = dict[str, None]
"""Paths, in the order in which they were noted."""


class lazy(Generic[B, T]):  # noqa: N801 - used like property
    """An attribute that is computed on first access and then kept in the instance.

    ``functools.cached_property`` takes a lock on each first access up to Python 3.11: here that
    is most of its cost, and events belong to one thread.
    """

    def __init__(self, compute: Callable[[B], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, block: B, owner: type[B]) -> T:
        value = block.__dict__[self._name] = self._compute(block)
        return value


class Block:
    """A JSON object of the event, in normal forms. ``PATH``: its own, with a dot behind it;
    ``FORMS``: the fields that are read at once; ``LAZY``: attributes that are read when asked for,
    and the fields they are read from; ``CHECKED``: fields that were read before.
    """

    PATH: ClassVar[str]
    FORMS: ClassVar[Forms]
    LAZY: ClassVar[Mapping[str, str]] = {}
    CHECKED: ClassVar[frozenset[str]] = frozenset()
    KNOWN: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        cls.KNOWN = cls.CHECKED.union(cls.FORMS, cls.LAZY.values())

    def __init__(self, given: object, dropped: Dropped) -> None:
        self._dropped = dropped
        if not isinstance(given, dict):
            self._given: Mapping[str, object] = {}
            if not says_nothing(given):
                dropped[self.PATH[:-1]] = None
            return
        self._given = given
        forms = self.FORMS
        values = self.__dict__
        for key, value in given.items():
            form = forms.get(key)
            if form is not None:
                read = form(value)
                if read is not None:
                    values[key] = read
                elif not says_nothing(value):
                    self._drop(key)

    def _drop(self, key: str) -> None:
        self._dropped[self.PATH + key] = None

    def settle(self) -> None:
        """Read what is lazy too, so that all that is dropped is noted."""
        for name in self.LAZY:
            getattr(self, name)

    def unknown(self) -> list[str]:
        """Paths of the fields that the schema does not know."""
        if self.KNOWN.issuperset(self._given):
            return []
        return [self.PATH + key for key in self._given if key not in self.KNOWN]


# -- forms of JSON values -------------------------------------------------------------------------
def text(value: object) -> str | None:
    """A string without white space around it."""
    return value.strip() or None if isinstance(value, str) else None


def boolean(value: object) -> bool | None:
    """A JSON boolean; neither words nor numbers."""
    return value if isinstance(value, bool) else None


def share(value: object) -> float | None:
    """A JSON number from 0 to 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return value
    return None


def of_text(form: Callable[[str], str | None]) -> Form:
    """A form of strings, as one of JSON values."""
    return lambda value: form(value) if isinstance(value, str) else None


def of_length(*lengths: int) -> Form:
    """A string of exactly one of these lengths."""

    def read(value: object) -> str | None:
        given = text(value)
        return given if given is not None and len(given) in lengths else None

    return read


def matching(pattern: str) -> Form:
    """A string that fits ``pattern`` from end to end."""
    fits = re.compile(pattern, re.ASCII).fullmatch

    def read(value: object) -> str | None:
        given = text(value)
        return given if given is not None and fits(given) else None

    return read


def one_of(*words: str, case: Callable[[str], str]) -> Form:
    """One of ``words``, in any case."""

    def read(value: object) -> str | None:
        given = case(value.strip()) if isinstance(value, str) else None
        return given if given in words else None

    return read


def says_nothing(value: object) -> bool:
    """Whether a value that has no form was not really given: ``null``, blank, a placeholder."""
    return blank_id(value) is None if isinstance(value, str) else value is None
