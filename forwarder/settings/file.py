"""Settings from a file or directory and the environment, or every problem of them at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Destination
from forwarder.destinations.settings import AccountSettings
from forwarder.problems import Problem, SettingsProblems, did_you_mean
from forwarder.settings import checks, environment, shape, wording
from forwarder.settings.model import ACCOUNT_NAME, Settings
from forwarder.settings.yaml_tree import At, Document, Tree, Value, read

_Model = TypeVar("_Model", bound=BaseModel)
_BLOCK = ("must be a block of `key: value` lines", "indent the lines that belong to it")


class _File(Settings):
    """The keys that a file may hold; ``destinations`` is folded into the accounts."""

    destinations: Mapping[str, object] = {}


class UnusableSettings(SettingsProblems):
    """Settings with problems; ``readable`` is what of them is right, for those who tell more."""

    def __init__(self, problems: Sequence[Problem], readable: Settings) -> None:
        super().__init__(problems)
        self.readable = readable


def load(
    path: Path,
    environ: Mapping[str, str],
    destinations: Mapping[str, Destination] = DESTINATIONS,
) -> Settings:
    """The settings in ``path``, a YAML file or a directory of ``*.yaml``, with the overrides in
    ``environ``. Secrets are not read. Raises ``SettingsProblems`` with all that is wrong.
    """
    document = read(path)
    if document.problems and not document.tree:
        raise SettingsProblems(document.problems)
    directory = path if path.is_dir() else path.parent
    settings = _Loader(document, directory, destinations).settings(environ)
    if document.problems:
        problems = sorted(dict.fromkeys(document.problems), key=_by_line)
        raise UnusableSettings(problems, settings)
    return settings


def _by_line(problem: Problem) -> tuple[str, int]:
    match = re.match(r"(.*?):(\d+)(?: |$)", problem.place)
    return (match[1], int(match[2])) if match else (problem.place, 0)


class _Loader:
    """Validates one document, block by block, so that one mistake hides no other."""

    def __init__(
        self, document: Document, directory: Path, destinations: Mapping[str, Destination]
    ) -> None:
        self._document = document
        self._destinations = destinations
        self._context = {"directory": directory}

    def settings(self, environ: Mapping[str, str]) -> Settings:
        """What can be read; what cannot stands in the document's problems."""
        self._override(environ)
        defaults = self._defaults()
        accounts = self._accounts(defaults)
        rest = {
            key: value
            for key, value in self._document.tree.items()
            if key not in ("accounts", "destinations")
        }
        settings: Settings = self._validated(_File, rest, ()) or self._readable(rest)
        whole = Settings(**{key: getattr(settings, key) for key in settings.model_fields_set})
        whole = whole.model_copy(update={"accounts": accounts})
        whole.keep_places(self._document)
        self._document.problems += checks.settings_problems(whole, self._destinations)
        return whole

    def _override(self, environ: Mapping[str, str]) -> None:
        models: dict[At, type[BaseModel]] = {(): Settings}
        for name, destination in self._destinations.items():
            models["destinations", name] = destination.settings_model
        environment.override(self._document, models, environ)

    def _readable(self, rest: Tree) -> Settings:
        """The blocks that are right by themselves, so that the rest can be checked as well."""
        kept: dict[str, object] = {}
        for key in rest.keys() & Settings.model_fields.keys():
            one = shape.without_nulls(Settings, {key: rest[key]})
            try:
                kept[key] = getattr(Settings.model_validate(one, context=self._context), key)
            except ValidationError:
                continue
        return Settings.model_validate(kept)

    def _defaults(self) -> dict[str, Tree]:
        found: dict[str, Tree] = {}
        for name, block in self._blocks("destinations").items():
            at = ("destinations", name)
            destination = self._destinations.get(name)
            if destination is None:
                rule = "no destination has this name"
                self._problem(at, rule, did_you_mean(name, self._destinations))
                continue
            found[name] = block
            lone = {"destination": name, **block}
            self._validated(destination.settings_model, lone, at, partial=True)
        return found

    def _accounts(self, defaults: Mapping[str, Tree]) -> dict[str, AccountSettings]:
        found: dict[str, AccountSettings] = {}
        for name, block in self._blocks("accounts").items():
            at = ("accounts", name)
            if not ACCOUNT_NAME.fullmatch(name):
                rule = "an account's name is 1 to 64 of the characters a-z 0-9 -, no dash first"
                fix = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
                self._problem(at, rule, f"for example {fix}" if fix else "")
            account = self._account(at, block, defaults)
            if account is not None:
                found[name] = account
        return found

    def _account(self, at: At, block: Tree, defaults: Mapping[str, Tree]) -> AccountSettings | None:
        kind = block.get("destination")
        if kind is None:
            known = ", ".join(sorted(self._destinations))
            self._problem((*at, "destination"), "is required", f"one of: {known}")
            return None
        destination = self._destinations.get(str(kind))
        if destination is None:
            fix = did_you_mean(str(kind), self._destinations)
            self._problem((*at, "destination"), "no destination has this name", fix)
            return None
        merged = _under(defaults.get(destination.name, {}), block)
        return self._validated(destination.settings_model, merged, at)

    def _blocks(self, key: str) -> dict[str, Tree]:
        """The named blocks of a map, empty ones included where nothing is required of them."""
        value = self._document.tree.get(key)
        if value is not None and not isinstance(value, dict):
            self._problem((key,), *_BLOCK)
            return {}
        found: dict[str, Tree] = {}
        for name, block in (value or {}).items():
            if isinstance(block, dict):
                found[name] = block
            elif block is not None or key == "accounts":
                self._problem((key, name), *_BLOCK)
        return found

    def _validated(
        self, model: type[_Model], tree: Tree, at: At, *, partial: bool = False
    ) -> _Model | None:
        clean = shape.without_nulls(model, tree)
        try:
            return model.model_validate(clean, context=self._context)
        except ValidationError as error:
            found = wording.findings(error, model, clean)
        for finding in found:
            if partial and finding.missing:
                continue
            if at[:1] == ("accounts",) and self._from_defaults(at, tree, finding.at):
                continue
            self._problem((*at, *finding.at), finding.rule, finding.fix)
        wrong = {str(finding.at[0]) for finding in found if finding.at}
        return self._remaining(model, clean, at, wrong) if at[:1] == ("accounts",) else None

    def _remaining(
        self, model: type[_Model], tree: Value, at: At, wrong: Collection[str]
    ) -> _Model | None:
        """A block without its ``wrong`` keys, so that these hide no rule about several keys, nor
        one between blocks. Rules that name a wrong key wait until it is right.
        """
        if not wrong or not isinstance(tree, dict):
            return None
        rest: Tree = {key: value for key, value in tree.items() if key not in wrong}
        try:
            return model.model_validate(rest, context=self._context)
        except ValidationError as error:
            for finding in wording.findings(error, model, rest):
                if not finding.at and not any(key in finding.rule for key in wrong):
                    self._problem(at, finding.rule, finding.fix)
            return None

    def _from_defaults(self, at: At, tree: Tree, below: At) -> bool:
        """Whether the value stands under ``destinations``, where it was found wrong already."""
        places = self._document.places
        default = ("destinations", str(tree["destination"]), *below)
        return bool(below) and (*at, *below) not in places and default in places

    def _problem(self, at: At, rule: str, fix: str) -> None:
        self._document.problems.append(Problem(self._document.place(at), rule, fix))


def _under(defaults: Value, own: Value) -> Tree:
    """``own`` over ``defaults``: blocks key by key, everything else as a whole."""
    merged = dict(defaults) if isinstance(defaults, dict) else {}
    for key, value in (own if isinstance(own, dict) else {}).items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict) and not _is_secret(value)
        merged[key] = _under(below, value) if both else value
    return merged


def _is_secret(value: Tree) -> bool:
    """A secret replaces the default one as a whole: ``{file: X}`` under ``{env: Y}`` is one of
    them, not both.
    """
    return len(value) == 1 and value.keys() <= {"file", "env", "value"}
