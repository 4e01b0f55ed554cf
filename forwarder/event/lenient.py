"""Fields that are read leniently: into their normal form, or dropped and noted.

Each lenient field has two ways in. ``exact`` is a schema that pydantic's core checks without
Python; it takes only what certainly is in normal form already, which is nearly all there ever is.
Whatever else is given goes through ``form``, the normal form in Python. So ``exact`` decides about
speed alone (it makes reading an event three times as fast); what a field means, ``form`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core import core_schema as cs

from forwarder.normal import blank_id

B = TypeVar("B")
T = TypeVar("T")
Siblings = Mapping[str, object]
"""The fields of the same block that come before this one, in normal form."""
Form = Callable[[object, Siblings], object]
"""From what was given to the normal form; ``None`` where it has none; ``Partly`` what is left."""

EVENT: Final = "event"
"""The title of the event itself: its fields' paths are their names."""


class Partly(NamedTuple):
    """What is left of a value of which something had to be dropped."""

    kept: object


class lazy(Generic[B, T]):  # noqa: N801 - used like property
    """An attribute that is computed on first access and then kept in the instance.

    ``functools.cached_property`` takes a lock on each first access up to Python 3.11, which is
    most of its cost; an event belongs to one thread.
    """

    def __init__(self, compute: Callable[[B], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, block: B, owner: type[B]) -> T:
        value = block.__dict__[self._name] = self._compute(block)
        return value


@dataclass(slots=True)
class Reading:
    """What the reading of one record needs and finds. ``written``: its bytes; ``latest``: epoch
    seconds after which no event can have happened; ``dropped``: paths of dropped fields.
    """

    written: bytes
    latest: float
    dropped: list[str] = field(default_factory=list)

    def drop(self, info: cs.ValidationInfo[Reading], name: str | None = None) -> None:
        """Note the field that is being read. ``name``: as producers write it, if it differs."""
        block = (info.config or {}).get("title")
        path = name or info.field_name or ""
        self.dropped.append(path if block == EVENT else f"{block}.{path}")


class Block(BaseModel):
    """A JSON object of the event. Its title is its path. What it does not know it keeps apart."""

    model_config = ConfigDict(extra="allow", frozen=True, ignored_types=(lazy,))

    def unknown(self) -> list[str]:
        """Names of the fields that the schema does not know."""
        return list(self.__pydantic_extra__ or ())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # personal data belongs in no log

    __str__ = __repr__


def says_nothing(value: object) -> bool:
    """Whether a value that has no form was not really given: ``null``, blank, a placeholder."""
    return blank_id(value) is None if isinstance(value, str) else value is None


@dataclass(frozen=True, slots=True)
class Lenient:
    """Marks a field that is dropped when it has no normal form.

    ``json``: its JSON Schema; ``name``: as the producer writes it, if the attribute is called
    otherwise; ``absent``: what it holds when there is nothing.
    """

    exact: CoreSchema
    form: Form
    json: Mapping[str, object]
    name: str | None = None
    absent: object = None

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return in_order(self.exact, cs.with_info_plain_validator_function(self._read))

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.json)

    def _read(self, value: object, info: cs.ValidationInfo[Reading]) -> object:
        read = None if says_nothing(value) else self.form(value, info.data)
        if isinstance(read, Partly):
            info.context.drop(info, self.name)
            return read.kept
        if read is not None:
            return read
        if not says_nothing(value):
            info.context.drop(info, self.name)
        return self.absent


@dataclass(frozen=True, slots=True)
class Nested:
    """Marks a block that is dropped as a whole when it is no JSON object."""

    empty: Block

    def __get_pydantic_core_schema__(
        self, source: type[Block], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return in_order(handler(source), cs.with_info_plain_validator_function(self._read))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(first_of(schema))

    def _read(self, value: object, info: cs.ValidationInfo[Reading]) -> Block:
        if not says_nothing(value):
            info.context.drop(info)
        return self.empty


@dataclass(frozen=True, slots=True)
class Rows:
    """Marks a list of blocks: at most ``most``, and only JSON objects."""

    row: type[Block]
    most: int

    def __get_pydantic_core_schema__(
        self, source: type[Block], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        exact = cs.tuple_variable_schema(handler(self.row), max_length=self.most)
        return in_order(exact, cs.with_info_plain_validator_function(self._read))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(first_of(schema))

    def _read(self, value: object, info: cs.ValidationInfo[Reading]) -> tuple[Block, ...]:
        given = value if isinstance(value, list) else []
        rows = tuple(
            self.row.model_validate(row, context=info.context)
            for row in given[: self.most]
            if isinstance(row, dict)
        )
        if len(rows) < len(given) or not (given or says_nothing(value) or value == []):
            info.context.drop(info)
        return rows


def in_order(*choices: CoreSchema) -> CoreSchema:
    """The first of ``choices`` that takes a value."""
    return cs.union_schema(list(choices), mode="left_to_right")


def first_of(schema: CoreSchema) -> CoreSchema:
    """The first way into a field made by ``in_order``."""
    assert schema["type"] == "union"
    choice: CoreSchema | tuple[CoreSchema, str] = schema["choices"][0]
    return choice[0] if isinstance(choice, tuple) else choice
