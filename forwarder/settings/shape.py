"""What a settings model looks like from outside: its keys, and what stands below each."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Final, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from forwarder.settings.yaml_tree import Value

Annotation: TypeAlias = object  # a type as annotations hold it; no static type is narrower
_NUMBERS: Final = (int, float, Decimal)


def keys(model: type[BaseModel]) -> dict[str, Annotation]:
    """The keys that a block of this model may hold, and the annotation of each."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def members(annotation: Annotation) -> Iterator[Annotation]:
    """The alternatives of a union, without ``None`` and ``Annotated``."""
    origin: object = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from members(member)
    elif origin is Annotated:
        yield from members(get_args(annotation)[0])
    elif annotation is not types.NoneType:
        yield annotation


def models(annotation: Annotation) -> list[type[BaseModel]]:
    """The blocks that may stand there."""
    return [m for m in members(annotation) if isinstance(m, type) and issubclass(m, BaseModel)]


def entry(annotation: Annotation) -> Annotation | None:
    """What a map or list holds; ``None`` for anything else."""
    for member in members(annotation):
        origin: object = get_origin(member)
        if not isinstance(origin, type):
            continue
        arguments: tuple[Annotation, ...] = get_args(member)
        if issubclass(origin, Mapping):
            return arguments[1]
        if issubclass(origin, Sequence):
            return arguments[0]
    return None


def is_map(annotation: Annotation) -> bool:
    origins: list[object] = [get_origin(member) for member in members(annotation)]
    return any(isinstance(origin, type) and issubclass(origin, Mapping) for origin in origins)


def model_at(model: type[BaseModel], at: Sequence[str | int]) -> type[BaseModel] | None:
    """The block that stands at a path below ``model``; ``None`` when no block does."""
    annotation: Annotation = model
    for part in at:
        annotation = _below(annotation, part)
        if annotation is None:
            return None
    found = models(annotation)
    return found[0] if found else None


def _below(annotation: Annotation, part: str | int) -> Annotation | None:
    for model in models(annotation):
        known = keys(model)
        if part in known:
            return known[str(part)]
    return entry(annotation)


def without_nulls(annotation: Annotation, value: Value) -> Value:
    """The tree without the keys of blocks that are written as "not set"; entries of maps and
    lists stay, since nothing stands for them. ``true`` where a number belongs is text.
    """
    blocks = models(annotation)
    if isinstance(value, dict) and blocks:
        known = {key: below for block in blocks for key, below in keys(block).items()}
        return {
            key: without_nulls(known.get(key), below)
            for key, below in value.items()
            if below is not None or key not in known
        }
    if isinstance(value, dict):
        return {key: without_nulls(entry(annotation), below) for key, below in value.items()}
    if isinstance(value, list):
        return [without_nulls(entry(annotation), below) for below in value]
    if isinstance(value, bool) and any(kind in _NUMBERS for kind in members(annotation)):
        return str(value).lower()  # as text it is refused; Python would count it as 1
    return value
