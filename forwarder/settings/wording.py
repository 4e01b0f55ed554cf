"""pydantic's findings, told as places, rules and likely fixes. No value is ever repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from forwarder.problems import did_you_mean
from forwarder.settings import shape
from forwarder.settings.yaml_tree import At, Value

_NUMBERS: Final = {
    "greater_than": "must be greater than {gt:.12g}",
    "greater_than_equal": "must be at least {ge:.12g}",
    "less_than": "must be less than {lt:.12g}",
    "less_than_equal": "must be at most {le:.12g}",
}
_RULES: Final = {
    "missing": ("is required", "add `{key}: ...`"),
    "string_type": ("must be text", "write it in quotes"),
    "string_too_short": ("must not be empty", ""),
    "string_pattern_mismatch": ("must match {pattern}", ""),
    "int_parsing": ("must be a whole number", ""),
    "int_parsing_size": ("is far too large", ""),
    "int_from_float": ("must be a whole number", ""),
    "int_type": ("must be a whole number", ""),
    "float_parsing": ("must be a number", ""),
    "float_type": ("must be a number", ""),
    "decimal_parsing": ("must be a number", ""),
    "decimal_type": ("must be a number", ""),
    "bool_parsing": ("must be true or false", "write it without quotes, in lower case"),
    "bool_type": ("must be true or false", "write it without quotes, in lower case"),
    "tuple_type": ("must be a list", "put it in brackets: [a, b]"),
    "list_type": ("must be a list", "put it in brackets: [a, b]"),
    "too_short": ("must have at least {min_length} of them", "add one"),
    "too_long": ("must have at most {max_length} of them", "remove some"),
    "mapping_type": ("must be a block of `key: value` lines", "indent the lines that belong to it"),
    "dict_type": ("must be a block of `key: value` lines", "indent the lines that belong to it"),
    "model_type": ("must be a block of `key: value` lines", "indent the lines that belong to it"),
}
_BRANCHES: Final = {"str": str, "dict": dict, "list": list, "tuple": list}


class Finding(NamedTuple):
    """One thing wrong, at a path below the block that was validated."""

    at: At
    rule: str
    fix: str
    missing: bool
    counted: bool


def findings(error: ValidationError, model: type[BaseModel], tree: Value) -> list[Finding]:
    """Every finding of ``error``, which ``model`` made of ``tree``."""
    found: dict[Finding, None] = {}
    for detail in error.errors(include_url=False, include_input=False):
        at = _written(detail, tree)
        if at is not None:
            rule, fix = _told(detail, model, tree, at)
            kind = detail["type"]
            found[Finding(at, rule, fix, kind == "missing", kind == "too_short")] = None
    return [finding for finding in found if not _follows(finding, found)]


def _follows(finding: Finding, others: Iterable[Finding]) -> bool:
    """Whether a list only seems short because an entry of it is wrong."""
    at = finding.at
    return finding.counted and any(o.at[: len(at)] == at and o.at != at for o in others)


def _written(detail: ErrorDetails, tree: Value) -> At | None:
    """The finding's path as the file has it: without the names of union branches. ``None`` for a
    branch that the value was not meant for.
    """
    at: list[str | int] = []
    value: Value = tree
    for index, part in enumerate(detail["loc"]):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif index == len(detail["loc"]) - 1 and detail["type"] == "missing":
            pass
        elif _meant(str(part), value):
            continue
        else:
            return None
        at.append(part)
    return tuple(at)


def _meant(branch: str, value: Value) -> bool:
    if isinstance(value, bool):
        return True
    wanted = _BRANCHES.get(branch)
    if wanted is not None:
        return isinstance(value, wanted)
    return isinstance(value, dict) or not branch.endswith("Settings")


def _told(detail: ErrorDetails, model: type[BaseModel], tree: Value, at: At) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return "unknown key", _known(model, tree, at)
    if kind == "literal_error":
        return _literal(_value(tree, at), str(context["expected"]))
    if kind in _NUMBERS:
        return _NUMBERS[kind].format(**context), ""
    if kind in _RULES:
        rule, fix = _RULES[kind]
        names = {"key": at[-1] if at else "", **context}
        return rule.format(**names), fix.format(**names)
    said = str(context["error"]) if kind == "value_error" else detail["msg"]
    rule, _, fix = said.partition("; ")
    return rule, fix


def _known(model: type[BaseModel], tree: Value, below: At) -> str:
    block = shape.model_at(model, below[:-1])
    known = shape.keys(block) if block else {}
    beside = _value(tree, below[:-1])
    written = set(beside) if isinstance(beside, dict) else set()
    return did_you_mean(str(below[-1]), [key for key in known if key not in written])


def _literal(value: Value, expected: str) -> tuple[str, str]:
    names = [name.strip("'") for name in expected.replace(" or ", ", ").split(", ")]
    rule = f"must be {', '.join(names[:-1])} or {names[-1]}" if names[1:] else f"must be {names[0]}"
    hint = did_you_mean(value, names) if isinstance(value, str) else ""
    return rule, hint if hint.startswith("did") else ""


def _value(tree: Value, below: Sequence[str | int]) -> Value:
    value = tree
    for part in below:
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return value
