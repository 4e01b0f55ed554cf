# ruff: noqa: E501 - a page's lines, and tables
"""The page of all settings (``docs/settings.md``), made from the models, so that it cannot be wrong
about a key or a default. ``python -m forwarder.settings.reference`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.settings import AccountSettings, BudgetSettings
from forwarder.settings.meanings import MEANINGS
from forwarder.settings.model import (
    AdvertiserSettings,
    DeliverySettings,
    KafkaSettings,
    OpsSettings,
)

_HEAD: Final = """\
# Settings

One YAML file, or a directory whose `*.yaml` are read together. Unknown keys are errors. Scalars are text, and only
`true` and `false` are booleans. Durations are `500ms 20s 5m 24h 28d`, sizes `256KiB 1MiB`. A secret is `{file: PATH}`
(read again when it changes), `{env: NAME}`, or the value itself for trying out. Paths are relative to the settings file.

A scalar outside `accounts` can be set by an environment variable: `FORWARDER_KAFKA__GROUP_ID` is `kafka.group_id`.
What stands under `destinations.<destination>` is the default for all accounts of that destination.

This page is made from the code: `python -m forwarder.settings.reference > docs/settings.md`.
"""


def reference() -> str:
    """The whole page."""
    shared = set(AccountSettings.model_fields)
    parts = [
        _HEAD,
        *_block("kafka", "", KafkaSettings),
        *_block("delivery", "", DeliverySettings),
        *_block("budgets.<name>", "A limit that several accounts share.", BudgetSettings),
        *_block(
            "advertisers.<name>",
            '`"*"` stands for all: what an advertiser leaves open is as there.',
            AdvertiserSettings,
        ),
        *_consent(),
        *_block("accounts.<name>", "Of every destination.", AccountSettings),
    ]
    for name, destination in DESTINATIONS.items():
        note = f"More of `destination: {name}`, and defaults that differ."
        parts += _account(name, note, destination.settings_model, shared)
    parts += _block("ops", "", OpsSettings)
    return "\n".join(parts) + "\n"


def _consent() -> Iterator[str]:
    yield "## `consent`, `unrouted`\n"
    yield "| key | default | meaning |\n|---|---|---|"
    for key, default in (
        ("consent.require", "`[]`"),
        ("consent.personalization_denied", "`limit`"),
        ("unrouted", "`dead_letter`"),
    ):
        yield f"| `{key}` | {default} | {MEANINGS[key]} |"
    yield ""


def _block(title: str, note: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## `{title}`\n"
    if note:
        yield f"{note}\n"
    yield from _table(title.split(".", maxsplit=1)[0], model.model_fields)


def _account(name: str, note: str, model: type[AccountSettings], shared: set[str]) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{note}\n"
    base = AccountSettings.model_fields
    differ = {
        key: field
        for key, field in model.model_fields.items()
        if key != "destination" and (key not in shared or _default(field) != _default(base[key]))
    }
    yield from _table("accounts", differ)


def _table(prefix: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    yield "| key | default | values | meaning |\n|---|---|---|---|"
    for key, field, path in _flat(prefix, fields):
        yield f"| `{key}` | {_default(field)} | {_values(field.annotation)} | {MEANINGS[path]} |"
    yield ""


def _flat(
    prefix: str, fields: Mapping[str, FieldInfo], above: str = ""
) -> Iterator[tuple[str, FieldInfo, str]]:
    """Keys with those of nested blocks, as ``batch.events``."""
    for name, field in fields.items():
        key = above + (field.alias or name)
        inner = field.default if isinstance(field.default, BaseModel) else None
        if inner is not None and name != "consent":
            shown = {
                k: _with_default(f, getattr(inner, k)) for k, f in type(inner).model_fields.items()
            }
            yield from _flat(prefix, shown, f"{key}.")
        else:
            yield key, field, f"{prefix}.{key}"


def _with_default(field: FieldInfo, value: object) -> FieldInfo:
    copy = FieldInfo(annotation=field.annotation, alias=field.alias)
    copy.default = value
    return copy


def _default(field: FieldInfo) -> str:  # noqa: PLR0911 - one line for each kind
    value: object = (
        field.get_default(call_default_factory=True)
        if not field.is_required()
        else PydanticUndefined
    )
    match value:
        case _ if value is PydanticUndefined:
            return "required"
        case None:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{_duration(value)}`"
        case int() if value >= 1 << 20:
            return f"`{value >> 20}MiB`"
        case tuple() | list():
            return f"`[{', '.join(_one(entry) for entry in value)}]`"
        case dict():
            return "`{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}`"
        case _:
            return f"`{value}`"


def _one(entry: object) -> str:
    if isinstance(entry, BudgetSettings):
        return f"{{requests: {entry.requests}, per: {_duration(entry.per)}}}"
    return str(entry)


def _duration(seconds: float) -> str:
    if seconds < 1 and seconds * 1000 == int(seconds * 1000) and seconds > 0.05:  # noqa: PLR2004 - a share
        return f"{seconds * 1000:g}ms"
    for unit, size in (("d", 86400), ("h", 3600)):
        if (seconds >= 2 * size and seconds % size == 0) or seconds == size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds:g}"


def _values(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        found = [_values(part) for part in get_args(annotation) if get_origin(part) is Literal]
        return " ".join(found)
    return ""


if __name__ == "__main__":
    sys.stdout.write(reference())
