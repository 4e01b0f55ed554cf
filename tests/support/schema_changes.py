"""Whether a JSON Schema still takes all that an older one took: what producers rely on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("pattern", "format", "propertyNames")
_WORDS = {"title", "description", "examples", "default", "$schema", "$id", "$defs"}
_SHAPE = {"type", "enum", "const", "properties", "required", "additionalProperties", "items"}
_KNOWN = {*_LOWER, *_UPPER, *_SAME, *_WORDS, *_SHAPE, "anyOf", "$ref"}
_BY_TYPE = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "array": ("minItems", "maxItems", "items"),
    "object": (
        *("properties", "required", "additionalProperties"),
        *("minProperties", "maxProperties", "propertyNames"),
    ),
}


def narrowed(old: Schema, new: Schema) -> list[str]:
    """What ``new`` takes away from ``old``, place by place; empty: nothing."""
    return list(_Comparison(old, new).alternatives(old, new, "$"))


class _Comparison:
    """Resolves references of both sides."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def alternatives(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        """Each way that ``old`` took must be one of ``new``'s."""
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        yield from (f"{at}: the keyword {word} is new to this test" for word in {*new} - _KNOWN)
        ways = list(_ways(new, self._new))
        for one in _ways(old, self._old):
            losses = [list(self._one(one, way, at)) for way in ways]
            if all(losses):
                yield from min(losses, key=len)

    def _one(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        if "type" in new and not _types(old) <= _types(new):
            yield f"{at}: no longer takes {old.get('type', 'any type')}"
            return
        yield from self._values(old, new, at)
        yield from self._limits(old, new, at)
        yield from self._objects(old, new, at)
        if "items" in new:
            yield from self.alternatives(old.get("items", {}), new["items"], f"{at}[]")

    def _values(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        wanted, given = _values_of(new), _values_of(old)
        if wanted is None:
            return
        lost = ["any other value"] if given is None else [v for v in given if v not in wanted]
        yield from (f"{at}: no longer takes {value}" for value in lost)

    def _limits(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        for word in (*_LOWER, *_UPPER, *_SAME):
            if word not in new:
                continue
            before, after = old.get(word), new[word]
            looser = before is not None and (
                after == before
                or (word in _LOWER and after <= before)
                or (word in _UPPER and after >= before)
            )
            if not looser:
                yield f"{at}: {word} is {after}, was {before}"

    def _objects(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{at}.{name}: is gone"
            else:
                yield from self.alternatives(schema, after[name], f"{at}.{name}")
        for name in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{at}.{name}: is required now"
        others, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if now is False and others is not False:
            yield f"{at}: no longer takes fields that it does not know"
        elif isinstance(now, Mapping) and others is not False:
            loose: Schema = {} if others is True else others
            yield from self.alternatives(loose, now, f"{at}.*")


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Schema = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    beside = {word: value for word, value in schema.items() if word != "$ref"}
    return _resolved({**target, **beside}, root)


def _ways(schema: Schema, root: Schema) -> Iterator[Schema]:
    """The alternatives, each of one type, with the words that mean something for it."""
    if "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _ways(_resolved(one, root), root)
        return
    types = schema.get("type")
    if not isinstance(types, list):
        yield schema
        return
    for one in types:
        foreign = {
            word
            for type_, words in _BY_TYPE.items()
            if type_ != ("number" if one == "integer" else one)
            for word in words
        }
        yield {k: v for k, v in schema.items() if k not in foreign} | {"type": one}


_JSON = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _types(way: Schema) -> set[str]:
    """The JSON types that a way takes; integers are numbers."""
    values = _values_of(way)
    if "type" in way:
        named = {way["type"]}
    elif values is not None:
        named = {_JSON.get(type(value), "other") for value in values}
    else:
        named = {"string", "boolean", "number", "null", "array", "object"}
    return named | ({"integer"} if "number" in named else set())


def _values_of(schema: Schema) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None
