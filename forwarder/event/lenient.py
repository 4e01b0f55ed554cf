"""Fields that are read leniently: into their normal form, or dropped and noted.

Each lenient field has two ways in. ``exact`` is a schema that pydantic's core checks without
Python; it takes only what certainly is in normal form already, which is nearly all there ever is.
Whatever else is given goes through ``form``, the normal form in Python. So ``exact`` decides about
speed alone (it makes reading an event three times as fast); what a field means, ``form`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core import core_schema as cs

from forwarder.event.block import Block, Reading
from forwarder.normal import blank_id

Siblings = Mapping[str, object]
"""The fields of the same block that come before this one, in normal form."""
Form = Callable[[object, Siblings], object]
"""From what was given to the normal form; ``None`` where it has none; ``Partly`` what is left."""


class Partly(NamedTuple):
    """What is left of a value of which something had to be dropped."""

    kept: object


def says_nothing(value: object) -> bool:
    """Whether a value that has no form was not really given: ``null``, blank, a placeholder."""
    return blank_id(value) is None if isinstance(value, str) else value is None


@dataclass(frozen=True, slots=True)
class Lenient:
    """Marks a field that is dropped when it has no normal form.

    ``json``: its JSON Schema; ``name``: as the producer writes it, if the attribute is called
    otherwise; ``absent``: what it holds when there is nothing; ``digits``: its form depends on how
    a number is written; ``silent``: whether a value was not really given.
    """

    exact: CoreSchema
    form: Form
    json: Mapping[str, object]
    name: str | None = None
    absent: object = None
    digits: bool = False
    silent: Callable[[object], bool] = says_nothing

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return in_order(self.exact, cs.with_info_plain_validator_function(self._read))

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.json)

    def _read(self, value: object, info: cs.ValidationInfo[Reading]) -> object:
        if self.digits:
            value = info.context.as_written(value)
        read = None if self.silent(value) else self.form(value, info.data)
        if isinstance(read, Partly):
            info.context.drop(info, self.name)
            return read.kept
        if read is not None:
            return read
        if not self.silent(value):
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
        return self.empty.described(first_of(schema), handler)

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
        read = TypeAdapter(self.row).validate_python
        rows = tuple(
            read(row, context=info.context) for row in given[: self.most] if isinstance(row, dict)
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
