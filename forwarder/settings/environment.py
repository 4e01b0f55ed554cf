"""Single settings from the environment: ``FORWARDER_KAFKA__GROUP_ID`` is ``kafka.group_id``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from pydantic import BaseModel

from forwarder.credentials import SecretSource
from forwarder.problems import Problem, did_you_mean
from forwarder.settings import shape
from forwarder.settings.yaml_tree import At, Document, Tree, Value, scalar

PREFIX: Final = "FORWARDER_"
CONFIG: Final = "FORWARDER_CONFIG"
_KUBERNETES: Final = ("*_PORT*", "*_SERVICE_*")  # injected for every Service of the namespace


def override(
    document: Document,
    models: Mapping[At, type[BaseModel]],
    environ: Mapping[str, str],
) -> None:
    """Put every override into the document's tree. ``models``: the block at each path that
    overrides may reach into. Unknown variables become problems of the document.
    """
    scalars, others = _targets(document.tree, models)
    secrets = set(_environment_secrets(document.tree))
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == CONFIG or variable in secrets:
            continue
        name = variable.upper()
        if name in scalars:
            _set(document, scalars[name], scalar(environ[variable]), f"environment {variable}")
        elif not any(fnmatchcase(name, pattern) for pattern in _KUBERNETES):
            document.problems.append(_unknown(variable, name, scalars, others))


def _targets(
    tree: Tree, models: Mapping[At, type[BaseModel]]
) -> tuple[dict[str, At], dict[str, At]]:
    scalars: dict[str, At] = {}
    others: dict[str, At] = {}
    for root, model in models.items():
        for at, single in _walk(model, root, tree):
            (scalars if single else others)[_variable(at)] = at
    return scalars, others


def _variable(at: At) -> str:
    return PREFIX + "__".join(str(part).upper().replace("-", "_") for part in at)


def _walk(annotation: shape.Annotation, at: At, tree: Tree) -> Iterator[tuple[At, bool]]:
    blocks = shape.models(annotation)
    if not blocks:
        if shape.is_map(annotation) and shape.models(shape.entry(annotation)):
            for name in _names(tree, at):
                yield from _walk(shape.entry(annotation), (*at, name), tree)
        yield at, shape.entry(annotation) is None
        return
    if SecretSource in blocks:
        yield at, True
    for block in blocks:
        for key, below in shape.keys(block).items():
            if (*at, key) == ("accounts",):
                continue
            yield from _walk(below, (*at, key), tree)


def _names(tree: Tree, at: At) -> Iterable[str]:
    value: Value = tree
    for part in at:
        value = value.get(str(part)) if isinstance(value, dict) else None
    return list(value) if isinstance(value, dict) else []


_WAYS_TO_A_SECRET: Final = tuple(SecretSource.model_fields)
"""One of them replaces whatever the file says of the secret."""


def _set(document: Document, at: At, value: Value, place: str) -> None:
    secret = at[-1] in _WAYS_TO_A_SECRET
    *above, key = at[:-1] if secret else at
    block = document.tree
    for part in above:
        below = block.get(str(part))
        if below is None:
            below = block[str(part)] = {}
        if not isinstance(below, dict):
            return  # the file's own mistake there is told instead
        block = below
    block[str(key)] = {str(at[-1]): value} if secret else value
    document.places[at] = place


def _environment_secrets(value: Value) -> Iterator[str]:
    """Variables that the settings name as secrets: they are known, whatever they are called."""
    if isinstance(value, dict):
        if set(value) == {"env"} and isinstance(value["env"], str):
            yield value["env"]
        for below in value.values():
            yield from _environment_secrets(below)
    elif isinstance(value, list):
        for below in value:
            yield from _environment_secrets(below)


def _unknown(
    variable: str, name: str, scalars: Mapping[str, At], others: Mapping[str, At]
) -> Problem:
    place = f"environment {variable}"
    if name.startswith("FORWARDER_ACCOUNTS"):
        fix = "settings of accounts stand in the file; a secret there may be {env: NAME}"
        return Problem(place, "accounts cannot be set from the environment", fix)
    if name in others:
        return Problem(place, "only a single value can come from the environment", "use the file")
    hint = did_you_mean(name, scalars)
    fix = hint if hint.startswith("did") else "unset it, or give it another prefix"
    return Problem(place, "no setting has this name", fix)
